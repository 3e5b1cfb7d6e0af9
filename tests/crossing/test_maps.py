"""Maps between the spaces of two networks: what they recover, and what they cannot."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mediawidget.crossing import least_squares, procrustes
from mediawidget.crossing.maps import explained
from tests.asking import raised

WIDTH = 5


def turned(seed: int) -> tuple[Any, Any, Any]:
    """Values, an orthogonal matrix, and the values turned, scaled and shifted."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(40, WIDTH)) * rng.uniform(0.5, 3, WIDTH) + rng.normal(size=WIDTH)
    turn = np.linalg.qr(rng.normal(size=(WIDTH, WIDTH)))[0]
    return values, turn, 0.7 * values @ turn + rng.normal(size=WIDTH)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_turned_space_is_recovered_by_both(seed: int) -> None:
    values, turn, other = turned(seed)
    fresh = np.random.default_rng(seed + 1).normal(size=(7, 3, WIDTH))
    shift = other[0] - 0.7 * values[0] @ turn
    for fitted in (least_squares(values, other), procrustes(values, other)):
        np.testing.assert_allclose(fitted(fresh), 0.7 * fresh @ turn + shift, atol=1e-8)
        assert explained(fitted(values), other) == pytest.approx(1)
        assert fitted.n == 40


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_procrustes_turns_and_least_squares_fits_at_least_as_well(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = rng.normal(size=(2, 30, WIDTH))
    rotation = procrustes(one, other)
    square = rotation.matrix @ rotation.matrix.T
    np.testing.assert_allclose(square, square[0, 0] * np.eye(WIDTH), atol=1e-9)
    fits = [explained(fitted(one), other) for fitted in (least_squares(one, other), rotation)]
    assert fits[0] >= fits[1] - 1e-12
    assert fits[1] >= -1e-12


def test_least_squares_takes_another_width_and_few_values() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(3, WIDTH)), rng.normal(size=(3, 2))
    np.testing.assert_allclose(least_squares(one, other)(one), other, atol=1e-9)
    raised(lambda: procrustes(one, other))


def test_values_that_do_not_vary_explain_nothing() -> None:
    assert np.isnan(explained(np.ones((4, 2)), np.ones((4, 2))))


@pytest.mark.parametrize(
    "wrong", [np.zeros(3), np.zeros((4, WIDTH)), np.zeros((1, WIDTH)), np.zeros((2, 3, WIDTH))]
)
def test_what_are_no_values_of_the_same_prompts_is_refused(wrong: Any) -> None:
    raised(lambda: least_squares(wrong, np.zeros((5, WIDTH))))
