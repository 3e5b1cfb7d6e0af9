"""Maps from the values of a site in one network to those of the same site in another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lstsq, orthogonal_procrustes

from ..errors import require

Array = NDArray[np.float64]

SMALLEST = 1e-6
"""Singular values below this share of the largest are left out of a least-squares fit."""


@dataclass(frozen=True, eq=False)
class AffineMap:
    """x to (x - before) @ matrix + after.

    ``fitted(values)`` takes (..., width) values of the giver to values of the receiver.

    Attributes:
        matrix: (width of the giver, width of the receiver).
        before: (width of the giver,) the mean of the values that it was fitted on.
        after: (width of the receiver,) the mean of those that it is to give.
        n: on how many values.
    """

    matrix: Array
    before: Array
    after: Array
    n: int

    def __call__(self, values: Any) -> Array:
        """Values (..., width) of the giver, as values of the receiver."""
        moved: Array = (np.asarray(values, dtype=np.float64) - self.before) @ self.matrix
        return moved + self.after


def explained(got: Any, wanted: Any) -> float:
    """R^2: the share of the variance of ``wanted`` (..., width) that ``got`` has right."""
    right = np.asarray(wanted, dtype=np.float64)
    right = right.reshape(-1, right.shape[-1])
    missed = float(((right - np.reshape(got, right.shape)) ** 2).sum())
    spread = float(((right - right.mean(0)) ** 2).sum())
    return 1 - missed / spread if spread > 0 else float("nan")


def least_squares(given: Any, received: Any) -> AffineMap:
    """The affine map that misses the receiver's values least; of several the smallest.

    Args:
        given: (n, width) values of one network.
        received: (n, width) values of the other, on the same prompts and positions.

    Raises:
        MediationError: not as many of the one as of the other.
    """
    one, other = _matched(given, received)
    before, after = one.mean(0), other.mean(0)
    matrix = lstsq(one - before, other - after, cond=SMALLEST)[0]
    return AffineMap(np.asarray(matrix), before, after, len(one))


def procrustes(given: Any, received: Any) -> AffineMap:
    """The rotation (or reflection), with one scale and a shift, that misses least.

    It can turn a space and cannot invent or drop a direction, so what it recovers was there.

    Args:
        given: (n, width) values of the giver, n at least 2.
        received: (n, width) the receiver's on the same prompts, in the same order.

    Raises:
        MediationError: values of different width or number, or no finite numbers.

    Source: Schoenemann 1966 (``scipy.linalg.orthogonal_procrustes``).
    """
    one, other = _matched(given, received)
    require(
        one.shape == other.shape,
        "A rotation maps a space to one of the same width.",
        value=(one.shape, other.shape),
        expected="values of one width",
        fix="mw.crossing.least_squares(given, received)",
    )
    before, after = one.mean(0), other.mean(0)
    rotation, overlap = orthogonal_procrustes(one - before, other - after)
    scale = overlap / max(float(((one - before) ** 2).sum()), np.finfo(np.float64).tiny)
    return AffineMap(np.asarray(scale * rotation), before, after, len(one))


def _matched(given: Any, received: Any) -> tuple[Array, Array]:
    one, other = _numbers(given), _numbers(received)
    require(
        one.ndim == 2 and other.ndim == 2 and len(one) == len(other) > 1 and one.size > 0,
        "A map is fitted on values of two networks, row by row.",
        value=(one.shape, other.shape),
        expected="two matrices of as many rows, at least 2",
        fix="study.activations(site) of the same prompts in both networks",
    )
    return one, other


def _numbers(values: Any) -> Array:
    """Anything as an array of numbers; one without entries if it is none, or not all finite."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (AttributeError, OverflowError, RuntimeError, TypeError, ValueError):
        return np.empty(0)
    return array if np.isfinite(array).all() else np.empty(0)
