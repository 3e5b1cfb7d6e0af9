"""Bootstrap intervals: what the mean, or a ratio of means, would be on other pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, require

Array = NDArray[np.float64]

FEWEST = 3
"""Pairs, or clusters of pairs, below which a bootstrap says nothing."""

_FEWEST_RESAMPLES, _MOST_RESAMPLES = 10, 10**7

_AT_ONCE = 250
"""Resamples held in memory at a time."""

_NUMBERS_AT_ONCE = 2_000_000
"""Resampled numbers held in memory at a time, of as many columns as they are enough for."""

_UNBOUNDED = 1e150
"""In place of infinity, between which and a number there is no percentile."""

_NO_SPREAD = 1e-12
"""Units that differ by a smaller share of the largest are the same: it is rounding."""


def bootstrap_ratio(top: Array, bottom: Array, level: float, resamples: int, seed: int) -> Array:
    """Interval of sum(top) / sum(bottom), sums over axis 0: (2, *rest), lower then upper end.

    The units of axis 0 are drawn, whole, with replacement (BCa, Efron 1987;
    ``scipy.stats.bootstrap``). A mean over pairs is the ratio of the clusters' sums to their
    sizes, a share of the total effect the ratio of two sums. What is the same in every unit has an
    interval of no width; NaN stays NaN.

    A resample whose total, the sum of ``bottom``, is 0 or has turned its sign bounds its ratio to
    neither side: it counts as below all others at the lower end and above all at the upper one.
    Where so many do that an end lies among them, or where the total is 0 with one unit left out,
    there is no finite interval, and both ends are NaN (as Fieller's is unbounded then).

    Args:
        top: (unit, *rest).
        bottom: of a shape that broadcasts to it.
        level: coverage, between 0 and 1.
        resamples: how many.
        seed: of the draw.

    Raises:
        MediationError: fewer than three units, a level, a number or a seed that is none.
    """
    refuse_few(len(top))
    refuse_no_interval(level, resamples, seed)
    flat = top.reshape(len(top), -1)
    below = np.broadcast_to(bottom, top.shape).reshape(flat.shape)
    whole = below.sum(axis=0)
    # A sign that top and bottom share makes every total positive, and changes no ratio.
    sign = np.where(whole < 0, -1.0, 1.0)
    flat, below = flat * sign, below * sign
    ratio = _ratio(flat, below, np.nan, axis=0)
    ends = np.stack([ratio] * 2)
    # BCa divides by the spread of the sample, so what has none is left at its ratio.
    rest = flat - ratio * below
    same = np.ptp(rest, axis=0) <= _NO_SPREAD * np.abs(flat).max(axis=0)
    spread = np.flatnonzero(np.isfinite(rest).all(axis=0) & ~same)
    columns = max(1, _NUMBERS_AT_ONCE // (_AT_ONCE * len(top)))
    for start in range(0, len(spread), columns):
        some = spread[start : start + columns]
        ends[:, some] = _finite_or_none(flat[:, some], below[:, some], level, resamples, seed)
    return ends.reshape(2, *top.shape[1:])


def _finite_or_none(top: Array, bottom: Array, level: float, resamples: int, seed: int) -> Array:
    """The interval of some columns, NaN where it is not finite: (2, cell)."""
    if (bottom > 0).all():
        return _bca(top, bottom, None, level, resamples, seed)
    ends = np.full((2, top.shape[1]), np.nan)
    size = np.abs(bottom)
    # The acceleration is made of the ratios without one unit.
    some = _positive(bottom.sum(axis=0) - bottom, size.sum(axis=0) - size).all(axis=0)
    if some.any():
        sides = (-_UNBOUNDED, _UNBOUNDED)
        both = [_bca(top[:, some], bottom[:, some], s, level, resamples, seed) for s in sides]
        ends[:, some] = np.stack([both[0][0], both[1][1]])
    return _without_unbounded(ends)


def _without_unbounded(ends: Array) -> Array:
    """(2, *rest) intervals, both ends NaN where one lies among resamples without a bound."""
    return np.where((np.abs(ends) < np.sqrt(_UNBOUNDED)).all(axis=0), ends, np.nan)


def unbounded_ends(values: Array, level: float) -> Array:
    """Percentile interval over axis 0, (2, *rest), of values that are NaN where unbounded.

    Such a value counts as below all others at the lower end and above all at the upper one; where
    an end lies among them both are NaN.
    """
    none = np.isnan(values)
    low = np.quantile(np.where(none, -_UNBOUNDED, values), (1 - level) / 2, axis=0)
    high = np.quantile(np.where(none, _UNBOUNDED, values), (1 + level) / 2, axis=0)
    return _without_unbounded(np.stack([low, high]))


def _bca(
    top: Array, bottom: Array, unbounded: float | None, level: float, resamples: int, seed: int
) -> Array:
    """The interval of some columns, each with the draws that it would have alone: (2, cell)."""
    from scipy.stats import bootstrap  # takes a second to import

    interval = bootstrap(
        (top, bottom),
        lambda a, b, axis: _ratio(a, b, unbounded, axis),
        paired=True,
        confidence_level=level,
        n_resamples=resamples,
        batch=_AT_ONCE,
        rng=np.random.default_rng(seed),
        method="BCa",
    ).confidence_interval
    return np.stack([interval.low, interval.high])


def _ratio(top: Array, bottom: Array, unbounded: float | None, axis: int) -> Array:
    """Ratio of two sums, ``unbounded`` where the lower one is not positive, if it is not None."""
    above, below = top.sum(axis=axis), bottom.sum(axis=axis)
    if unbounded is None:
        return np.asarray(above / below)
    positive = _positive(below, np.abs(bottom).sum(axis=axis))
    out = np.full_like(above, unbounded)
    return np.asarray(np.divide(above, below, out=out, where=positive))


def _positive(total: Array, size: Array) -> NDArray[np.bool_]:
    """Whether totals are above 0 by more than rounding, ``size`` the sum of their parts' sizes."""
    return np.asarray(total > _NO_SPREAD * size)


def resampled_ratio(weights: Array, top: Array, bottom: Array) -> Array:
    """Ratios of the sums in each resample, NaN where the total is 0 or has turned its sign.

    Args:
        weights: (resample, unit) of ``resample_weights``.
        top: (unit, *rest).
        bottom: (unit,).

    Returns:
        (resample, *rest).
    """
    sign = -1.0 if bottom.sum() < 0 else 1.0
    totals = weights @ (bottom * sign)
    fit = _positive(totals, weights @ np.abs(bottom))
    totals = np.where(fit, totals, np.nan).reshape(-1, *(1,) * (top.ndim - 1))
    return np.asarray(np.tensordot(weights, top * sign, axes=1) / totals)


def resample_weights(n_units: int, resamples: int, seed: int) -> Array:
    """How often each unit is drawn in each resample: (resample, unit), rows that sum to the units.

    Raises:
        MediationError: fewer than three units, a number or a seed that is none.
    """
    refuse_few(n_units)
    refuse_no_interval(0.95, resamples, seed)
    rng = np.random.default_rng(seed)
    even = np.full(n_units, 1 / n_units)
    return rng.multinomial(n_units, even, size=resamples).astype(np.float64)


def refuse_few(n_units: int) -> None:
    """Raise unless there are units enough for a statement about others."""
    if n_units < FEWEST:
        raise MediationError(
            "A statement about other pairs needs several pairs.",
            value=f"{n_units} independent pair" + "s" * (n_units != 1),
            expected=f"at least {FEWEST}; pairs of one template count as one",
            fix="mw.tasks.ioi(lm, n=64) makes a contrast of many",
        )


def refuse_no_seed(seed: object, *, torch: bool = False) -> None:
    """Raise unless ``seed`` is an int from 0; ``torch`` takes no more than 64 bits."""
    require(
        whole(seed, 0) and not (torch and seed >= 2**64),  # type: ignore[operator]
        "A seed is a number.",
        value=seed,
        expected="an int from 0" + (" to 2**64 - 1" if torch else ""),
        fix="seed=0",
    )


def refuse_no_flag(name: str, value: object) -> None:
    """Raise unless ``value`` is True or False: of an array or a text neither is meant."""
    require(
        isinstance(value, bool | np.bool_),
        f"{name} is so or not.",
        value=value,
        expected="True or False",
        fix=f"{name}=True",
    )


def whole(number: object, least: int) -> bool:
    """Whether ``number`` is an int, numpy's too, of at least ``least``."""
    some = isinstance(number, int | np.integer) and not isinstance(number, bool)
    return some and bool(number >= least)  # type: ignore[operator]


def refuse_no_share(name: str, value: object) -> None:
    """Raise unless ``value`` is a number between 0 and 1."""
    number = isinstance(value, float | int) and not isinstance(value, bool)
    require(
        number and 0 < value < 1,  # type: ignore[operator]
        f"The {name} is a share.",
        value=value,
        expected="a number between 0 and 1",
        fix=f"{name}=" + {"level": "0.95", "power": "0.8"}.get(name, "0.05"),
    )


def refuse_no_number(name: str, value: object, example: int) -> None:
    """Raise unless ``value`` is a number of draws that means something and fits into memory."""
    require(
        whole(value, _FEWEST_RESAMPLES) and int(value) <= _MOST_RESAMPLES,  # type: ignore[call-overload]
        f"{name} are counted.",
        value=value,
        expected=f"an int from {_FEWEST_RESAMPLES} to {_MOST_RESAMPLES}",
        fix=f"{name}={example}",
    )


def refuse_no_interval(level: object, resamples: object, seed: object) -> None:
    """Raise where scipy would, or would give an interval that means nothing.

    Raises:
        MediationError: a level, a number of resamples or a seed that is none.
    """
    refuse_no_share("level", level)
    refuse_no_number("resamples", resamples, 2000)
    refuse_no_seed(seed)
