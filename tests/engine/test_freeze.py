"""What is frozen keeps the base's values; what is not is recomputed. The two are different."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.runs import Freeze
from tests.engine.cases import Case, lm_of
from tests.engine.judging import Judge, compare, judge, pairs_of

KINDS = ("gpt2", "llama", "gpt_neox", "gemma2")
EARLY = mw.Site("head", 0, head=1)
LATE = mw.Site("head", 2, head=0)


@lru_cache
def made(kind: str) -> tuple[Case, Judge]:
    return judge(kind, pairs_of(kind, 2, 7))


def kinds_to_freeze(kind: str) -> list[Freeze]:
    lm = lm_of(kind)
    names = ["head", "mlp_out", "attn_out", "query", "key", "value", "pattern", "neuron"]
    names += ["residual_mid", "mlp_unit"]
    one: list[Freeze] = [n for n in names if lm.has(mw.mediators.MEDIATORS[n])]
    return [
        *one,
        ("head", "mlp_out"),
        ("query", "key"),
        mw.Site("mlp_out", 2),
        (mw.Site("head", 2, head=2, position=(3, 6)), "neuron"),
        (mw.Site("residual", 3, position=5), mw.Site("pattern", 1, head=0, position=6)),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_frozen_runs_are_the_oracles(kind: str) -> None:
    case, oracle = made(kind)
    edits: list[dict[mw.Site, mw.Edit]] = [
        {EARLY: mw.Patch()},
        {EARLY: mw.Zero(), LATE: mw.Patch()},
        {mw.Site("residual", 1, position=4): mw.Scale(0.5)},
    ]
    runs = [
        mw.Run(base, edit, freeze)
        for freeze in kinds_to_freeze(kind)
        for edit in edits
        for base in BASES
    ]
    frozen = compare(case, oracle, runs, some=[1]).kept
    free = case.study.engine.evaluate([mw.Run(run.base, dict(run.edits)) for run in runs]).kept
    assert (np.abs(frozen - free).max(axis=(1, 2)) > 1e-4).mean() > 0.8


def test_the_rest_of_a_place_is_frozen_around_an_edit() -> None:
    """A coordinate of a frozen MLP, an edge of a frozen pattern: the others are held."""
    case, oracle = made("gpt2")
    edge = mw.Site("edge", 2, head=1, position=5, key=(2, 3))
    runs = [
        mw.Run("clean", {EARLY: mw.Patch(), mw.Site("mlp_unit", 2, unit=3): mw.Zero()}, "mlp_out"),
        mw.Run("clean", {EARLY: mw.Patch(), edge: mw.Zero()}, "pattern"),
        mw.Run("clean", {EARLY: mw.Patch(), LATE: mw.Scale(2.0)}, "head"),
        mw.Run("clean", {mw.Site("query", 1, head=1): mw.Patch()}, ("query", "key", "value")),
        mw.Run("clean", {mw.Site("embedding_unit", 0, unit=2): mw.Zero()}, "embedding"),
    ]
    compare(case, oracle, runs)


def test_what_is_named_twice_is_frozen_once() -> None:
    case, oracle = made("gpt2")
    twice: list[Freeze] = [
        ("head", LATE),
        ("residual", "residual_post"),
        ("mlp_out", "mlp_unit"),
        (LATE, mw.Site("head", 2, head=0, position=4)),
    ]
    compare(case, oracle, [mw.Run("clean", {EARLY: mw.Patch()}, freeze) for freeze in twice])


def test_a_knocked_out_edge_of_a_frozen_pattern() -> None:
    """It would come back with the pattern, so it is refused; cut after the softmax it is not."""
    engine = made("gpt2")[0].study.engine
    edge = mw.Site("edge", 2, head=1, position=5, key=2)
    with pytest.raises(mw.MediationError, match="knocked out of a pattern that is frozen"):
        engine.evaluate([mw.Run("clean", {edge: mw.Knockout()}, "pattern")])
    engine.evaluate([mw.Run("clean", {edge: mw.Knockout()}, mw.Site("pattern", 1, head=0))])
    with pytest.raises(mw.MediationError, match="Edges are frozen as patterns"):
        mw.Run("clean", {edge: mw.Zero()}, "edge")


def test_frozen_sweeps_and_clicks() -> None:
    """Through the study: the effect says so, and its checks hold."""
    case, oracle = made("llama")
    held = ("head", "mlp_out")
    effect = case.study.sweep("head", freeze=held)
    assert effect.facts["downstream"] == "frozen: head, mlp_out"
    assert not [check for check in effect.checks[1:] if check.ok is False]
    for b, base in enumerate(BASES):
        for layer, head in ((0, 5), (3, 2)):
            run = mw.Run(base, {mw.Site("head", layer, head=head): mw.Patch()}, held)
            np.testing.assert_allclose(
                effect.edited[1, b, layer, head], oracle.judged(run, 1), atol=1e-9
            )
    clicked = case.study.intervene(mw.Site("head", 3, head=2), freeze=held)
    np.testing.assert_allclose(clicked.edited, effect.edited[:, :, 3, 2], atol=1e-9)
    free = case.study.sweep("head")
    assert free.facts["downstream"] == "recomputed"
    # With all that follows held, heads reach the logits by the stream alone, added up: without a
    # norm it would be exact. In the last layer nothing follows but the MLP, so both are alike.
    assert np.abs(free["TIE"] - effect["TIE"])[:-1].max() > 0.1


# --- the induction circuit: identity 9 --------------------------------------------------------

PREV, IND = mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)


def games(freeze: Freeze) -> dict[str, float]:
    """v(S) on the corrupt prompt, logit difference less the corrupt prompt's."""
    study = mw.Study(mw.models.induction(beta=20.0), mw.models.induction_pairs()["key swap"])
    players = {"": [], "prev": [PREV], "ind": [IND], "both": [PREV, IND]}
    runs = [mw.Run("corrupt", dict.fromkeys(s, mw.Patch()), freeze) for s in players.values()]
    kept = study.engine.evaluate(runs).kept[:, 0]
    y = kept[:, 0] - kept[:, 1]
    return dict(zip(players, (y - y[0]).tolist(), strict=True))


def test_recomputed_the_first_head_does_it_all() -> None:
    """Key swap: TE is 2, and each head, or both, brings all of it."""
    game = games(())
    assert game == pytest.approx({"": 0, "prev": 2, "ind": 2, "both": 2}, abs=1e-7)
    # Moebius: the joint dividend takes back what the two share.
    assert game["both"] - game["prev"] - game["ind"] == pytest.approx(-2, abs=1e-7)


def test_frozen_the_first_head_does_nothing() -> None:
    """It reaches the logits through the second one alone, and that is held."""
    game = games("head")
    assert game == pytest.approx({"": 0, "prev": 0, "ind": 2, "both": 2}, abs=1e-7)
    assert game["both"] - game["prev"] - game["ind"] == pytest.approx(0, abs=1e-7)
