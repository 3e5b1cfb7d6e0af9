"""Set functions: the identities of dividends and Shapley values."""

from itertools import permutations
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mediawidget import subsets

GAMES = st.integers(1, 4).flatmap(
    lambda n: st.lists(st.floats(-5, 5), min_size=2**n, max_size=2**n).map(np.array)
)


@given(GAMES)
def test_dividends_of_the_subsets_add_up_to_the_worth(values: np.ndarray) -> None:
    found = subsets.dividends(values)
    for mask, value in enumerate(values):
        inside = [found[other] for other in range(len(values)) if other & ~mask == 0]
        assert np.isclose(sum(inside), value, atol=1e-9)


@given(GAMES)
def test_a_shapley_value_is_the_mean_gain_over_all_orders(values: np.ndarray) -> None:
    n = (len(values) - 1).bit_length()
    mean = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        for k, player in enumerate(order):
            before = subsets.mask_of(order[:k])
            mean[player] += (values[before | 1 << player] - values[before]) / len(orders)
    found = subsets.shapley(subsets.dividends(values))
    np.testing.assert_allclose(found, mean, atol=1e-9)


@given(GAMES)
def test_the_dual_game_has_alternating_sums_of_the_dividends(values: np.ndarray) -> None:
    """What a set costs when it goes: d*(S) = (-1)^(|S| + 1) times the sum of d over supersets."""
    found, dual = subsets.dividends(values), subsets.dividends(values[-1] - values[::-1])
    size = subsets.sizes((len(values) - 1).bit_length())
    for mask in range(1, len(values)):
        above = [found[other] for other in range(len(values)) if mask & ~other == 0]
        assert np.isclose(dual[mask], (-1) ** (size[mask] + 1) * sum(above), atol=1e-9)


def test_further_axes_go_along() -> None:
    values = np.random.default_rng(0).normal(size=(8, 3))
    for column in range(3):
        np.testing.assert_array_equal(
            subsets.dividends(values)[:, column], subsets.dividends(values[:, column])
        )


def test_masks_and_members_are_inverse() -> None:
    assert [subsets.mask_of(subsets.members(mask)) for mask in range(32)] == list(range(32))
    assert subsets.mask_of([2, 0, 2]) == 5
    assert list(subsets.up_to(3, 2)) == [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]


def test_counts_too_have_dividends_below_0() -> None:
    """Either of two players is enough: together they do one less than each alone."""
    counted: Any = np.array([0, 1, 1, 1], dtype=np.uint8)
    found = subsets.dividends(counted)
    np.testing.assert_array_equal(found, [0, 1, 1, -1])
    np.testing.assert_array_equal(counted, [0, 1, 1, 1], "what was given is left as it is")
    np.testing.assert_array_equal(subsets.shapley(found), [0.5, 0.5])
