"""What a sample of pairs says about all pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, require

Array = NDArray[np.float64]

FEWEST = 3
"""Pairs below which a bootstrap says nothing."""

_FEWEST_RESAMPLES, _MOST_RESAMPLES = 10, 10**7

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
    _refuse_no_interval(level, resamples, seed)
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


def _refuse_no_interval(level: object, resamples: object, seed: object) -> None:
    """Raise where scipy would, or would give an interval that means nothing."""

    def whole(number: object, least: int) -> bool:
        return isinstance(number, int) and not isinstance(number, bool) and number >= least

    fix = "effect.ci('PIE', level=0.95, resamples=2000, seed=0)"
    require(
        isinstance(level, float | int) and 0 < level < 1,
        "The level of an interval is its coverage.",
        value=level,
        expected="a number between 0 and 1",
        fix=fix,
    )
    require(
        whole(resamples, _FEWEST_RESAMPLES) and int(resamples) <= _MOST_RESAMPLES,  # type: ignore[call-overload]
        "An interval is made of resamples.",
        value=resamples,
        expected=f"an int from {_FEWEST_RESAMPLES} to {_MOST_RESAMPLES}",
        fix=fix,
    )
    require(whole(seed, 0), "A seed is a number.", value=seed, expected="an int from 0", fix=fix)
