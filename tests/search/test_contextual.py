"""CD-T as a search: what it finds, what it cannot, and what it says of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.decomposition.grid import Decomposition
from mediawidget.evaluation import NodeValues
from mediawidget.search import contextual_pruning
from mediawidget.statistics.ranks import overlap, rank_correlations
from tests.engine.cases import lm_of, random_pair
from tests.small_models import random_model, tokenizer_of

FIRST, SECOND = mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)
"""The two heads of the induction circuit; all others are decoys."""


def induction(seed: int = 0) -> mw.Study:
    lm = mw.models.induction(decoys=4, seed=seed)
    return mw.Study(lm, mw.models.induction_pairs()["key swap"])


def study_of(kind: str = "gpt2", n: int = 2) -> mw.Study:
    pairs = [random_pair(kind, seed, length=6, first=2) for seed in range(n)]
    named = [mw.PromptPair(p.clean, p.corrupt, p.answer, p.wrong, {"a": 2, "b": 5}) for p in pairs]
    return mw.Study(lm_of(kind), named)


# --- what it finds --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 3, 5])
def test_who_says_where_to_look_is_found_at_the_keys_in_a_second_round(seed: int) -> None:
    study = induction(seed)
    blind = mw.search.cdt(study, rounds=1)
    assert SECOND in blind.nodes
    assert FIRST not in blind.nodes
    found = mw.search.cdt(study, sides=("key",), rounds=2)
    assert found.nodes == (FIRST, SECOND)
    assert found.targets == ("logits", "key 2")
    one, two = found.rounds
    assert (one.targets, one.found) == ((), (SECOND,))
    assert two.targets == (mw.Site("key", 1, head=0),)
    assert two.found == (FIRST,)
    assert found.pruned is not None
    assert found.pruned.faithfulness(found.pruned.after) == pytest.approx(1, abs=0.05)


def test_the_chain_behind_a_mover_is_followed_though_its_backup_hides_it_from_patching() -> None:
    study = mw.Study(mw.models.ioi_mini(), mw.models.ioi_mini_pairs()["flip"])
    heads = mw.models.ioi_mini_heads()
    mover, inhibition, duplicate = (
        heads[name] for name in ("name mover", "S-inhibition", "duplicate token")
    )
    found = mw.search.cdt(study, percentile=85)
    assert [one.found for one in found.rounds] == [(mover,), (inhibition,), (duplicate,)]
    assert found.nodes == (duplicate, inhibition, mover)
    exact = study.sweep("head", progress=False)["TIE"]
    assert exact[2, 0] == pytest.approx(0, abs=1e-3)
    # It writes the answer's logit on the clean prompt, and the wrong answer's on the corrupt one.
    assert found.score()[2, 0] == pytest.approx(2, abs=1e-3)
    # The backup does nothing there, so that nothing comes from it: which is its known miss.
    assert found.score()[3, 0] == pytest.approx(0, abs=1e-3)
    assert found.score()[3, 1] == pytest.approx(exact[3, 1], abs=1e-3)


def test_what_is_not_needed_is_pruned() -> None:
    study = induction()
    found = mw.search.cdt(study, percentile=50)
    assert found.nodes == (FIRST, SECOND)
    less = found.pruned
    assert less is not None
    all_found = {site for one in found.rounds for site in one.found}
    assert all_found == {*found.nodes, *less.dropped}
    assert len(less.dropped) >= 3
    everything = [mw.Site("head", layer, head=head) for layer in range(2) for head in range(5)]
    for nodes, value in ((all_found, less.before), (found.nodes, less.after), ((), less.empty)):
        run = mw.Run("clean", {s: mw.Patch("corrupt") for s in everything if s not in nodes})
        assert study.engine.evaluate([run]).values(study.metric)[0, 0] == pytest.approx(value)
    assert less.whole == pytest.approx(study.total["Y11"])
    assert mw.search.cdt(study, percentile=50, prune=None).nodes != found.nodes


def test_a_circuit_that_is_no_better_than_none_is_left_as_it_was() -> None:
    found = mw.search.cdt(induction(), sides=("query",), rounds=1)
    assert found.nodes == (SECOND,)
    assert found.pruned is not None
    assert found.pruned.faithfulness(found.pruned.before) < 0.05
    assert found.pruned.dropped == ()


def test_there_is_no_share_of_a_way_that_may_be_none() -> None:
    """Of every other pair the answers are exchanged, so that what is lost changes its sign."""
    lm = mw.load()
    pairs = list(mw.tasks.ioi(lm, n=8))
    turned = [replace(one, answer=one.wrong, wrong=one.answer) for one in pairs]
    less = mw.search.cdt(mw.Study(lm, [*pairs[::2], *turned[1::2]]), rounds=1)
    assert less.pruned is not None
    assert "95% interval" in less.pruned.refused
    assert np.isnan(less.pruned.faithfulness(less.pruned.after))
    assert "faithfulness" not in repr(less)
    assert f"{less.pruned.after:+.3f} logits" in repr(less)
    sure = mw.search.cdt(mw.Study(lm, pairs), rounds=1)
    assert sure.pruned is not None
    assert not sure.pruned.refused
    assert "faithfulness" in repr(sure)


def test_nothing_is_pruned_by_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the metric with and without what was searched differs in the last digits alone."""

    class Idle(NodeValues):
        def __call__(self, circuits: Any) -> np.ndarray:
            found = 3 + 1e-9 * np.arange(len(circuits))
            return np.repeat(found[:, None], len(self.study.contrast), axis=1)

    monkeypatch.setattr(contextual_pruning, "NodeValues", Idle)
    with pytest.raises(mw.MediationError, match="the same with and without"):
        mw.search.cdt(induction())


@pytest.mark.parametrize("pattern", ["split", "whole"])
def test_on_the_teaching_model_the_strongest_heads_are_those_of_patching(pattern: Any) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=8))
    score = mw.search.cdt(study, baseline="corrupt", pattern=pattern, rounds=1, prune=None).score()
    exact = study.sweep("head", progress=False)["TIE"]
    found, wanted = np.abs(score).reshape(-1), np.abs(exact).reshape(-1)
    assert overlap(found, wanted, 5) >= 0.6
    assert rank_correlations(found, wanted) > 0.7


def test_where_heads_change_places_their_scores_do() -> None:
    order = [2, 0, 1]
    study = study_of()
    moved: Any = random_model("gpt2")
    width = moved.config.n_embd // 3
    with torch.no_grad():
        for block in moved.transformer.h:
            qkv = block.attn.c_attn
            for part in (qkv.weight, qkv.bias):
                cut = part.unflatten(-1, (3, 3, width))[..., order, :].flatten(-3)
                part.copy_(cut.clone())
            out = block.attn.c_proj.weight
            out.copy_(out.unflatten(0, (3, width))[order].flatten(0, 1).clone())
    other = mw.Study(mw.load(moved, tokenizer=tokenizer_of("gpt2")), study.contrast)
    one, two = (mw.search.cdt(s, by="position", prune=None) for s in (study, other))
    np.testing.assert_allclose(two.score(), one.score()[:, order], atol=1e-10)
    assert {(s.layer, order[s.head or 0], s.position) for s in two.nodes} == {
        (s.layer, s.head, s.position) for s in one.nodes
    }


# --- what it says ---------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [None, "position", "role", {"late": (4, 5)}])
def test_scores_are_on_the_axes_of_a_sweep(by: Any) -> None:
    study = study_of()
    found = mw.search.cdt(study, ["head", "mlp_out"], by, rounds=2, prune=None)
    for kind in ("head", "mlp_out"):
        exact = study.sweep(kind, by, progress=False)
        axes = dict(found.axes[kind])
        assert axes.pop("target") == found.targets
        assert axes == dict(exact.axes)
        assert found.labels[kind] == exact.labels
        assert found.scores[kind].shape == (len(found.targets), *exact["TIE"].shape)
        alone = Decomposition(study.engine, [(s,) for s in found.sites[kind]], metric=study.metric)
        own = alone.contributions().metric
        np.testing.assert_allclose(found.pairs[kind][:, 0].reshape(own.shape), own, atol=1e-12)
    table = found.to_dataframe()
    n_sites = sum(map(len, found.sites.values()))
    assert len(table) == n_sites * len(found.targets)
    assert int(table["node"].sum()) == len(found.nodes) * len(found.targets)
    best = found.top(3)
    logits = table[table["target"] == "logits"]
    assert abs(best["score"][0]) == logits["score"].abs().max()


def test_the_sides_of_several_targets_are_added() -> None:
    study = study_of()
    found = mw.search.cdt(study, ("head", "mlp_out"), percentile=70, rounds=2, prune=None)
    targets = found.rounds[1].targets
    kinds = {target.mediator for target in targets}
    assert kinds == {"query", "key", "value", "mlp_out"}
    assert set(found.targets) == {"logits", *(f"{kind} 2" for kind in kinds)}
    sources = [(site,) for site in found.sites["head"]]
    each = Decomposition(study.engine, sources, targets).contributions().targets
    for kind in kinds:
        these = [i for i, target in enumerate(targets) if target.mediator == kind]
        wanted = each[:, these].sum(axis=1).mean(axis=0).reshape(5, 3)
        np.testing.assert_allclose(found.score("head", f"{kind} 2"), wanted, rtol=1e-9)


def test_what_was_found_goes_on() -> None:
    study = study_of()
    found = mw.search.cdt(study, ("embedding", "head", "mlp_out"), rounds=2)
    assert found.passes == 4
    assert found.forwards > 0
    assert found.seconds > 0
    assert f"{len(found.nodes)} of 21 nodes" in repr(found)
    assert "2 rounds" in repr(found)
    assert found.circuit().nodes == {s for s in found.nodes if s.mediator != "embedding"}
    assert mw.Circuit.from_json(found.circuit().to_json()) == found.circuit()
    scores = found.by_site()
    assert {site.mediator for site in scores} == {"head", "mlp_out"}
    curve = mw.evaluation.curve(study, scores, sizes=(0.5, 1.0))
    assert curve.f[-1] == pytest.approx(1.0)


def test_a_metric_that_is_not_linear_says_so() -> None:
    study = study_of()
    assert mw.search.cdt(study, rounds=1, prune=None).facts["read"] == "linear"
    study.metric = mw.Prob()
    assert mw.search.cdt(study, rounds=1, prune=None).facts["read"] == "slope at the clean prompt"


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kinds": "residual"}, "no such kinds"),
        ({"kinds": ()}, "no such kinds"),
        ({"sides": ("key", "pattern")}, "no such sides"),
        ({"baseline": "zero"}, "no such baseline"),
        ({"pattern": "half"}, "no such pattern"),
        ({"opposites": True}, "no such opposites"),
        ({"percentile": 100}, "percentile is out of range"),
        ({"rounds": 0}, "rounds is out of range"),
        ({"prune": -1}, "prune is out of range"),
        ({"by": "token"}, "by='token'"),
    ],
)
def test_settings_that_there_are_not(settings: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        mw.search.cdt(study_of(), **settings)


def test_models_and_pairs_that_cannot_be_searched() -> None:
    with pytest.raises(mw.MediationError, match="cannot be decomposed"):
        mw.search.cdt(mw.Study(lm_of("gpt_neox"), random_pair("gpt_neox", 0)))
    with pytest.raises(mw.MediationError, match="'mlp_out'"):
        mw.search.cdt(induction(), "mlp_out")
    lengths = [random_pair("gpt2", 0, length) for length in (6, 7)]
    with pytest.raises(mw.MediationError, match="one length"):
        mw.search.cdt(mw.Study(lm_of("gpt2"), lengths), by="position")
    found = mw.search.cdt(study_of(), rounds=1, prune=None)
    for wrong in (("neuron", "logits"), ("head", "key 2")):
        with pytest.raises(mw.MediationError, match="was not searched"):
            found.score(*wrong)


def test_pairs_alone_of_their_length_are_told_before_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [random_pair("gpt2", 0, length) for length in (6, 7)]
    study = mw.Study(lm_of("gpt2"), pairs)
    run, searched = Decomposition.contributions, list[Decomposition]()

    def watched(self: Decomposition) -> Any:
        searched.append(self)
        return run(self)

    monkeypatch.setattr(Decomposition, "contributions", watched)
    with pytest.raises(mw.MediationError, match="several prompts of one length") as caught:
        mw.search.cdt(study)
    assert not searched
    assert "prune=None" in caught.value.fix
    assert mw.search.cdt(study, prune=None).pruned is None
    assert mw.search.cdt(study, baseline="corrupt").pruned is not None
    assert searched
