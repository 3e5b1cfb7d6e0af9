"""What a sample of pairs says about all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError

Array = NDArray[np.float64]

FEWEST = 3
"""Pairs below which a bootstrap says nothing."""

_AT_ONCE = 250
"""Resamples held in memory at a time."""


def bootstrap_mean(values: Array, level: float, resamples: int, seed: int) -> Array:
    """Interval of the mean over axis 0, (2, *rest): BCa where it exists.

    Args:
        values: (pair, *rest).
        level: coverage, between 0 and 1.
        resamples: of whole pairs.
        seed: of the draw.
    """
    from scipy.stats import bootstrap  # takes a second to import

    n = len(values)
    if n < FEWEST:
        raise MediationError(
            "An interval needs several pairs.",
            value=f"{n} pair" + "s" * (n != 1),
            expected=f"at least {FEWEST}",
            fix="mw.tasks.ioi(lm, n=64) makes a contrast of many",
        )
    flat = values.reshape(n, -1)
    ends = np.stack([flat.mean(axis=0)] * 2)
    # BCa divides by the spread of the sample, so cells without any are left at their mean.
    spread = np.isfinite(flat).all(axis=0) & (np.ptp(flat, axis=0) > 1e-12)
    if spread.any():
        interval = bootstrap(
            (flat[:, spread],),
            np.mean,
            confidence_level=level,
            n_resamples=resamples,
            batch=_AT_ONCE,
            rng=np.random.default_rng(seed),
            method="BCa",
        ).confidence_interval
        ends[:, spread] = [interval.low, interval.high]
    return ends.reshape(2, *values.shape[1:])
