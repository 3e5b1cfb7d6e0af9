"""Tables: in what order their rows are, what each column is of, and where they begin to exist."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mediawidget as mw
from mediawidget.effects import Effect
from mediawidget.errors import MediationError
from mediawidget.statistics import FEWEST, mean_interval, pairs_needed
from tests.core.noise import grid, templates

BREAKING, RESTORING = (0, 0), (1, 0)


def signed(n: int = 24, **more: Any) -> Effect:
    """The grid of noise, whose L0H0 restores by -6: the largest size and the least number."""
    effect = grid(n, **more)
    effect.edited[:, 1, *BREAKING, 0] -= 6.0
    return effect


def sizes_fall(column: pd.Series[float]) -> bool:
    numbers = np.abs(column.dropna().to_numpy())
    return bool((np.diff(numbers) <= 0).all())


# --- the strongest first ---------------------------------------------------------------------


def test_the_top_is_of_the_largest_size_whatever_its_sign() -> None:
    table = signed().top(3)
    assert list(table["site"][:2]) == ["L0H0", "L1H0"]
    assert table["PIE"].iloc[0] < 0 < table["PIE"].iloc[1]
    assert len(table) == 3


def test_the_top_is_of_what_is_asked_for() -> None:
    effect = signed()
    assert effect.top(by="TIE")["site"].iloc[0] == "L1H0"
    assert effect.top(1, by="PIE")["site"].iloc[0] == "L0H0"


def test_the_top_ends_with_what_was_not_run() -> None:
    table = signed().top()
    assert len(table) == 6
    assert table["site"].iloc[-1] == "L1H2"
    assert np.isnan(table["PIE"].iloc[-1])
    assert len(signed().top(0)) == 0


def test_ten_cells_are_the_top() -> None:
    wide = grid()
    many = Effect(
        axes={"layer": tuple(range(4)), "head": (0, 1, 2)},
        bases=wide.bases,
        edited=np.concatenate([wide.edited, wide.edited], axis=2),
        status=np.concatenate([wide.status, wide.status]),
        labels=tuple(f"L{layer}H{head}" for layer in range(4) for head in range(3)),
    )
    assert len(wide.top()) == 6
    assert len(many.top()) == 10


def test_what_was_picked_is_ordered_by_what_picked_it() -> None:
    effect = signed()
    table = effect.select_and_report("PIE", n=6, resamples=50)
    first, second = effect.split()
    assert sizes_fall(table["picked"])
    assert "L1H2" not in set(table["site"]), "a cell that was not run cannot be picked"
    assert set(table["n"]) == {second.n_pairs}
    row = table.iloc[0]
    assert (row["site"], row["picked"]) == ("L0H0", pytest.approx(first["PIE"][BREAKING]))
    assert row["mean"] == pytest.approx(second["PIE"][BREAKING])
    assert row["low"] < row["mean"] < row["high"] < 0


# --- the least that they take ----------------------------------------------------------------


def test_two_pairs_have_halves_and_one_has_none() -> None:
    first, second = grid(2).split()
    assert (first.n_pairs, second.n_pairs) == (1, 1)
    with pytest.raises(MediationError, match="Halves"):
        grid(1).split()


def test_halves_that_report_have_several_pairs() -> None:
    least = 2 * FEWEST - 1
    assert len(grid(least).select_and_report("PIE", n=2, resamples=50)) == 2
    with pytest.raises(MediationError, match=f"at least {least}"):
        grid(least - 1).select_and_report("PIE", resamples=50)


@pytest.mark.parametrize("index", [24, -1, True, 1.0, "1"])
def test_a_pair_that_there_is_not(index: Any) -> None:
    with pytest.raises(MediationError, match=r"0 to 23") as caught:
        grid().pair(index)
    assert repr(index) in str(caught.value)


def test_the_last_pair_is_a_pair() -> None:
    effect = grid()
    np.testing.assert_array_equal(effect.pair(23).pairs("PIE")[0], effect.pairs("PIE")[23])


# --- what stands for what is not said --------------------------------------------------------


def test_seed_0_and_2000_resamples_are_meant_where_nothing_is_said() -> None:
    effect = grid(12)
    said = {"level": 0.95, "resamples": 2000, "seed": 0}
    np.testing.assert_array_equal(
        effect.normalized_ci("PIE"),
        effect.normalized_ci("PIE", **said),  # type: ignore[arg-type]
    )
    assert not np.array_equal(
        effect.normalized_ci("PIE"), effect.normalized_ci("PIE", seed=1), equal_nan=True
    )
    pd.testing.assert_frame_equal(effect.interaction(), effect.interaction(**said))  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(
        effect.select_and_report("PIE"),
        effect.select_and_report("PIE", 10, **said),  # type: ignore[arg-type]
    )


def test_each_cell_has_its_own_spread() -> None:
    effect = grid()
    table = effect.interaction(resamples=50).set_index("site")
    own = effect.pairs("INT").reshape(24, -1)
    np.testing.assert_allclose(table["sd"], own.std(axis=0, ddof=1))


def test_a_group_has_its_own_mean_and_interval() -> None:
    effect = grid(groups=("a",) * 12 + ("b",) * 12)
    table = effect.by_group("PIE", resamples=50)
    assert list(table.index) == list(range(12))
    part = effect.of_pairs(range(12, 24))
    rows = table[table["group"] == "b"]
    np.testing.assert_allclose(rows["mean"], part["PIE"].reshape(-1))
    low, high = part.ci("PIE", resamples=50).reshape(2, -1)
    np.testing.assert_array_equal(rows["low"], low)
    np.testing.assert_array_equal(rows["high"], high)


def test_as_many_pairs_are_needed_as_each_cluster_has_times_the_clusters() -> None:
    shared = grid(24, clusters=templates(24, 3))
    means = shared.pairs("PIE").reshape(8, 3, 6).mean(axis=1)
    for alpha in (0.05, 0.01):
        needed = shared.pairs_needed("PIE", 0.5, alpha=alpha).reshape(6)
        np.testing.assert_array_equal(needed, np.ceil(3 * pairs_needed(means, 0.5, alpha=alpha)))
    strict = shared.pairs_needed("PIE", 0.5, alpha=0.01)[RESTORING]
    assert strict > shared.pairs_needed("PIE", 0.5)[RESTORING]


# --- games and doses -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=4))


def test_dividends_are_of_every_set_but_the_empty_one(study: mw.Study) -> None:
    sites = [mw.Site("head", layer, head=head) for layer, head in ((0, 0), (3, 0), (3, 1))]
    game = mw.interactions(study, sites, progress=False)
    table = game.dividends()
    assert len(table) == 2**3 - 1
    assert sorted(table["size"]) == [1, 1, 1, 2, 2, 2, 3]
    assert list(table.index) == list(range(7))
    assert sizes_fall(table["dividend"])
    assert (table["dividend"] < 0).any(), "else the order of numbers would be that of sizes"
    whole = game.group(range(3)).pairs("PIE").mean()
    assert table["dividend"].sum() == pytest.approx(whole)
    single = table.set_index("players").loc[game.labels[0], "dividend"]
    assert single == pytest.approx(game.worth([0]).mean())
    pairs = game.to_dataframe()
    assert sizes_fall(pairs["INT"])
    assert list(pairs.index) == list(range(len(pairs)))


def test_a_dose_has_its_interval_over_clusters(study: mw.Study) -> None:
    drawn = enumerate(mw.tasks.ioi(study.lm, n=8))
    pairs = [replace(pair, template=f"t{i // 2}") for i, pair in drawn]
    shared = mw.Study(study.lm, pairs)
    curve = mw.dose_curve(shared, mw.Site("head", 3, head=1), np.array([0.5]), progress=False)
    table = curve.to_dataframe()
    assert list(table.index) == list(range(len(table)))
    assert curve.alphas == (0.5, 1.0)
    rows = table[table["quantity"] == "PIE"]
    low, high = mean_interval(curve.pairs("PIE"), curve.effect.clusters, 0.95)
    np.testing.assert_array_equal(rows["low"], low)
    np.testing.assert_array_equal(rows["high"], high)
    apart = mean_interval(curve.pairs("PIE"), (), 0.95)
    assert not np.array_equal(apart[0], low), "the clusters make a difference here"
