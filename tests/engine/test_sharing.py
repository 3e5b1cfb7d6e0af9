"""Runs that begin alike share a row until they part, and nothing about their numbers changes."""

from __future__ import annotations

from functools import lru_cache
from itertools import chain, combinations

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES
from tests.engine.cases import Case
from tests.engine.judging import Judge, compare, judge, pairs_of

KINDS = ("gpt2", "llama", "olmo2")
PLAYERS = (
    mw.Site("head", 0, head=1),
    mw.Site("mlp_out", 1, position=5),
    mw.Site("key", 2, head=0),
    mw.Site("head", 2, head=2, position=(3, 6)),
    mw.Site("residual", 3, position=4),
)


@lru_cache
def made(kind: str, n: int = 1) -> tuple[Case, Judge]:
    return judge(kind, pairs_of(kind, n, 7))


def subsets(players: tuple[mw.Site, ...]) -> list[tuple[mw.Site, ...]]:
    sizes = range(len(players) + 1)
    return list(chain.from_iterable(combinations(players, size) for size in sizes))


def rows_of(case: Case, runs: list[mw.Run]) -> int:
    """Rows of the batch beyond the two prompts', for one pair."""
    outcomes = case.study.engine.evaluate(runs)
    assert outcomes.passes == 1
    return int(outcomes.rows) - 2


@pytest.mark.parametrize("kind", KINDS)
def test_all_subsets_of_sites_over_layers(kind: str) -> None:
    case, oracle = made(kind)
    runs = [mw.Run("corrupt", dict.fromkeys(some, mw.Patch())) for some in subsets(PLAYERS)]
    outcomes = compare(case, oracle, runs)
    assert len(np.unique(outcomes.kept[:, 0, 0].round(6))) > 24
    # The empty set is its base: every other subset ends in a row of its own.
    assert rows_of(case, runs) == 2 ** len(PLAYERS) - 1


def test_the_order_of_runs_and_of_edits_does_not_matter() -> None:
    case, _ = made("gpt2")
    runs = [mw.Run("corrupt", dict.fromkeys(some, mw.Zero())) for some in subsets(PLAYERS)]
    kept = case.study.engine.evaluate(runs).kept
    turned = [mw.Run("corrupt", dict(reversed(run.edits))) for run in reversed(runs)]
    again = case.study.engine.evaluate(turned).kept[::-1]
    np.testing.assert_allclose(kept, again, atol=1e-9, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_windows_share_the_layers_they_begin_with(kind: str) -> None:
    case, oracle = made(kind)
    sites = [mw.Site("attn_out", layer) for layer in range(4)]
    # All windows that begin at layer 0 are one row until they part.
    runs = [
        mw.Run(base, dict.fromkeys(sites[:n], mw.Zero())) for n in (1, 2, 3, 4) for base in BASES
    ]
    compare(case, oracle, runs)
    assert rows_of(case, runs) == 8
    effect = case.study.sweep("attn_out", window=3, edit=mw.Zero())
    stop = case.oracle.n_layers
    for layer in range(stop):
        window = range(max(0, layer - 1), min(stop, layer + 2))
        run = mw.Run("clean", {mw.Site("attn_out", at): mw.Zero() for at in window})
        np.testing.assert_allclose(effect.edited[0, 0, layer], oracle.judged(run), atol=1e-9)


def test_the_same_run_twice_is_one_row() -> None:
    case, oracle = made("gpt2")
    run = mw.Run("corrupt", {PLAYERS[0]: mw.Patch(), PLAYERS[2]: mw.Noise(seed=3)})
    same = mw.Run("corrupt", {PLAYERS[2]: mw.Noise(seed=3), PLAYERS[0]: mw.Patch("clean")})
    other = mw.Run("corrupt", {PLAYERS[0]: mw.Patch(), PLAYERS[2]: mw.Noise(seed=4)})
    alone, three = (case.study.engine.evaluate(some) for some in ([run], [run, same, run]))
    np.testing.assert_array_equal(three.kept[0], three.kept[1])
    np.testing.assert_array_equal(three.kept[0], three.kept[2])
    np.testing.assert_array_equal(three.fired[0], three.fired[1])
    assert three.rows == alone.rows
    # Another draw parts where it is drawn; but a run and its base, and two bases, never meet.
    more = case.study.engine.evaluate([run, other])
    assert more.rows == alone.rows + 1
    compare(case, oracle, [run, other, mw.Run("clean", dict(run.edits))])


def test_a_lender_that_is_asked_for_has_one_row() -> None:
    case, oracle = made("gpt2")
    lender = mw.Run("clean", {PLAYERS[0]: mw.Zero()})
    borrower = mw.Run("corrupt", {PLAYERS[4]: mw.Patch(lender)})
    compare(case, oracle, [lender, borrower])
    # The borrower goes on from its base; the lender's row is there anyway.
    assert rows_of(case, [lender]) == 1
    assert rows_of(case, [lender, borrower]) == 2
    np.testing.assert_allclose(
        case.study.engine.evaluate([borrower]).kept[0],
        case.study.engine.evaluate([borrower, lender]).kept[0],
        atol=1e-9,
    )


def test_nothing_to_do_is_not_done() -> None:
    """Runs that are their base by construction cost no row, and say so."""
    case, oracle = made("gpt2")
    nothing = [
        mw.Run("clean"),
        mw.Run("corrupt", {mw.Site("head", 1, head=0, position=2): mw.Patch()}),
        mw.Run("clean", {mw.Site("mlp_out", 4, position=3): mw.Zero()}),
    ]
    outcomes = compare(case, oracle, nothing)
    assert outcomes.implied.all()
    assert rows_of(case, nothing) == 0
    # But one that takes its value from a run that did change is something.
    changed = mw.Run("clean", {mw.Site("residual", 0, position=1): mw.Zero()})
    site = mw.Site("head", 1, head=0, position=2)
    outcomes = compare(case, oracle, [mw.Run("clean", {site: mw.Patch(changed)})])
    assert not outcomes.implied.any()
    assert outcomes.fired[0, 0] > 0.01


@pytest.mark.parametrize("bands", [1, 64])
def test_sharing_across_bands_of_positions(bands: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0)
    monkeypatch.setattr("mediawidget.chunks.BAND_TOKENS", bands)
    case, oracle = made("llama", 2)
    late = [mw.Site("head", 1, head=0, position=p) for p in range(3, 7)]
    late += [mw.Site("mlp_out", 3, position=p) for p in range(3, 7)]
    runs = [
        mw.Run(base, dict.fromkeys(some, mw.Patch()))
        for some in combinations(late, 2)
        for base in BASES
    ]
    outcomes = case.study.engine.evaluate(runs)
    assert outcomes.passes > 1
    compare(case, oracle, runs, some=[1])


def test_few_rows_at_a_time() -> None:
    """A small budget cuts runs into chunks; each brings its own lenders."""
    case, oracle = made("gpt2", 3)
    lenders = [mw.Run("clean", {mw.Site("head", 0, head=h): mw.Zero()}) for h in range(3)]
    runs = [
        mw.Run("corrupt", {mw.Site("mlp_out", layer): mw.Patch(lender)})
        for layer in range(1, 5)
        for lender in lenders
    ]
    whole = case.study.engine.evaluate(runs)
    small = type(case.study.engine)(case.lm, case.study.token_pairs, budget=1)
    with pytest.warns(UserWarning, match="more than the budget of 0 MiB"):
        parts = small.evaluate(runs)
    assert parts.passes > whole.passes
    np.testing.assert_allclose(parts.kept, whole.kept, atol=1e-9, rtol=0)
    np.testing.assert_allclose(parts.fired, whole.fired, atol=1e-9, rtol=0)
    compare(case, oracle, runs[::4], some=[2])


@pytest.mark.parametrize(("pays", "passes"), [(0, 2), (1, 1)])
def test_a_band_is_cut_off_only_where_its_prefix_saves_more_than_a_pass(
    pays: int, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Heads of the last block change the last position alone, and pass through no other block."""
    case, oracle = made("gpt2", 1)
    n, frame = len(case.study.token_pairs[0]), case.study.engine.groups[0].frame
    last = case.lm.n_layers - 1
    runs = [
        mw.Run("corrupt", {mw.Site("head", layer, head=0): mw.Patch()}) for layer in range(last + 1)
    ]
    saved = (n - 1 - frame.first_difference) / case.lm.n_layers
    monkeypatch.setattr("mediawidget.chunks.BAND_TOKENS", 1)
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", pays * (saved + 0.01))
    outcomes = case.study.engine.evaluate(runs)
    assert outcomes.passes == passes
    compare(case, oracle, runs)
