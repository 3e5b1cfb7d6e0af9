"""The interval of a mean over pairs, whole clusters drawn, where there are enough of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .clusters import cluster_codes, cluster_sums
from .resampling import FEWEST, bootstrap_ratio, refuse_no_interval

Array = NDArray[np.float64]


def mean_interval(
    values: Array, clusters: Sequence[str], level: float, resamples: int = 2000, seed: int = 0
) -> Array:
    """Interval of the mean over axis 0: (2, *rest), lower then upper, in the unit of ``values``.

    Args:
        values: (pair, *rest).
        clusters: per pair the name of its cluster; () where every pair is its own.
        level: coverage, between 0 and 1.
        resamples: how many.
        seed: of the draw.

    Returns:
        ``bootstrap_ratio`` of the clusters' sums and sizes; NaN for fewer than three clusters.

    Raises:
        MediationError: a level, a number of resamples or a seed that is none.
    """
    refuse_no_interval(level, resamples, seed)
    codes = cluster_codes(clusters, len(values))
    sums, sizes = cluster_sums(values, codes), cluster_sums(np.ones_like(values), codes)
    if len(sums) < FEWEST:
        return np.full((2, *values.shape[1:]), np.nan)
    return bootstrap_ratio(sums, sizes, level, resamples, seed)
