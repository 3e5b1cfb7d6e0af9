"""How many pairs a study needs before it can see an effect."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resampling import refuse_few, refuse_no_share

Array = NDArray[np.float64]

_LARGE = 1e6
"""Pairs from which on t and normal distributions agree to a few pairs in a million."""

_LARGEST_D = 1e4
"""A mean of so many standard deviations is found by the fewest pairs; scipy knows none larger."""


def pairs_needed(
    values: Array,
    effect_size: float | Array | None = None,
    power: float = 0.8,
    alpha: float = 0.05,
) -> Array:
    """The fewest pairs that find a mean other than 0, by a two-sided one-sample t test.

    The smallest n at which the noncentral t distribution of n - 1 degrees of freedom and
    noncentrality sqrt(n) * effect_size / sd, with the sd of ``values``, is beyond the critical
    values with a chance of ``power`` (Cohen 1988).

    Args:
        values: (pair, *rest), a sample that shows how much pairs differ.
        effect_size: the mean to be found, in the unit of ``values``; default the observed one,
            which is too large for cells that were picked because they are.
        power: chance of finding it.
        alpha: chance of finding what is not there.

    Returns:
        (*rest): whole numbers from 2; inf for an effect of 0, NaN where there is no number.

    Raises:
        MediationError: fewer than three pairs, a power or alpha that is no share.
    """
    from scipy.stats import norm  # takes a second to import

    refuse_few(len(values))
    refuse_no_share("power", power)
    refuse_no_share("alpha", alpha)
    sd = values.std(axis=0, ddof=1)
    mean = values.mean(axis=0) if effect_size is None else np.broadcast_to(effect_size, sd.shape)
    size = np.abs(np.asarray(mean, dtype=np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(size > 0, size / sd, 0.0)
    d = np.where(np.isfinite(sd) & np.isfinite(size), np.minimum(d, _LARGEST_D), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        normal = np.where(d == 0, np.inf, (_shift(power, alpha) / d) ** 2)
    needed = np.asarray(np.ceil(normal))
    search = np.isfinite(d) & (normal < _LARGE)
    most = normal[search] + norm.isf(alpha / 2) ** 2 + 20
    needed[search] = _smallest(d[search], most, power, alpha)
    return needed


def _shift(power: float, alpha: float) -> float:
    """By how much a normal variable of variance 1 is off 0 where its test has the power."""
    from scipy.optimize import brentq
    from scipy.stats import norm

    if power <= alpha:  # which every test has
        return 0.0
    z = norm.isf(alpha / 2)

    def lacking(shift: float) -> float:
        return float(norm.cdf(shift - z) + norm.cdf(-shift - z) - power)

    return float(brentq(lacking, 0.0, z + abs(norm.ppf(power)) + 1))


def _smallest(d: Array, most: Array, power: float, alpha: float) -> Array:
    """Per effect size the smallest n of enough power, by halving 2 to ``most``."""
    low, high = np.full(d.shape, 2.0), np.ceil(most)
    while (low < high).any():
        middle = np.floor((low + high) / 2)
        enough = _power(d, middle, alpha) >= power
        high = np.where(enough, middle, high)
        low = np.where(enough, low, middle + 1)
    return high


def _power(d: Array, n: Array, alpha: float) -> Array:
    """The chance that a t test of n pairs finds a mean of d standard deviations."""
    from scipy.stats import nct, t

    shift = d * np.sqrt(n)
    beyond = t.isf(alpha / 2, n - 1)
    # scipy has no number for a chance too near 1, nor for one too near 0.
    right_side = np.nan_to_num(nct.sf(beyond, n - 1, shift), nan=1.0)
    wrong_side = np.nan_to_num(nct.cdf(-beyond, n - 1, shift), nan=0.0)
    return np.asarray(right_side + wrong_side)
