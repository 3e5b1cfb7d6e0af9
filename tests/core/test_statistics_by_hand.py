"""Statistics of arrays small enough to be worked out by hand, and by another formula."""

import inspect
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

import mediawidget as mw
from mediawidget.statistics import (
    bootstrap_ratio,
    mean_interval,
    overlap,
    pairs_needed,
    q_values,
    rank_correlations,
    resample_weights,
    same_sign,
)

Array = NDArray[np.float64]

# --- signs and ranks -----------------------------------------------------------------------------


def test_the_share_with_the_sign_of_the_mean() -> None:
    """Means 1, -1, 0, 1 and none; a 0 has neither sign."""
    columns = [[1.0, 3, -1], [-4, 0, 1], [2, -2, 0], [1, 1, 1], [1, np.nan, 1]]
    found = same_sign(np.array(columns).T)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, [2 / 3, 1 / 3, np.nan, 1, np.nan])


def test_a_row_without_numbers_spoils_no_other() -> None:
    first = np.array([[1.0, 2, 3], [np.nan, 1, 2]])
    found = rank_correlations(first, np.array([[3.0, 5, 9], [1, 2, 3]]))
    np.testing.assert_allclose(found, [1, np.nan])


def test_two_cells_have_an_order() -> None:
    first = np.array([[1.0, 2], [2, 1]])
    np.testing.assert_allclose(rank_correlations(first, np.array([1.0, 5])), [1, -1])


def test_overlap_is_of_the_largest_not_of_the_least() -> None:
    """The largest two are the same; of the least two one is."""
    first, second = np.array([9.0, -8, 1, 2, 3]), np.array([-8.0, 9, 1, 3, 2])
    assert overlap(first, second, 2) == 1
    assert overlap(first, 9 - np.abs(second), 2) == 0


def test_of_equal_sizes_the_first_are_taken() -> None:
    alike, first = np.ones(200), np.where(np.arange(200) < 5, 2.0, 1.0)
    assert overlap(alike, first, 5) == 1


# --- intervals of means --------------------------------------------------------------------------


def test_an_interval_of_a_mean_draws_2000_times_from_seed_0() -> None:
    values = np.exp(np.random.default_rng(0).normal(size=(9, 2)))
    found = mean_interval(values, (), 0.9)
    for cell in range(2):
        ends = stats.bootstrap(
            (values[:, cell], np.ones(9)),
            lambda a, b, axis: a.sum(axis=axis) / b.sum(axis=axis),
            paired=True,
            confidence_level=0.9,
            n_resamples=2000,
            rng=np.random.default_rng(0),
        ).confidence_interval
        np.testing.assert_allclose(found[:, cell], ends)


def test_an_interval_of_a_mean_begins_at_three_units() -> None:
    values = np.arange(12.0).reshape(4, 3, 1) ** 2
    assert np.isfinite(mean_interval(values[:3], (), 0.95)).all()
    assert np.isfinite(mean_interval(values, ("a", "b", "b", "c"), 0.95)).all()
    for few in (mean_interval(values[:2], (), 0.95), mean_interval(values, tuple("abab"), 0.95)):
        np.testing.assert_array_equal(few, np.full((2, 3, 1), np.nan))


@pytest.mark.parametrize(("columns", "resamples"), [(2000, 250), (100, 4000)])
def test_neither_columns_nor_resamples_take_memory(columns: int, resamples: int) -> None:
    """All draws at once are a number of 8 bytes for every pair, column and resample."""
    values = np.random.default_rng(0).normal(size=(64, columns))
    bootstrap_ratio(values[:, :2], np.ones(()), 0.95, 250, 0)
    tracemalloc.start()
    bootstrap_ratio(values, np.ones(()), 0.95, resamples, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * columns * resamples * 8 / 2


# --- flips of signs ------------------------------------------------------------------------------


@pytest.mark.parametrize("numbers_at_once", [1, 24, 10**9])
@pytest.mark.parametrize("correction", ["bh", "max-t"])
def test_flips_are_counted_however_many_are_held(
    numbers_at_once: int, correction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the 2^5 signs of 1, 2, 4, 8 and 16 two make a sum of 31, four one of 29 or more.

    The flips that make 31 in the one column make 29 in the other: four make 31 in either.
    """
    monkeypatch.setattr("mediawidget.statistics.permutation._NUMBERS_AT_ONCE", numbers_at_once)
    values = 2.0 ** np.arange(5)
    columns = np.stack([values, values * [-1, 1, 1, 1, 1]], axis=1)
    p = np.array([2, 4]) / 2**5
    expected = stats.false_discovery_control(p) if correction == "bh" else [4 / 2**5] * 2
    np.testing.assert_allclose(q_values(columns, correction), expected)


@pytest.mark.parametrize("numbers_at_once", [400, 10**9])
def test_flips_are_drawn_however_many_are_held(
    numbers_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the flips of twelve units, 20 or all at a time, come near the share of all flips."""
    monkeypatch.setattr("mediawidget.statistics.permutation._NUMBERS_AT_ONCE", numbers_at_once)
    values = np.random.default_rng(1).normal(size=(12, 20)) + 0.4
    exact = q_values(values, "max-t", 2**12)
    np.testing.assert_allclose(q_values(values, "max-t", 2**11), exact, atol=0.04)
    assert not np.array_equal(q_values(values, "max-t", 2**11), exact)


def test_a_test_of_nothing_said_is_of_seed_0() -> None:
    values = np.random.default_rng(0).normal(size=(20, 4)) + 0.4
    np.testing.assert_array_equal(q_values(values), q_values(values, "bh", 10_000, 0))
    assert not np.array_equal(q_values(values), q_values(values, seed=1))


# --- power ---------------------------------------------------------------------------------------


def two_sided(d: float, n: float, alpha: float) -> float:
    """The power of a t test as that of its square: F of 1 and n - 1, noncentrality n d^2."""
    beyond = stats.f.isf(alpha, 1, n - 1)
    return float(stats.ncf.sf(beyond, 1, n - 1, n * d**2))


@pytest.mark.parametrize("d", np.linspace(0.06, 0.5, 12))
@pytest.mark.parametrize(("power", "alpha"), [(0.25, 0.2), (0.3, 0.2), (0.4, 0.3), (0.6, 0.5)])
def test_a_small_chance_counts_both_sides(d: float, power: float, alpha: float) -> None:
    """Where little power is asked for, a good part of it is on the wrong side of 0."""
    values = np.array([[-1.0], [1], [0]])
    (n,) = pairs_needed(values, d, power, alpha)
    assert two_sided(d, n, alpha) >= power
    assert n == 2 or two_sided(d, n - 1, alpha) < power


def test_pairs_needed_has_the_shape_of_the_cells() -> None:
    values = np.random.default_rng(0).normal(size=(8, 2, 3)) + 1
    grid = pairs_needed(values)
    assert grid.shape == (2, 3)
    for cell in np.ndindex(2, 3):
        assert pairs_needed(values[:, *cell]) == grid[cell]
    assert pairs_needed(values[:, 0, 0]).shape == ()


def unlike(d: float) -> Array:
    """Three pairs of mean ``d`` and standard deviation 1."""
    return np.array([[-1.0], [0], [1]]) + d


@pytest.mark.parametrize("power", [0.06, 0.3, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("d", [1e-4, 1e-6])
def test_a_tiny_effect_needs_what_a_normal_test_needs(d: float, power: float) -> None:
    """The square of a shifted normal variable is chi-squared, noncentral by the shift's square."""
    (n,) = pairs_needed(unlike(d), None, power)
    beyond = stats.chi2.isf(0.05, 1)
    assert n % 1 == 0
    assert stats.ncx2.sf(beyond, 1, n * d**2) >= power - 1e-9
    assert stats.ncx2.sf(beyond, 1, n * (1 - 1e-5) * d**2) < power


def test_pairs_needed_of_a_thousandth_of_a_standard_deviation() -> None:
    """(1.959964 + 0.841621)^2 = 7.848879, less 3 in a million for the wrong side."""
    assert pairs_needed(unlike(1e-3))[0] == pytest.approx(7_848_879, rel=1e-5)


@pytest.mark.parametrize("d", [1e-5, 0.1, 3])
def test_the_chance_of_a_false_finding_is_had_by_two_pairs(d: float) -> None:
    assert pairs_needed(unlike(d), None, power=0.05, alpha=0.05)[0] == 2
    assert pairs_needed(unlike(d), 0.0, power=0.05, alpha=0.05)[0] == np.inf


@pytest.mark.parametrize(("alpha", "d"), [(1e-12, 0.05), (1e-12, 2.0)])
def test_pairs_needed_at_a_tiny_chance_of_a_false_finding(alpha: float, d: float) -> None:
    (n,) = pairs_needed(unlike(d), None, 0.8, alpha)
    assert two_sided(d, n, alpha) >= 0.8
    assert two_sided(d, n - 1, alpha) < 0.8


def test_no_number_of_pairs_without_a_spread_or_a_size() -> None:
    sample = np.array([[-1.0, np.nan], [0, 1], [1, 2]])
    np.testing.assert_array_equal(pairs_needed(sample, 0.0), [np.inf, np.nan])
    np.testing.assert_array_equal(pairs_needed(sample, np.array([np.nan, 1.0])), [np.nan] * 2)


# --- what is refused -----------------------------------------------------------------------------

NUMBERS = np.arange(4.0)[:, None] - 1


def interval(level: Any = 0.9, resamples: Any = 50) -> Array:
    return bootstrap_ratio(NUMBERS, np.ones(()), level, resamples, 0)


@pytest.mark.parametrize(
    ("ask", "name", "value", "like"),
    [
        (lambda v: interval(level=v), "level", 1, mean_interval),
        (lambda v: interval(resamples=v), "resamples", 9, mean_interval),
        (lambda v: resample_weights(3, v, 0), "resamples", 10**8, mean_interval),
        (lambda v: q_values(NUMBERS, "bh", v), "permutations", 9, q_values),
        (lambda v: pairs_needed(NUMBERS, 1.0, power=v), "power", 1, pairs_needed),
        (lambda v: pairs_needed(NUMBERS, 1.0, alpha=v), "alpha", 0, pairs_needed),
    ],
)
def test_a_number_that_is_none_is_named_with_one_that_is(
    ask: Callable[[Any], Array], name: str, value: float, like: Callable[..., Array]
) -> None:
    """What is said to be right is what stands where nothing is said."""
    with pytest.raises(mw.MediationError, match=rf"\b{name} (is a share|are counted)") as caught:
        ask(value)
    assert caught.value.value == str(value)
    said, example = str(caught.value.fix).split("=")
    assert said == name
    default = inspect.signature(like).parameters[name].default
    assert float(example) == (0.95 if default is inspect.Parameter.empty else default)
    assert np.isfinite(ask(type(value)(float(example)) if value > 1 else float(example))).all()
