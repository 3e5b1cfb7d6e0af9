"""What is said of pairs, where the pairs are few enough to be worked out or to lie on an edge."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats

import mediawidget as mw
from mediawidget.effects import Effect
from mediawidget.errors import MediationError
from mediawidget.statistics import resample_weights
from tests.core.noise import STRONG, grid

Array = NDArray[np.float64]


def effect(total: Any, tie: Any, pie: Any, **more: Any) -> Effect:
    """Total effects (pair,), and TIE and PIE (pair, cell), from a corrupt run of 2."""
    te, wide = np.asarray(total, dtype=float), np.broadcast_shapes(np.shape(tie), np.shape(pie))
    bases, edited = np.zeros((len(te), 2, 3)), np.zeros((len(te), 2, wide[-1], 3))
    bases[:, 0, 0] = te
    edited[:, 0, :, 0] = te[:, None] - tie
    edited[:, 1, :, 0] = pie
    bases[..., 0] += 2
    edited[..., 0] += 2
    axes = {"unit": tuple(range(wide[-1]))}
    status = np.ones(wide[-1], dtype=np.uint8)
    return Effect(axes, bases, edited, status, **{"metric": mw.Logit(), **more})


# --- interactions --------------------------------------------------------------------------------


def test_rules_of_thumb_are_about_more_than_a_half_and_a_hundredth() -> None:
    """Shares 1/2, 2/3, -1/2 and -2/3 of a TE of 4; INT of 1/100, then 2/100 of a TE of 100."""
    tie, pie = [[2.0, 3, 1, 1]] * 4, [[1.0, 1, 2, 3]] * 4
    table = effect([4] * 4, tie, pie).interaction(resamples=20)
    np.testing.assert_allclose(table["share"], [1 / 2, 2 / 3, -1 / 2, -2 / 3])
    assert table["flagged"].tolist() == [False, True, False, True]
    table = effect([100] * 4, [[1.0, 2, 0, 0]] * 4, [[0.0, 0, 1, 2]] * 4).interaction(resamples=20)
    assert table["flagged"].tolist() == [False, True, False, True]


def test_an_interaction_that_may_be_0_is_not_flagged() -> None:
    spread = np.array([-0.8, -0.5, -0.3, 0.1, 0.3, 0.5])[:, None]
    table = effect([1] * 6, np.hstack([spread, -spread]), np.zeros((6, 2))).interaction()
    assert ((table["low"] < 0) & (table["high"] > 0) & (table["high"] < 1)).all()
    np.testing.assert_array_equal(table["share"], [-1, 1])
    assert not table["flagged"].any()


# --- rounding ------------------------------------------------------------------------------------


def test_rounding_is_of_the_cell_s_own_largest_run() -> None:
    """Runs of a billion know no tenth; a cell of small runs beside them keeps its own."""
    spread = np.array([[0.1], [0.2], [0.3], [0.2]])
    tie, pie = np.hstack([spread - 1e9, spread]), np.hstack([np.full((4, 1), -1e9), spread])
    found = effect([1] * 4, tie, pie)
    assert (found.pairs("INT")[:, 0] > 0.05).all()
    np.testing.assert_array_equal(found.ci("INT")[:, 0], [0, 0])
    assert found.interaction(resamples=20)["INT"].tolist() == [0, 0]
    low, high = found.ci("PIE")[:, 1]
    assert 0.1 <= low < 0.2 < high <= 0.3
    np.testing.assert_array_equal(found.cell(0).ci("INT"), [0, 0])


# --- orders --------------------------------------------------------------------------------------


def ordered(slope: float, clusters: tuple[str, ...] = ()) -> Effect:
    """Eight cells far from 0 whose TIE follows their PIE, up or down, with noise over 12 pairs."""
    rng = np.random.default_rng(4)
    pie = 10 + np.arange(8) + 4 * rng.normal(size=(12, 8))
    tie = 40 + slope * np.arange(8) + 4 * rng.normal(size=(12, 8))
    return effect([4] * 12, tie, pie, clusters=clusters)


@pytest.mark.parametrize("slope", [1.0, -1.0, -3.0])
@pytest.mark.parametrize("each", [1, 3])
def test_an_order_s_interval_is_as_wide_as_its_farther_percentile(slope: float, each: int) -> None:
    """Every resample by itself, its pairs written out, its correlation scipy's."""
    n = 12 // each
    found = ordered(slope, tuple(f"t{i // each}" for i in range(12)) if each > 1 else ())
    pie, tie = found.pairs("PIE"), found.pairs("TIE")
    drawn = []
    for weights in resample_weights(n, 200, 5).astype(int):
        pairs = np.repeat(np.arange(12), np.repeat(weights, each))
        drawn.append(stats.spearmanr(pie[pairs].mean(axis=0), tie[pairs].mean(axis=0)).statistic)
    middle = stats.spearmanr(pie.mean(axis=0), tie.mean(axis=0)).statistic
    far = max(abs(middle - end) for end in np.percentile(drawn, [10, 90]))
    said = found.rank_disagreement(level=0.8, resamples=200, seed=5)
    assert said["spearman"] == pytest.approx(middle)
    assert said["low"] == pytest.approx(max(middle - far, -1))
    assert said["high"] == pytest.approx(min(middle + far, 1))
    assert isinstance(said["cells"], int)
    assert said["cells"] == 8
    assert said.name == "PIE and TIE, n=12"


def test_an_order_of_nothing_said_is_of_2000_resamples() -> None:
    rng = np.random.default_rng(4)
    pie, tie = (40 + np.arange(60) + 80 * rng.normal(size=(12, 60)) for _ in "ab")
    found = effect([4] * 12, tie + 400, pie + 400)
    said = found.rank_disagreement()
    pd.testing.assert_series_equal(said, found.rank_disagreement(0.95, 2000, 0), check_exact=True)
    for other in ({"resamples": 2001}, {"seed": 1}):
        assert found.rank_disagreement(**other)["low"] != said["low"]


def test_three_cells_have_an_order() -> None:
    pie = [[1.0, 2, 3]] * 4
    said = effect([4] * 4, pie, pie).rank_disagreement(resamples=20)
    assert (said["cells"], said["spearman"], said["low"], said["high"]) == (3, 1, 1, 1)
    with pytest.raises(MediationError, match="several cells") as caught:
        effect([4] * 4, [[1.0, 2]] * 4, [[1.0, 2]] * 4).rank_disagreement(resamples=20)
    assert str(caught.value.value).startswith("2 cells")


def test_cells_of_half_a_run_are_none_of_the_largest() -> None:
    """The six that were run in both directions have the same largest five."""
    values = np.arange(1.0, 9) * np.ones((4, 1))
    found = effect([4] * 4, values, values)
    found.edited[:, 0, 7], found.edited[:, 1, 6] = np.nan, np.nan
    said = found.rank_disagreement(resamples=20)
    assert said["overlap_5"] == 1
    assert np.isnan(said["overlap_10"])


def test_the_largest_by_one_need_not_be_those_by_the_other() -> None:
    """Of 1 to 8 the largest five are 4 to 8; of their order turned round two of these are."""
    values = np.arange(1.0, 9) * np.ones((4, 1))
    said = effect([4] * 4, values[:, ::-1], values).rank_disagreement(resamples=20)
    assert said["overlap_5"] == 2 / 5


# --- summaries -----------------------------------------------------------------------------------


def test_a_summary_says_how_it_was_made() -> None:
    found = grid()
    table = found.summary("PIE", 0.9, 50, "max-t", 500, seed=3)
    assert table.attrs == {
        "key": "PIE",
        "unit": "logits",
        "level": 0.9,
        "tests": 4,
        "correction": "max-t",
    }
    np.testing.assert_array_equal(table["q"], found.q_values("PIE", "max-t", 500, 3).reshape(-1))
    assert not np.array_equal(
        found.q_values("PIE", "max-t", 500, 3), found.q_values("PIE", "max-t", 500), equal_nan=True
    )
    low, high = found.ci("PIE", 0.9, 50, 3).reshape(2, -1)
    np.testing.assert_array_equal(table[["low", "high"]], np.stack([low, high], axis=1))


def test_a_summary_of_nothing_said_is_of_2000_resamples_and_10_000_flips() -> None:
    table = grid().summary("TIE")
    said = grid().summary("TIE", 0.95, 2000, "bh", 10_000, 0)
    np.testing.assert_array_equal(table[["low", "high", "q"]], said[["low", "high", "q"]])
    other = grid().summary("TIE", resamples=2001)
    assert not np.array_equal(table["low"], other["low"], equal_nan=True)


# --- shares of the total effect ------------------------------------------------------------------


def test_a_total_effect_that_is_none_is_told_with_its_interval() -> None:
    unsure = effect([5.0, -4, 3, -5, 2], np.ones((5, 1)), np.ones((5, 1)))
    low, high = unsure.ci("TE")[:, 0]
    for ask in (unsure.normalized, unsure.normalized_ci):
        with pytest.raises(MediationError, match="too near 0") as caught:
            ask("PIE")
        said = f"TE = 0.2 logits, 95% interval {low:.3g} to {high:.3g}"
        assert caught.value.value == said
        assert str(caught.value.fix).startswith("read effect['PIE'] in logits")


def test_two_pairs_have_no_share_of_no_effect() -> None:
    """They have no interval; that their mean is 0 shows by itself."""
    with pytest.raises(MediationError, match="too near 0") as caught:
        effect([2.0, -2], [[1.0], [1]], [[1.0], [1]]).normalized("TIE")
    assert caught.value.value == "TE = 0 logits"
    assert effect([2.0, 6], [[1.0], [2]], [[1.0], [3]]).normalized("PIE")[0] == 0.5


def test_three_pairs_have_an_interval_to_judge_by() -> None:
    with pytest.raises(MediationError, match="95% interval"):
        effect([5.0, -4, 1], np.ones((3, 1)), np.ones((3, 1))).normalized("PIE")


@pytest.mark.parametrize("sign", [1, -1])
def test_an_interval_that_ends_at_0_holds_it(sign: int) -> None:
    total = sign * np.array([0.0] * 7 + [1])
    unsure = effect(total, np.ones((8, 1)), np.ones((8, 1)))
    assert 0 in unsure.ci("TE")[:, 0]
    with pytest.raises(MediationError, match="too near 0"):
        unsure.normalized("PIE")


def test_a_total_effect_around_1_is_one_to_divide_by() -> None:
    found = effect([0.8, 1.1, 0.9, 1.2], [[1.0]] * 4, [[0.5]] * 4)
    low, high = found.ci("TE")[:, 0]
    assert low < 1 < high
    np.testing.assert_allclose(found.normalized("PIE"), [0.5])
    np.testing.assert_allclose(found.normalized("TIE"), [1])


def test_shares_are_read_by_the_names_of_the_columns() -> None:
    found = grid().rescore(mw.Prob())
    turned = replace(
        found,
        bases=found.bases[..., ::-1],
        edited=found.edited[..., ::-1],
        columns=found.columns[::-1],
    )
    np.testing.assert_array_equal(turned.normalized("PIE"), found.normalized("PIE"))


# --- halves and groups ---------------------------------------------------------------------------


def test_ten_cells_are_reported_and_of_equal_ones_the_first() -> None:
    signs = np.where(np.arange(60) % 2, -1.0, 1)
    table = effect([4] * 8, np.ones((8, 60)), [signs] * 8).select_and_report("PIE", resamples=20)
    assert table["unit"].tolist() == list(range(10))
    assert table["picked"].tolist() == [1, -1] * 5


@pytest.mark.parametrize("n", [-1, 2.0, True, "all"])
def test_how_many_cells_is_counted(n: Any) -> None:
    with pytest.raises(MediationError, match="The strongest cells are counted") as caught:
        grid().select_and_report("PIE", n=n)
    assert caught.value.fix == "effect.select_and_report('PIE', n=10)"


def test_groups_of_many_cells_stand_in_the_order_of_their_pairs() -> None:
    n, cells = 9, 50
    pie = np.arange(n * cells, dtype=float).reshape(n, cells)
    named = effect([4] * n, np.ones((n, cells)), pie, groups=tuple("zzzaaammm"))
    table = named.by_group("PIE", resamples=20, seed=4)
    assert list(table.columns) == ["unit", "group", "n", "mean", "low", "high"]
    assert table["unit"].tolist() == [unit for unit in range(cells) for _ in range(3)]
    assert table["group"].tolist() == ["z", "a", "m"] * cells
    assert table["mean"].tolist()[:6] == [50, 200, 350, 51, 201, 351]
    low = named.of_pairs([3, 4, 5]).ci("PIE", resamples=20, seed=4)[0]
    np.testing.assert_array_equal(table.loc[table["group"] == "a", "low"], low)
    other = named.by_group("PIE", resamples=20)
    assert not np.array_equal(table["low"], other["low"])


def test_groups_without_intervals_are_numbers_all_the_same() -> None:
    table = grid(4, groups=("a", "a", "b", "b")).by_group("PIE")
    assert (table[["mean", "low", "high"]].dtypes == np.float64).all()
    assert table["low"].isna().all()


def test_a_size_that_no_metric_has_is_refused() -> None:
    assert np.isfinite(grid().pairs_needed("PIE", 1e299)[STRONG])
    for size in (1e300, -1e300, np.inf):
        with pytest.raises(MediationError, match="to be found is a number"):
            grid().pairs_needed("PIE", size)


# --- odds ----------------------------------------------------------------------------------------


def test_odds_too_large_for_a_number_are_infinite_without_a_word() -> None:
    found = effect([1000.0] * 3, [[1.0]] * 3, [[2000.0]] * 3, metric=mw.LogitDiff())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found.ratio("PIE")[0] == np.inf
        assert np.isnan(found.ratio("INT")[0])
