"""Set functions over few players: Moebius dividends and Shapley values.

A set of players is a bitmask: bit i is player i. A set function is an array whose first axis runs
over all masks, from 0 to 2^n - 1; further axes (pairs of prompts) go along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def mask_of(players: Iterable[int]) -> int:
    """A set as a bitmask."""
    return sum(1 << player for player in set(players))


def members(mask: int) -> tuple[int, ...]:
    """The players of a bitmask, ascending."""
    return tuple(i for i in range(mask.bit_length()) if mask >> i & 1)


def sizes(n: int) -> NDArray[np.int64]:
    """(2^n,) how many players each mask has."""
    masks = np.arange(1 << n)
    return np.asarray(np.sum(masks[:, None] >> np.arange(n) & 1, axis=1))


def dividends(values: Array) -> Array:
    """Moebius dividends of a set function (2^n, ...).

    d(S) = sum over T in S of (-1)^(|S| - |T|) v(T): what S does together beyond what its parts do
    (Harsanyi 1963). The dividends of the subsets of S add up to v(S).
    """
    result = np.array(values, dtype=np.float64)
    n = (len(result) - 1).bit_length()
    for player in range(n):
        both = result.reshape(-1, 2, 1 << player, *result.shape[1:])
        both[:, 1] -= both[:, 0]
    return result


def shapley(found: Array) -> Array:
    """Shapley values (n, ...) of a game given by its dividends (2^n, ...).

    Every dividend is shared evenly among its players (Harsanyi 1963); they add up to v(all) - v().
    """
    n = (len(found) - 1).bit_length()
    size = sizes(n)
    shares = found / np.maximum(size, 1).reshape(-1, *(1,) * (found.ndim - 1))
    masks = np.arange(1 << n)
    return np.stack([shares[(masks >> player & 1) == 1].sum(axis=0) for player in range(n)])


def up_to(n: int, size: int) -> Iterator[tuple[int, ...]]:
    """All sets of at most ``size`` of ``n`` players, small ones first."""
    for k in range(size + 1):
        yield from combinations(range(n), k)
