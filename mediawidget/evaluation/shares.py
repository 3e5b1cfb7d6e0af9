"""Shares of what the whole network does beyond the empty circuit, refused where that is nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ..errors import MediationError
from ..statistics import FEWEST, bootstrap_ratio, cluster_codes, cluster_sums, mean_interval
from ..validity import too_near_zero
from .values import Array


class Measured(Protocol):
    """What numbers of circuits are in, and which pairs belong together."""

    @property
    def unit(self) -> str: ...
    @property
    def clusters(self) -> tuple[str, ...]: ...


def refused(model: Array, empty: Array, terms: Measured) -> str:
    """Why m(M) - m(empty), each (pair,), is nothing to divide by; empty where it is."""
    return no_divisor(model, empty, terms.clusters, "m(M) - m(empty)", terms.unit)


def no_divisor(high: Array, low: Array, clusters: Sequence[str], name: str, unit: str) -> str:
    """Why the mean of high - low, each (pair,), is nothing to divide by; empty where it is.

    It is near 0, or, with three clusters or more, its 95% interval holds 0: the rule of
    ``Effect.normalized``.
    """
    most, least = float(high.mean()), float(low.mean())
    words = f"{name} = {most - least:.3g} {unit}"
    if too_near_zero(most, least):
        return words
    ends = mean_interval(high - low, clusters, 0.95)
    if np.isfinite(ends).all() and ends[0] <= 0 <= ends[1]:
        return f"{words}, 95% interval {ends[0]:.3g} to {ends[1]:.3g}"
    return ""


def refuse(model: Array, empty: Array, terms: Measured) -> None:
    """Raise where ``refused`` has a reason."""
    words = refused(model, empty, terms)
    if words:
        raise MediationError(
            "Ablating everything changes the metric too little to give shares of it.",
            value=words,
            expected="a difference whose interval does not hold 0",
            fix="read the raw differences, choose another ablation, or more pairs",
        )


def ratio_interval(
    top: Array,
    bottom: Array,
    clusters: Sequence[str],
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Array:
    """Interval of mean(top) / mean(bottom): (pair, *rest) by (pair,) to (2, *rest).

    Pairs are drawn whole, clusters whole where there are any; NaN for fewer than three of them.
    """
    codes = cluster_codes(clusters, len(top))
    sums = cluster_sums(top, codes)
    if len(sums) < FEWEST:
        return np.full((2, *top.shape[1:]), np.nan)
    below = cluster_sums(bottom, codes).reshape(-1, *(1,) * (top.ndim - 1))
    return bootstrap_ratio(sums, below, level, resamples, seed)
