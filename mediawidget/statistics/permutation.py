"""Is a mean over pairs other than 0? Sign flips, and the price of asking at many cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ..errors import is_one_of, require
from .resampling import refuse_few, refuse_no_number, refuse_no_seed

Array = NDArray[np.float64]

CORRECTIONS = ("bh", "by", "max-t")

_NUMBERS_AT_ONCE = 2_000_000
"""Flipped statistics held in memory at a time."""

_ROUNDING = 1e-9
"""Two sums of the same terms differ by less, whatever the order of the terms."""


def q_values(
    sums: Array, correction: str = "bh", permutations: int = 10_000, seed: int = 0
) -> Array:
    """Two-sided q value of each column's mean, corrected for the number of columns.

    If a unit is as likely to show an effect of the one sign as of the other, flipping the signs
    of whole units changes nothing; p is the share of flips whose |sum| is at least as large. The
    same flips are used for every column. All 2^units are made where they are fewer than
    ``permutations``; else as many are drawn, and the unflipped one is counted among them
    (Phipson and Smyth 2010).

    Args:
        sums: (unit, cell), finite: a pair's value, or the sum over a cluster.
        correction: ``bh`` for the false discovery rate (Benjamini and Hochberg 1995), ``by`` for
            the same under any dependence (Benjamini and Yekutieli 2001), ``max-t`` for the
            chance of a single false one (Westfall and Young 1993, single step: against the
            largest |t| of all columns).
        permutations: how many flips at most.
        seed: of the draw.

    Returns:
        (cell,), 1 for a column that is 0 in every unit.

    Raises:
        MediationError: fewer than three units, another correction, a number or seed that is none.
    """
    from scipy.stats import false_discovery_control  # takes a second to import

    refuse_few(len(sums))
    refuse_no_correction(correction)
    refuse_no_number("permutations", permutations, 10_000)
    refuse_no_seed(seed)
    if not sums.shape[1]:
        return np.zeros(0)
    p, p_of_largest = _p_values(sums, permutations, seed)
    if correction == "max-t":
        return p_of_largest
    return np.asarray(false_discovery_control(p, method=correction))


def refuse_no_correction(correction: object) -> None:
    """Raise unless it is the name of a correction."""
    require(
        is_one_of(correction, CORRECTIONS),
        "Many tests are corrected for by one of three rules.",
        value=correction,
        expected=" or ".join(map(repr, CORRECTIONS)),
        fix="correction='bh', or 'max-t' for the chance of a single false cell",
    )


def _p_values(sums: Array, permutations: int, seed: int) -> tuple[Array, Array]:
    """Each column's own p, and its p against the largest |t| of all columns."""
    size = np.sqrt((sums**2).sum(axis=0))
    # |sum| / size rises with |t|, alike in every column: flips do not change the size.
    scaled = np.divide(sums, size, out=np.zeros_like(sums), where=size > 0)
    found = np.abs(scaled.sum(axis=0)) - _ROUNDING
    n, exact = len(sums), 2 ** len(sums) <= permutations
    own, largest = np.zeros_like(found), np.zeros_like(found)
    at_once = max(1, _NUMBERS_AT_ONCE // max(scaled.shape))
    for signs in _flips(n, None if exact else permutations, seed, at_once):
        flipped = np.abs(signs @ scaled)
        own += (flipped >= found).sum(axis=0)
        top = np.sort(flipped.max(axis=1))
        largest += len(top) - np.searchsorted(top, found)
    if exact:
        return own / 2**n, largest / 2**n
    return (own + 1) / (permutations + 1), (largest + 1) / (permutations + 1)


def _flips(n_units: int, drawn: int | None, seed: int, at_once: int) -> Iterator[Array]:
    """Rows of signs, (flip, unit), some at a time: ``drawn`` random ones, or all there are."""
    rng = np.random.default_rng(seed)
    total = 2**n_units if drawn is None else drawn
    for start in range(0, total, at_once):
        stop = min(start + at_once, total)
        if drawn is None:
            bits = np.arange(start, stop)[:, None] >> np.arange(n_units) & 1
        else:
            bits = rng.integers(0, 2, size=(stop - start, n_units))
        yield np.asarray(2 * bits - 1, dtype=np.float64)
