"""INLP ends where nothing is left but rounding: a probe would tell labels from that, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mediawidget as mw

Array = NDArray[Any]

DTYPES = [np.float32, np.float64]


def along_one(kinds: int, width: int, n: int = 200) -> tuple[Array, Array]:
    """Values of rank 1, and labels that they tell."""
    names = np.arange(n) % kinds
    told = 8 * names + np.random.default_rng(0).normal(size=n)
    return np.outer(told, np.random.default_rng(1).normal(size=width)), names


def assert_one_then_nothing(eraser: Any, k: int) -> None:
    first, last = eraser.rounds
    assert (eraser.k, first.k, last.k) == (k, 0, k)
    assert first.held_out > 0.9
    assert eraser.done
    assert last.held_out <= last.chance


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kinds", [2, 3])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_values_of_rank_one(dtype: Any, kinds: int, offset: float) -> None:
    values, names = along_one(kinds, 20)
    kept = (values + offset).astype(dtype)
    assert_one_then_nothing(mw.erasure.inlp(kept, names), 1)
    # Doubles that were single precision before have its rounding still.
    assert_one_then_nothing(mw.erasure.inlp(kept.astype(np.float64), names), 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_several_labels_may_take_all_directions_at_once(dtype: Any) -> None:
    names = np.arange(300) % 3
    centres = 9 * np.array([[0.0, 1.0], [1.0, 0.0], [-1.0, -1.0]])
    values = centres[names] + np.random.default_rng(1).normal(size=(300, 2))
    assert_one_then_nothing(mw.erasure.inlp(values.astype(dtype), names), 2)


def test_the_only_direction_is_erased() -> None:
    values, names = along_one(2, 1)
    eraser = mw.erasure.inlp(values, names)
    assert_one_then_nothing(eraser, 1)
    np.testing.assert_allclose(eraser(values), values.mean(), atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_small_is_not_yet_rounding(dtype: Any) -> None:
    """A second direction, a hundred thousand times as short as the first, is read too."""
    rng = np.random.default_rng(0)
    names = np.arange(400) % 2
    values = 6 * names[:, None] + rng.normal(size=(400, 2))
    values[:, 1] *= 1e-5
    eraser = mw.erasure.inlp(values.astype(dtype), names)
    assert [one.k for one in eraser.rounds] == [0, 1, 2]
    assert eraser.rounds[1].held_out > 0.9
    assert eraser.done
