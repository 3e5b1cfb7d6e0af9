"""Intervals, tests, ranks and power, on arrays: against scipy and against plain loops."""

import warnings
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import mediawidget as mw
from mediawidget.statistics import (
    bootstrap_ratio,
    cluster_codes,
    cluster_sums,
    halves,
    overlap,
    pairs_needed,
    q_values,
    rank_correlations,
    resample_weights,
    resampled_ratio,
    unbounded_ends,
)
from mediawidget.statistics.clusters import Codes

Array = NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape)


def clustered(n_clusters: int, size: int, seed: int, n: int) -> tuple[Array, Codes]:
    """(pair, replicate) of mean 0, half of whose variance the pairs of a cluster share."""
    codes = np.repeat(np.arange(n_clusters), size)
    shared = numbers(seed, n_clusters, n)[codes]
    return (shared + numbers(seed + 1, len(codes), n)) / np.sqrt(2), codes


# --- intervals -----------------------------------------------------------------------------------


def test_the_interval_of_a_mean_is_scipys() -> None:
    values = np.exp(numbers(0, 20, 3))
    ends = bootstrap_ratio(values, np.ones(()), 0.9, 1500, seed=7)
    for cell in range(3):
        expected = stats.bootstrap(
            (values[:, cell],),
            np.mean,
            confidence_level=0.9,
            n_resamples=1500,
            rng=np.random.default_rng(7),
            method="BCa",
        ).confidence_interval
        np.testing.assert_allclose(ends[:, cell], expected, atol=0.03)


def test_an_interval_of_a_ratio_moves_both_sums_together() -> None:
    bottom = np.exp(numbers(1, 12, 1))
    ends = bootstrap_ratio(3 * bottom + 0 * numbers(2, 12, 2), bottom, 0.95, 200, seed=0)
    np.testing.assert_allclose(ends, 3)
    noisy = 3 * bottom + 0.1 * numbers(2, 12, 2)
    low, high = bootstrap_ratio(noisy, bottom, 0.95, 2000, seed=0)
    assert (low < noisy.sum(axis=0) / bottom.sum()).all()
    assert (high - low < 0.3).all(), "the bottom's own spread does not widen the ratio"


def test_clusters_are_drawn_whole() -> None:
    """Copies of a pair are no evidence: with them as a cluster the interval stays what it was."""
    values = numbers(3, 10, 2)
    codes = np.repeat(np.arange(10), 4)
    sums = cluster_sums(values[codes], codes)
    sizes = cluster_sums(np.ones((40, 1)), codes)
    np.testing.assert_allclose(
        bootstrap_ratio(sums, sizes, 0.95, 500, 0),
        bootstrap_ratio(values, np.ones(()), 0.95, 500, 0),
    )


def test_intervals_over_clusters_hold_the_truth_as_often_as_they_say() -> None:
    values, codes = clustered(32, 4, seed=5, n=300)
    sums, sizes = cluster_sums(values, codes), np.full((32, 1), 4.0)
    low, high = bootstrap_ratio(sums, sizes, 0.95, 500, 0)
    assert 0.9 < ((low < 0) & (high > 0)).mean() < 0.98
    low, high = bootstrap_ratio(values, np.ones(()), 0.95, 500, 0)
    assert ((low < 0) & (high > 0)).mean() < 0.85, "pairs alone would claim too much"


def test_resamples_draw_as_many_units_as_there_are() -> None:
    weights = resample_weights(7, 50, 3)
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(weights, resample_weights(7, 50, 3))


# --- totals that vanish --------------------------------------------------------------------------


def fieller_bounded(bottom: Array, level: float) -> bool:
    """Whether the mean of the lower numbers is clear of 0."""
    t = bottom.mean() / (bottom.std(ddof=1) / np.sqrt(len(bottom)))
    return bool(abs(t) > stats.norm.ppf((1 + level) / 2))


def test_a_rare_resample_of_no_total_leaves_the_interval_finite() -> None:
    """One pair in four has none: a resample in 256 is of that pair alone."""
    bottom = np.array([15.0, 51, 22, 0])[:, None]
    top = np.array([[15.0, 3], [48, 30], [20, 2], [0, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ends = bootstrap_ratio(top, bottom, 0.95, 2000, 0)
        turned = bootstrap_ratio(-top, -bottom, 0.95, 2000, 0)
    assert np.isfinite(ends).all()
    assert (ends[0] <= top.sum(axis=0) / bottom.sum()).all()
    assert (ends[1] >= top.sum(axis=0) / bottom.sum()).all()
    np.testing.assert_array_equal(ends, turned)


def test_where_too_many_resamples_have_no_total_there_is_no_interval() -> None:
    top, bottom = np.array([[1.0], [2], [0.5], [0]]), np.array([[9.0], [1], [0], [0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A sixteenth of the resamples is of the two pairs of no total.
        assert np.isnan(bootstrap_ratio(top, bottom, 0.95, 2000, 0)).all()
        assert np.isfinite(bootstrap_ratio(top, bottom, 0.5, 2000, 0)).all()
        # Without the first pair nothing is left, or rounding.
        for left in ([0.0, 0, 0], [0.1, 0.2, -0.30000000000000004]):
            lone = np.array([9.0, *left])[:, None]
            assert np.isnan(bootstrap_ratio(top, lone, 0.5, 2000, 0)).all()
        # A share of a total of 0 is none.
        none = np.array([[1.0], [-1], [2], [-2]])
        assert np.isnan(bootstrap_ratio(top, none, 0.5, 2000, 0)).all()


@settings(max_examples=30, deadline=None)
@given(seeds, st.floats(-2, 2), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_an_interval_of_a_ratio_is_whole_or_none(seed: int, mean: float, level: float) -> None:
    top, bottom = numbers(seed, 6, 2), np.round(mean + numbers(seed + 1, 6, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        low, high = bootstrap_ratio(top, bottom, level, 200, 0)
    assert (np.isfinite(low) == np.isfinite(high)).all()
    assert not np.isinf([low, high]).any()
    assert not (low > high).any()


def test_turned_signs_widen_the_interval_and_then_there_is_none() -> None:
    """As Fieller's interval: finite where the total is clear of 0 at the same level."""
    spread = numbers(1, 40, 1)
    spread -= spread.mean()
    top = 1 + numbers(2, 40, 1)
    for shift in (0.1, 0.9):
        for level in (0.5, 0.9, 0.99):
            bottom = shift + spread
            ends = bootstrap_ratio(top, bottom, level, 2000, 0)
            assert np.isfinite(ends).all() == fieller_bounded(bottom, level), (shift, level)


def test_percentile_ends_count_what_is_unbounded_to_both_sides() -> None:
    values = np.arange(1.0, 101)
    values[[3, 50]] = np.nan
    low, high = unbounded_ends(values, 0.9)
    known = values[np.isfinite(values)]
    assert low == pytest.approx(np.quantile([-1e9, -1e9, *known], 0.05))
    assert high == pytest.approx(np.quantile([1e9, 1e9, *known], 0.95))
    assert np.isnan(unbounded_ends(values, 0.99)).all()
    assert unbounded_ends(np.arange(5.0), 0.5).tolist() == [1, 3]


def test_resampled_ratios_are_none_where_the_total_is() -> None:
    weights = np.array([[1.0, 1, 1], [0, 0, 3], [0, 3, 0], [3, 0, 0]])
    top, bottom = np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([-4.0, 1, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = resampled_ratio(weights, top, bottom)
    np.testing.assert_allclose(np.delete(found, [1, 2], axis=0), [[-3.0, -4.0], [-0.25, -0.5]])
    assert np.isnan(found[1:3]).all()


# --- clusters ------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=2, max_size=12), seeds)
def test_halves_keep_clusters_whole_and_lose_no_pair(names: list[str], seed: int) -> None:
    codes = cluster_codes(names, len(names))
    first, second = halves(codes, seed)
    assert sorted([*first, *second]) == list(range(len(names)))
    assert not set(codes[first]) & set(codes[second])
    assert 0 <= len(set(codes[second])) - len(set(codes[first])) <= 1


@given(st.lists(st.sampled_from(["", "a", "b"]), min_size=2, max_size=9), seeds)
def test_sums_over_clusters_are_sums(names: list[str], seed: int) -> None:
    values = numbers(seed, len(names), 2)
    codes = cluster_codes(names, len(names))
    sums = cluster_sums(values, codes)
    for code in set(codes):
        np.testing.assert_allclose(sums[code], values[codes == code].sum(axis=0))


# --- tests ---------------------------------------------------------------------------------------


def all_flips(values: Array) -> Array:
    """|sum / sqrt(sum of squares)| under every flip, the slow way: (flip, cell)."""
    size = np.sqrt((values**2).sum(axis=0))
    signs = product([-1, 1], repeat=len(values))
    return np.array([abs((np.array(s)[:, None] * values).sum(axis=0)) / size for s in signs])


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 8), seeds)
def test_few_pairs_are_flipped_in_every_way(n: int, seed: int) -> None:
    values = numbers(seed, n, 3) + 0.5
    flips = all_flips(values)
    found = flips[-1] - 1e-9
    own = (flips >= found).mean(axis=0)
    np.testing.assert_allclose(q_values(values, "bh"), stats.false_discovery_control(own))
    np.testing.assert_allclose(
        q_values(values, "by"), stats.false_discovery_control(own, method="by")
    )
    largest = (flips.max(axis=1)[:, None] >= found).mean(axis=0)
    np.testing.assert_allclose(q_values(values, "max-t"), largest)
    assert (q_values(values, "max-t") >= own).all()


@settings(deadline=None, max_examples=25)
@given(st.integers(3, 30), seeds, st.floats(0.01, 100), st.sampled_from(["bh", "by", "max-t"]))
def test_neither_the_unit_nor_the_sign_changes_a_test(
    n: int, seed: int, factor: float, correction: str
) -> None:
    values = numbers(seed, n, 4)
    q = q_values(values, correction, 500, seed=1)
    np.testing.assert_allclose(q_values(-factor * values, correction, 500, seed=1), q)
    assert ((q > 0) & (q <= 1)).all()


def test_drawn_flips_agree_with_all_flips() -> None:
    values = numbers(0, 12, 5) + 0.3
    for correction in ("bh", "max-t"):
        exact = q_values(values, correction, 2**12)
        drawn = q_values(values, correction, 4000, seed=2)
        np.testing.assert_allclose(drawn, exact, atol=0.03)


def test_the_smallest_p_is_never_0_and_zeros_are_1() -> None:
    values = np.column_stack([np.ones(30), np.zeros(30)])
    q = q_values(values, "max-t", 999)
    np.testing.assert_allclose(q, [1 / 1000, 1])
    np.testing.assert_allclose(q_values(np.ones((4, 1))), 2 / 2**4)
    assert q_values(np.zeros((4, 0))).shape == (0,)


def test_of_cells_without_an_effect_few_are_found() -> None:
    """40 grids of 24 true nulls: a false one in about 5% of the grids, by any rule."""
    for correction in ("bh", "max-t"):
        found = [
            (q_values(numbers(seed, 16, 24), correction, 500, seed) < 0.05).any()
            for seed in range(40)
        ]
        assert sum(found) <= 6


def test_flipping_whole_clusters_keeps_the_level() -> None:
    values, codes = clustered(16, 4, seed=9, n=200)
    sums = cluster_sums(values, codes)
    whole = [q_values(sums[:, [i]], permutations=500)[0] < 0.05 for i in range(200)]
    single = [q_values(values[:, [i]], permutations=500)[0] < 0.05 for i in range(200)]
    assert np.mean(whole) < 0.09
    assert np.mean(single) > 0.15, "single pairs of a template would claim too much"


# --- power ---------------------------------------------------------------------------------------


def chance(d: float, n: float, alpha: float) -> float:
    """The power of a t test, from the distribution itself."""
    beyond, shift = stats.t.isf(alpha / 2, n - 1), d * np.sqrt(n)
    wrong = stats.nct.cdf(-beyond, n - 1, shift)
    return float(stats.nct.sf(beyond, n - 1, shift) + (0.0 if np.isnan(wrong) else wrong))


def sample(d: float) -> Array:
    """Pairs of mean ``d`` and standard deviation 1."""
    values = numbers(0, 20)
    return np.asarray((values - values.mean()) / values.std(ddof=1) + d)


@settings(deadline=None)
@given(
    st.floats(0.05, 5),
    st.sampled_from([0.5, 0.8, 0.95]),
    st.sampled_from([0.001, 0.05, 0.2]),
)
def test_pairs_needed_are_the_fewest(d: float, power: float, alpha: float) -> None:
    n = float(pairs_needed(sample(d), None, power, alpha))
    assert chance(d, n, alpha) >= power - 1e-6
    assert n == 2 or chance(d, n - 1, alpha) < power + 1e-6


def test_pairs_needed_of_a_known_case() -> None:
    """Half a standard deviation, 80% power, 5%: 34 pairs (Cohen 1988; G*Power says the same)."""
    assert pairs_needed(sample(0.5)) == 34
    assert pairs_needed(sample(-0.5)) == 34
    assert pairs_needed(sample(3), effect_size=0.5) == 34


def test_pairs_needed_where_there_is_no_answer() -> None:
    values = np.column_stack([sample(0), np.full(20, 2.0), np.full(20, np.nan), np.zeros(20)])
    values[:, 0] -= values[:, 0].mean()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        needed = pairs_needed(values)
        assert pairs_needed(2 + 1e-14 * values[:, :1])[0] <= 3
    assert needed[0] > 1e20
    np.testing.assert_array_equal(needed[1:], [2, np.nan, np.inf])


# --- ranks ---------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=3, max_size=9))
def test_rank_correlations_are_spearmans(cells: list[tuple[int, int]]) -> None:
    first, second = np.array(cells, dtype=float).T
    found = rank_correlations(np.stack([first, second]), np.stack([second, second]))
    if len(set(first)) == 1 or len(set(second)) == 1:
        assert np.isnan(found[0])
    else:
        assert found[0] == pytest.approx(stats.spearmanr(first, second).statistic)
        assert found[1] == pytest.approx(1)


def test_overlap_counts_the_largest_by_size() -> None:
    first = np.array([5.0, -4, 3, 0.1, 0.2, 0])
    second = np.array([-5.0, 0, 3, 4, 0.2, 0])
    assert overlap(first, second, 3) == pytest.approx(2 / 3)
    assert np.isnan(overlap(first, second, 6))


def test_a_small_scale_is_no_certainty() -> None:
    """The interval of numbers of any size is that of the numbers, scaled."""
    values = np.array([1.0, 2, 3, 4, -9, 5, -7])[:, None]
    ends = bootstrap_ratio(values, np.ones(()), 0.95, 500, 0)
    assert ends[0, 0] < 0 < ends[1, 0]
    for scale in (2.0**-46, 2.0**-80, 2.0**60):
        small = bootstrap_ratio(scale * values, np.ones(()), 0.95, 500, 0)
        np.testing.assert_array_equal(small, scale * ends)
    alike = bootstrap_ratio(1e9 * (1 + 1e-15 * values), np.ones(()), 0.95, 500, 0)
    assert alike[0] == alike[1], "only rounding differs"


@pytest.mark.parametrize("numbers_at_once", [1, 20_000, 10**9])
def test_no_draw_hangs_on_how_many_columns_are_held(
    numbers_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    top = numbers(0, 20, 13)
    bottom = np.abs(numbers(1, 20, 13)) + 1
    expected = [bootstrap_ratio(top[:, [i]], bottom[:, [i]], 0.95, 600, 3) for i in range(13)]
    monkeypatch.setattr("mediawidget.statistics.resampling._NUMBERS_AT_ONCE", numbers_at_once)
    found = bootstrap_ratio(top, bottom, 0.95, 600, 3)
    np.testing.assert_allclose(found, np.hstack(expected), rtol=1e-12)


def test_numbers_of_numpy_are_numbers() -> None:
    values = numbers(0, 12, 2)
    found = bootstrap_ratio(values, np.ones(()), np.float64(0.9), np.int64(300), np.int64(3))  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, bootstrap_ratio(values, np.ones(()), 0.9, 300, 3))


# --- what is refused -----------------------------------------------------------------------------

THREE = np.arange(3.0)[:, None]
BAD: list[Any] = [
    (bootstrap_ratio, (THREE[:2], np.ones(()), 0.95, 100, 0), "needs several pairs"),
    *(
        (bootstrap_ratio, (THREE, np.ones(()), level, 100, 0), "level is a share")
        for level in (0, 1, "a", True)
    ),
    *(
        (bootstrap_ratio, (THREE, np.ones(()), 0.95, n, 0), "resamples are counted")
        for n in (9, 1.5, 10**8, True)
    ),
    *(
        (bootstrap_ratio, (THREE, np.ones(()), 0.95, 100, seed), "seed is a number")
        for seed in (-1, "a", None)
    ),
    (q_values, (THREE[:2],), "needs several pairs"),
    *((q_values, (THREE, rule), "one of three rules") for rule in ("holm", None, 3)),
    *((q_values, (THREE, "bh", n), "permutations are counted") for n in (0, None, 10**9)),
    (q_values, (THREE, "bh", 100, -1), "seed is a number"),
    (pairs_needed, (THREE[:2],), "needs several pairs"),
    *((pairs_needed, (THREE, 1.0, power), "power is a share") for power in (0, 1, None)),
    *((pairs_needed, (THREE, 1.0, 0.8, alpha), "alpha is a share") for alpha in (0, 1, "a")),
    (resample_weights, (2, 100, 0), "needs several pairs"),
]


@pytest.mark.parametrize(("function", "arguments", "words"), BAD)
def test_what_means_nothing_is_refused(
    function: Any, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(mw.MediationError, match=words):
        function(*arguments)
