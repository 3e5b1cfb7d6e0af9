"""The engine against one plain forward pass per cell, on random models with large effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from tests.engine.cases import (
    BASES,
    Case,
    case,
    edit_of,
    expected_status,
    how_on,
    oracle_edited,
    random_pair,
)
from tests.small_models import KINDS

MEDIATORS = ("head", "residual", "attn_out", "mlp_out")
EXACT, IMPLIED_ZERO = 1, 3


@pytest.fixture(params=["prefix reused", "prefix recomputed"])
def prefix(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases are never worth the reuse of a prefix, so it is forced here, and forbidden."""
    pays = 0 if request.param == "prefix reused" else 10**9
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", pays)


def compare(
    case_: Case, mediator: str, by: str | None = None, how: str = "patch", index: int = 0
) -> mw.Effect:
    """Assert that a sweep agrees with the oracle in all three kept numbers on both bases."""
    effect = case_.study.sweep(mediator, by=by, edit=edit_of(how))
    bases = [case_.oracle.run(base, index=index) for base in BASES]
    np.testing.assert_allclose(effect.bases[index], bases, atol=case_.tolerance, rtol=0)
    expected = oracle_edited(case_, mediator, by, how, index)
    assert effect.edited[index].shape == expected.shape
    np.testing.assert_allclose(effect.edited[index], expected, atol=case_.tolerance, rtol=0)
    return effect


@pytest.mark.parametrize("kind", KINDS)
def test_the_cases_are_hard(kind: str) -> None:
    """Small effects would let a wrong engine pass, so the random models must show large ones."""
    effect = case(kind, [random_pair(kind, 0)]).study.sweep("head")
    for key in ("TIE", "PIE", "INT"):
        assert np.abs(effect[key]).max() > 1.0
        assert (np.abs(effect[key]) > 0.05).mean() > 0.5
    assert (effect["TIE"] < -0.05).any()
    assert (effect["TIE"] > 0.05).any()


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_grid_in_both_directions(kind: str, mediator: str) -> None:
    case_ = case(kind, [random_pair(kind, 1, length=9, first=4, changes=2)])
    effect = compare(case_, mediator)
    assert tuple(effect.axes) == (("layer", "head") if mediator == "head" else ("layer",))
    assert (effect.status == EXACT).all()


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_grid_by_position(kind: str, mediator: str) -> None:
    case_ = case(kind, [random_pair(kind, 2, length=7, first=3)])
    effect = compare(case_, mediator, by="position")
    assert tuple(effect.axes)[-1] == "position"
    np.testing.assert_array_equal(effect.status, expected_status(case_, mediator, 7, first=3))


@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_implied_zeros_are_zeros(kind: str, mediator: str) -> None:
    """Where nothing ran the status says so, the effect is 0, and the oracle, which ran, agrees."""
    case_ = case(kind, [random_pair(kind, 3, length=6, first=4)])
    effect = case_.study.sweep(mediator, by="position")
    implied = effect.status == IMPLIED_ZERO
    assert implied[..., :4].all()
    for key in ("TIE", "PIE", "INT"):
        assert (effect[key][implied] == 0).all()
        assert np.abs(effect[key][~implied]).max() > 0.01
    ran = oracle_edited(case_, mediator, by="position")
    bases = [case_.oracle.run(base) for base in BASES]
    for row, base in enumerate(bases):
        moved = np.abs(ran[row] - base).max(-1)
        assert moved[implied].max() < case_.tolerance
        # At layer 0 the tokens after the first difference are the same again, later on not.
        assert (moved[~implied] > case_.tolerance).mean() > 0.8


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_single_precision_too(kind: str, dtype: torch.dtype) -> None:
    case_ = case(kind, [random_pair(kind, 4, length=6, first=2)], dtype)
    compare(case_, "head")
    compare(case_, "residual", by="position")


@pytest.mark.parametrize("first", [0, 1, 6, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_wherever_the_prompts_part(kind: str, first: int) -> None:
    """At the first token, the second, the last but one and the last of eight."""
    if kind == "llama" and first == 0:
        first = 2  # its first token is the same <s> in every prompt
    case_ = case(kind, [random_pair(kind, 5, length=8, first=first)])
    compare(case_, "head")
    compare(case_, "attn_out", by="position")


def several(kind: str, lengths: tuple[int, ...]) -> list[mw.PromptPair]:
    firsts = (2, 1, 4, 5, 3, 2)
    return [
        random_pair(kind, 10 + i, length=length, first=firsts[i], changes=1 + i % 2)
        for i, length in enumerate(lengths)
    ]


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_contrast_of_several_lengths(kind: str, mediator: str) -> None:
    """Every pair keeps its own numbers, in the contrast's order, whatever it ran beside."""
    case_ = case(kind, several(kind, (6, 8, 6, 7, 8)))
    effect = case_.study.sweep(mediator)
    assert effect.n_pairs == 5
    for index in range(5):
        compare(case_, mediator, index=index)
    expected = np.mean([effect.pairs("PIE")[i] for i in range(5)], axis=0)
    np.testing.assert_allclose(effect["PIE"], expected, atol=1e-12)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("kind", KINDS)
def test_contrast_by_position(kind: str) -> None:
    """First differences at 2, 1 and 4: no pair may borrow another's implied zeros."""
    case_ = case(kind, several(kind, (6, 6, 6)))
    for index in range(3):
        compare(case_, "residual", by="position", index=index)
        compare(case_, "mlp_out", by="position", index=index)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("how", ["zero", "mean"])
@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_zero_and_mean_on_both_bases(kind: str, mediator: str, how: str) -> None:
    case_ = case(kind, several(kind, (6, 6, 6)))
    for index in (0, 2):
        effect = compare(case_, mediator, how=how, index=index)
        for base, key in zip(BASES, ("clean", "corrupt"), strict=True):
            row = BASES.index(base)
            whole = case_.study.metric(effect.bases[:, row])
            done = case_.study.metric(effect.edited[:, row])
            rest = (1,) * (done.ndim - 1)
            np.testing.assert_allclose(
                effect.pairs(key), whole.reshape(-1, *rest) - done, atol=1e-12
            )


def sites(kind: str, length: int) -> st.SearchStrategy[mw.Site]:
    n_heads = {"gpt2": 3, "llama": 6}[kind]
    where = st.one_of(
        st.none(),
        st.integers(0, length - 1),
        st.lists(st.integers(0, length - 1), min_size=2, max_size=3, unique=True).map(tuple),
    )

    def at(mediator: str) -> st.SearchStrategy[mw.Site]:
        last = 5 if mediator == "residual" else 4
        head = st.integers(0, n_heads - 1) if mediator == "head" else st.none()
        return st.builds(mw.Site, st.just(mediator), st.integers(0, last), head, where)

    return st.sampled_from(MEDIATORS).flatmap(at)


PAIRS = 3
LENGTH = 6
HOW = ("clean", "corrupt", "zero", "mean:clean", "mean:corrupt")
EDITS = {
    "clean": mw.Patch("clean"),
    "corrupt": mw.Patch("corrupt"),
    "zero": mw.Zero(),
    "mean:clean": mw.Mean("clean"),
    "mean:corrupt": mw.Mean("corrupt"),
}


def joint_runs(kind: str) -> st.SearchStrategy[list[tuple[str, dict[mw.Site, str]]]]:
    """Runs on either base with up to four sites, no place set twice."""
    edits = st.lists(
        st.tuples(sites(kind, LENGTH), st.sampled_from(HOW)),
        max_size=4,
        unique_by=lambda item: (item[0].mediator, item[0].layer, item[0].head),
    ).map(dict)
    return st.lists(st.tuples(st.sampled_from(BASES), edits), min_size=1, max_size=6)


@pytest.mark.usefixtures("prefix")
@pytest.mark.parametrize("kind", KINDS)
def test_joint_runs_over_layers(kind: str) -> None:
    """Any sites together, any mixture of edits, all runs in one call."""
    case_ = case(kind, several(kind, (LENGTH,) * PAIRS))

    @settings(max_examples=25, deadline=None, derandomize=True, database=None)
    @given(joint_runs(kind))
    def check(drawn: list[tuple[str, dict[mw.Site, str]]]) -> None:
        runs = [
            mw.Run(base, {site: EDITS[how] for site, how in edits.items()})  # type: ignore[arg-type]
            for base, edits in drawn
        ]
        outcomes = case_.study.engine.evaluate(runs)
        assert outcomes.kept.shape == (len(runs), PAIRS, 3)
        for i, (base, edits) in enumerate(drawn):
            for index in range(PAIRS):
                expected = case_.oracle.edited(base, edits, index)
                np.testing.assert_allclose(
                    outcomes.kept[i, index], expected, atol=case_.tolerance, rtol=0
                )

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_joint_patch_through_the_study(kind: str) -> None:
    """A basket of sites is one intervention with four corners, not a sum of single ones."""
    case_ = case(kind, [random_pair(kind, 6, length=7, first=2)])
    basket = [
        mw.Site("head", 1, head=0),
        mw.Site("head", 3, head=2),
        mw.Site("mlp_out", 2, position=6),
        mw.Site("residual", 4, position=(3, 4)),
    ]
    effect = case_.study.intervene(basket)
    corners = case_.oracle.corners(basket)
    for key, kept in corners.items():
        assert effect[key] == pytest.approx(kept[0] - kept[1], abs=case_.tolerance)
    alone = [case_.study.intervene([site])["TIE"] for site in basket]
    assert abs(sum(alone) - effect["TIE"]) > 0.01


@pytest.mark.parametrize("how", ["zero", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_intervene_with_other_edits(kind: str, how: str) -> None:
    case_ = case(kind, several(kind, (6, 6)))
    edits = {mw.Site("head", 1, head=1): edit_of(how), mw.Site("mlp_out", 3): edit_of(how)}
    effect = case_.study.intervene(edits)
    for base in BASES:
        expected = []
        for index in range(2):
            done = case_.oracle.edited(base, {site: how_on(how, base) for site in edits}, index)
            plain = case_.oracle.run(base, index=index)
            expected.append((plain[0] - plain[1]) - (done[0] - done[1]))
        np.testing.assert_allclose(effect.pairs(base), expected, atol=case_.tolerance)
        assert effect[base] == pytest.approx(np.mean(expected), abs=case_.tolerance)


METRICS: dict[str, Any] = {
    "LogitDiff": lambda kept: kept[0] - kept[1],
    "Logit": lambda kept: kept[0],
    "LogProb": lambda kept: kept[0] - kept[2],
    "Prob": lambda kept: np.exp(kept[0] - kept[2]),
}


@pytest.mark.parametrize("name", METRICS)
def test_metrics(name: str) -> None:
    pair = random_pair("gpt2", 7)
    case_ = case("gpt2", [pair])
    study = mw.Study(case_.lm, pair, metric=getattr(mw, name)())
    effect = study.sweep("head")
    expected = case_.oracle.corners(mw.Site("head", 2, head=1))
    for key, kept in expected.items():
        value = np.broadcast_to(effect[key], (5, 3))[2, 1]
        assert value == pytest.approx(METRICS[name](kept), abs=1e-9)
    rescored = case_.study.sweep("head").rescore(getattr(mw, name)())
    np.testing.assert_allclose(rescored["TIE"], effect["TIE"], atol=1e-12)
