"""Estimates of edges against the published formula on a network taken apart by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.rewiring import masks_of, rewire
from mediawidget.search.edge_scores import EdgeScores, joined
from mediawidget.wiring import Edge, at
from tests.engine.cases import lm_of, random_pair
from tests.rewiring.by_hand import ByHand


def study_of(kind: str = "gpt2", n: int = 3, metric: Any = None) -> mw.Study:
    pairs = [random_pair(kind, seed) for seed in range(n)]
    return mw.Study(lm_of(kind), mw.Contrast(pairs), metric=metric or mw.LogitDiff())


def published(study: mw.Study, index: int, steps: int, ids: Any, others: Any) -> np.ndarray:
    """(sender, receiver, position): (other - own) times the mean gradient, by autograd."""
    wiring, model = study.lm.wiring, study.lm.hf
    keep = np.ones(wiring.reach.shape)
    plain = ByHand(model, wiring, ids, others, keep)
    plain.logits()
    answer, wrong = (study.engine.pairs[index].strands[0].targets[side][0] for side in range(2))
    gradients = [torch.zeros(())] * len(wiring.receivers)
    for step in range(steps):
        own, other = plain.writes[0], plain.instead[0]
        start = own if steps == 1 else other + step / steps * (own - other)
        run = ByHand(model, wiring, ids, others, keep, start.detach().requires_grad_())
        logits = run.logits()
        if isinstance(study.metric, mw.LogProb):
            number = logits.log_softmax(-1)[answer]
        else:
            number = logits[answer] - logits[wrong]
        inputs = [run.inputs[r] for r in range(len(wiring.receivers))]
        found = torch.autograd.grad(number, inputs)
        gradients = [total + g / steps for total, g in zip(gradients, found, strict=True)]
    change = torch.stack(plain.instead) - torch.stack(plain.writes)
    scores = torch.einsum("spd,rpd->srp", change, torch.stack(gradients)).detach().numpy()
    scores[~wiring.reach] = np.nan
    return scores


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("metric", [mw.LogitDiff(), mw.LogProb()])
@pytest.mark.parametrize("base", ["clean", "corrupt"])
def test_scores_are_the_published_formula(base: Any, metric: Any, steps: int) -> None:
    study = study_of(metric=metric)
    whole = mw.search.eap(study, base=base, steps=steps)
    placed = mw.search.eap(study, base=base, steps=steps, by="position")
    for index, pair in enumerate(study.engine.pairs):
        ids, others = (torch.tensor(ids) for ids in (pair.clean, pair.corrupt))
        if base == "corrupt":
            ids, others = others, ids
        # Published: by how much the metric rises; here positive supports the clean behaviour.
        expected = published(study, index, steps, ids, others) * (-1 if base == "clean" else 1)
        np.testing.assert_allclose(placed.values[index], expected, rtol=0, atol=1e-9)
        np.testing.assert_allclose(whole.values[index], expected.sum(-1), rtol=0, atol=1e-9)
    assert np.nanmax(np.abs(whole.values)) > 1e-3


def test_the_logits_own_edges_are_exact_but_for_the_final_norm() -> None:
    """What the logits read is linear in each write, where there is no norm before them."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    exact = mw.search.exact_edges(study, progress=False)
    estimate = mw.search.eap(study)
    np.testing.assert_allclose(estimate.values[:, :, -1], exact.values[:, :, -1], rtol=0, atol=1e-9)


def test_more_steps_come_closer_to_cutting_the_embedding() -> None:
    """On the inputs' path the gradient integrates to the whole effect: sum over what reads it."""
    study = study_of(n=2)
    total = study.total.pairs("TE")
    missed = []
    for steps in (2, 200):
        scores = mw.search.eap(study, steps=steps)
        missed.append(np.abs(np.nansum(scores.values[:, 0], axis=-1) - total).max())
    assert missed[1] < 0.02 * np.abs(total).max() < missed[0]


def test_a_chunk_does_not_change_a_score() -> None:
    study = study_of(n=4)
    together = mw.search.eap(study)
    study.engine.budget = 1
    alone = mw.search.eap(study)
    assert alone.passes == 4 * together.passes
    np.testing.assert_allclose(alone.values, together.values, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["llama", "gptj", "bloom", "gpt_neox", "qwen3"])
def test_a_small_step_along_an_edge_is_its_score(kind: str) -> None:
    study = study_of(kind, 2)
    # Some of these compute norms or softmax in single precision, in which a small step drowns.
    wiring, step = study.lm.wiring, 0.01
    scores = mw.search.eap(study)
    chosen = np.random.default_rng(3).permutation(wiring.n_edges)[:10]
    where = np.argwhere(wiring.reach)[chosen]
    keep = np.ones((2, len(where), *wiring.reach.shape))
    for side, sign in enumerate((1, -1)):
        keep[side, np.arange(len(where)), where[:, 0], where[:, 1]] += sign * step
    kept = rewire(study.engine, masks_of(np.concatenate(keep)), 2 * len(where)).result()
    more, less = np.split(study.metric.read(kept, study.engine.columns), 2)
    slope = (more - less) / (2 * step)
    np.testing.assert_allclose(
        scores.values[:, where[:, 0], where[:, 1]].T, slope, rtol=5e-3, atol=2e-3
    )


@pytest.mark.parametrize("base", ["clean", "corrupt"])
def test_the_embeddings_edges_add_up_to_the_total_effect(base: Any) -> None:
    """Integrated gradients over the inputs: the left rule's error falls as 1 / steps."""
    study = study_of()

    def told(**asked: Any) -> EdgeScores:
        """As if the total effect of these random pairs could not be 0, which hides the share."""
        return replace(mw.search.eap(study, base=base, **asked), refused="")

    gaps = [abs(told(steps=n).completeness - 1) for n in (1, 20, 200)]
    assert gaps[2] < 0.02
    assert gaps[1] / 20 < gaps[2] < gaps[1] / 5
    scores = told(steps=20)
    embedding = sum(value for edge, value in scores.edges() if edge.sender.mediator == "embedding")
    assert scores.completeness == pytest.approx(embedding / float(study.total["TE"]))
    places = told(steps=20, by="position")
    assert places.completeness == pytest.approx(scores.completeness, abs=1e-9)


def test_of_other_scores_the_embeddings_edges_are_no_total() -> None:
    study = study_of()
    assert np.isnan(mw.search.eap(study, steps=3, ablation="mean").completeness)
    assert np.isnan(mw.search.exact_edges(study, progress=False).completeness)


def test_there_is_no_share_of_a_total_effect_that_may_be_nothing() -> None:
    lm = mw.load()
    pairs = list(mw.tasks.ioi(lm, n=8))
    turned = [replace(one, answer=one.wrong, wrong=one.answer) for one in pairs]
    scores = mw.search.eap(mw.Study(lm, [*pairs[::2], *turned[1::2]]), steps=5)
    assert abs(scores.total) > 1
    assert "95% interval" in scores.refused
    assert np.isnan(scores.completeness)
    assert np.isfinite(mw.search.eap(mw.Study(lm, pairs), steps=5).completeness)


def test_circuits_of_the_largest_edges_hang_together() -> None:
    study = study_of()
    scores = mw.search.eap(study)
    wiring = study.lm.wiring
    circuit = scores.circuit(12)
    assert circuit.edges is not None
    assert len(circuit.edges) <= 12
    ranked = [edge for edge, _ in scores.edges()]
    assert circuit.edges <= set(ranked[:12])
    assert scores.circuit(wiring.n_edges).edges == frozenset(wiring.edges)
    assert not scores.circuit(0).edges
    # Alone, an edge that feeds nothing or is fed by nothing is left out.
    embed, logits = wiring.senders[0], wiring.receivers[-1]
    head = mw.Site("head", 0, head=0)
    assert joined([Edge(embed, mw.Site("query", 0, head=0))], wiring) == []
    assert joined([Edge(head, logits)], wiring) == []
    path = [Edge(embed, mw.Site("query", 0, head=0)), Edge(head, logits)]
    assert joined(path, wiring) == path


def test_scores_read_as_tables_and_numbers() -> None:
    study = study_of()
    scores = mw.search.eap(study, by="position")
    edge, value = scores.edges()[0]
    assert scores[edge] == pytest.approx(value)
    assert scores.top(3)["score"].abs().is_monotonic_decreasing
    # What supports the clean behaviour moves the metric as the total effect does.
    signed = [np.sign(study.total["TE"]) * value for _, value in scores.edges("signed")]
    assert signed == sorted(signed, reverse=True)
    embed = Edge(mw.Site("embedding", 0), mw.Site("key", 0, head=0))
    whole = scores.mean[scores.wiring.sender(embed.sender), scores.wiring.receiver(embed.receiver)]
    assert scores[embed] == pytest.approx(whole.sum())
    assert scores[at(embed, (1, 3))] == pytest.approx(whole[[1, 3]].sum())
    for place in ("END", 99):
        with pytest.raises(mw.MediationError, match="tell this position apart"):
            scores[at(embed, place)]
    with pytest.raises(mw.MediationError, match="tell this position apart"):
        mw.search.eap(study)[at(embed, 1)]
    table = scores.to_dataframe()
    assert len(table) == study.lm.wiring.n_edges * len(scores.positions)
    assert set(scores.nodes()) == set(study.lm.wiring.senders[1:])
    assert "logits" in repr(scores)


def test_what_cannot_be_estimated_is_refused() -> None:
    study = study_of()
    with pytest.raises(mw.MediationError, match="number of inputs"):
        mw.search.eap(study, steps=0)
    with pytest.raises(mw.MediationError, match="by position"):
        mw.search.eap(study, by="head")
    with pytest.raises(mw.MediationError, match="no slope"):
        mw.search.eap(study_of(metric=mw.Rank()))
    with pytest.raises(mw.MediationError, match="no slope at that prompt"):
        mw.search.eap(study_of(metric=mw.KL("clean")))
    searches: list[Any] = [mw.search.eap, mw.search.exact_edges]
    for search in searches:
        with pytest.raises(mw.MediationError, match="base"):
            search(study, base="Clean")
        with pytest.raises(mw.MediationError, match="asked of a study"):
            search("a study")
    with pytest.raises(mw.MediationError, match="number of edges"):
        mw.search.eap(study).circuit(n=True)
    with pytest.raises(mw.MediationError, match="edges"):
        mw.search.eap(study_of("gemma2"))
    pair = random_pair("gpt2", 0)
    several = mw.PromptPair(pair.clean, pair.corrupt, "ant bee", "cat ant")
    with pytest.raises(mw.MediationError, match="several tokens"):
        mw.search.eap(mw.Study(lm_of("gpt2"), several))
    with pytest.raises(mw.MediationError, match="ranked"):
        mw.search.eap(study).edges("size")  # type: ignore[arg-type]
