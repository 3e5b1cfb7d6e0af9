"""Whether two quantities put cells into the same order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def rank_correlations(first: Array, second: Array) -> Array:
    """Spearman's correlation of two quantities over the last axis: (..., cell) to (...).

    Equal numbers share the mean of their ranks. NaN where either quantity is the same everywhere.
    """
    from scipy.stats import rankdata  # takes a second to import

    def centred(values: Array) -> Array:
        ranks = rankdata(values, axis=-1)
        return np.asarray(ranks - ranks.mean(axis=-1, keepdims=True))

    a, b = centred(first), centred(second)
    size = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    together = np.asarray((a * b).sum(axis=-1))
    known = size > 0
    return np.where(known, together / np.where(known, size, 1.0), np.nan)


def overlap(first: Array, second: Array, k: int) -> float:
    """The share of the ``k`` largest of one quantity, by size, that are of the other's too.

    Both of shape (cell,), finite. NaN where there are no more than ``k`` cells to choose from.
    """
    if len(first) <= k:
        return float("nan")
    picked = [set(np.argsort(-np.abs(values), kind="stable")[:k]) for values in (first, second)]
    return len(picked[0] & picked[1]) / k
