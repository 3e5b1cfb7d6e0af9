"""ACDC: many tests in a pass find what one test after another finds, and what that misses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.rewiring import Bench, masks_of, rewire
from mediawidget.wiring import Edge
from tests.engine.cases import lm_of, random_pair


def study_of(kind: str = "gpt2", n: int = 2) -> mw.Study:
    return mw.Study(lm_of(kind), mw.Contrast([random_pair(kind, seed) for seed in range(n)]))


def one_by_one(study: mw.Study, threshold: float, loss: str) -> np.ndarray:
    """The published loop: one edge, one pass, one decision."""
    wiring = study.lm.wiring
    metric = mw.KL("clean") if loss == "kl" else study.metric
    study = mw.Study(study.lm, study.contrast, metric=metric)
    bench = Bench(study.engine)

    def value(keep: np.ndarray) -> float:
        kept = bench.job(masks_of(keep[None]), 1).result()
        return float(metric.read(kept, study.engine.columns).mean())

    keep = wiring.reach.astype(float)
    whole, toward = value(keep), np.sign(study.total["TE"])

    def cost() -> float:
        # The metric may fall from clean to corrupt prompts; what counts is the way towards these.
        return value(keep) if loss == "kl" else max(0.0, toward * (whole - value(keep)))

    current = cost()
    for receiver in reversed(range(len(wiring.receivers))):
        for sender in reversed(range(len(wiring.senders))):
            if wiring.reach[sender, receiver]:
                keep[sender, receiver] = 0
                new = cost()
                if new - current < threshold:
                    current = new
                else:
                    keep[sender, receiver] = 1
    return keep > 0


@pytest.mark.parametrize(("kind", "loss"), [("gpt2", "kl"), ("llama", "metric")])
def test_it_finds_what_one_test_after_another_finds(kind: str, loss: Any) -> None:
    study = study_of(kind)
    level = 1e-4 if loss == "kl" else 0.003
    found = mw.search.acdc(study, (level, 0.05), loss=loss, progress=False)
    expected = one_by_one(study, level, loss)
    assert (found.keep[0] == expected).all()
    assert 0 < expected.sum() < study.lm.wiring.n_edges
    assert found.finished
    assert found.passes < found.tests


def test_it_finds_the_induction_circuit() -> None:
    """Every edge of the circuit and nothing of the decoys, under the exchange of the keys."""
    study = mw.Study(mw.models.induction(decoys=3), mw.models.induction_pairs()["key swap"])
    found = mw.search.acdc(study, 0.5, loss="metric", progress=False)
    embed, logits = mw.Site("embedding", 0), mw.Site("residual", 2)
    first, second = mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)
    expected = {
        Edge(embed, mw.Site("value", 0, head=0)),
        Edge(first, mw.Site("key", 1, head=0)),
        Edge(second, logits),
    }
    edges = found.circuit().edges
    assert edges is not None
    assert expected <= edges
    assert {edge.sender for edge in edges} <= {embed, first, second}


def test_of_two_inputs_either_of_which_would_do_it_keeps_one() -> None:
    """The name mover and its backup: cut one, and the other is missed."""
    lm = mw.models.ioi_mini()
    roles = mw.models.ioi_mini_heads()
    study = mw.Study(lm, mw.models.ioi_mini_pairs()["flip"])
    found = mw.search.acdc(study, 0.1, loss="metric", progress=False)
    movers = [roles["name mover"], roles["backup mover"]]
    kept = [any(edge.sender == mover for edge in found.circuit().edges or ()) for mover in movers]
    assert sum(kept) == 1


def test_several_thresholds_are_each_what_they_are_alone() -> None:
    study = study_of()
    together = mw.search.acdc(study, (0.001, 0.02), progress=False)
    for index, level in enumerate(together.thresholds):
        alone = mw.search.acdc(study, level, progress=False)
        assert (alone.keep[0] == together.keep[index]).all()
        assert alone.losses[0] == pytest.approx(together.losses[index])
    scores = together.scores
    assert (np.isnan(scores) == ~study.lm.wiring.reach).all()
    assert set(np.unique(scores[study.lm.wiring.reach])) <= {0.0, 0.001, 0.02}


def test_the_loss_is_that_of_what_is_left() -> None:
    study = study_of()
    found = mw.search.acdc(study, 0.01, loss="metric", progress=False)
    kept = rewire(study.engine, masks_of(found.keep[:1].astype(float)), 1).result()
    left = study.metric.read(kept, study.engine.columns).mean()
    whole, toward = study.total.pairs("Y11").mean(), np.sign(study.total["TE"])
    assert found.losses[0] == pytest.approx(max(0.0, toward * (whole - left)), abs=1e-9)


@pytest.mark.parametrize("metric", [mw.KL("clean"), mw.LogitDiff()])
def test_what_moves_the_metric_towards_the_corrupt_prompts_costs(metric: Any) -> None:
    """Whichever way that is: a circuit that does the corrupt run's work is none."""
    study = study_of()
    if metric.name != "kl":
        exchanged = [replace(p, answer=p.wrong, wrong=p.answer) for p in study.contrast.pairs]
        study = mw.Study(study.lm, mw.Contrast(exchanged))
    study.metric = metric
    found = mw.search.acdc(study, 0.02 * abs(study.total["TE"]), loss="metric", progress=False)
    assert found.circuit().size > 3
    kept = rewire(study.engine, masks_of(found.keep[:1].astype(float)), 1).result()
    left = metric.read(kept, study.engine.columns).mean()
    assert abs(left - study.total["Y11"]) < 0.5 * abs(study.total["TE"])
    assert found.metric == metric.name
    assert "resample ablation" in found.circuit().source


def test_a_metric_that_tells_nothing_apart_is_refused() -> None:
    study = study_of()
    study.metric = mw.Function(lambda kept: 0.0 * kept["answer"], name="nothing")
    with pytest.raises(mw.MediationError, match="does not tell"):
        mw.search.acdc(study, 0.1, loss="metric")


@pytest.mark.parametrize("thresholds", [[], -1.0, [0.1, float("nan")], "a", None])
def test_a_threshold_that_is_none_is_refused(thresholds: Any) -> None:
    with pytest.raises(mw.MediationError, match="threshold"):
        mw.search.acdc(study_of(), thresholds)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="costs"):
        mw.search.acdc(study_of(), 0.1, loss="mse")  # type: ignore[call-overload]
