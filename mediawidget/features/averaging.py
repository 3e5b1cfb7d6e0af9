"""The mean of a gradient along a path, with more points where it changes fast.

Between two prompts a gradient is smooth but need not be even: where an attention head changes its
mind it can rise a hundredfold within a 200th of the way, which points at equal distances miss or
count double. So a part of the way is halved until two rules agree on it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import torch
from numpy.polynomial.legendre import leggauss
from numpy.typing import NDArray
from torch import Tensor

from ..plan.frame import Ints

Array = NDArray[np.float64]

_FINE, _COARSE = leggauss(10), leggauss(6)
_AT: Array = np.concatenate([_FINE[0], _COARSE[0]]) / 2 + 0.5
"""Where in a part of the way its slopes are taken: Gauss-Legendre with 10 points and with 6."""
_WEIGHTS: Array = np.stack([np.r_[_FINE[1], np.zeros(6)], np.r_[np.zeros(10), _COARSE[1]]]) / 2

_AGAIN = 3
"""How often an item that misses what its runs say begins anew, each time in finer parts."""


@dataclass
class Averaging:
    """The mean slopes of some items, each on its own way from 0 to 1.

    Args:
        means: items, (point, item) how far on their ways and (rule, point) weights, to the sums
            (rule, item, ...) of the slopes there.
        error: items and what two rules differ by, to how many times too much that is.
        missed: items and their means, to how many times too much they miss what runs say.
        most: points an item may have; parts that are begun are ended.
    """

    means: Callable[[Ints, Array, Array], Tensor]
    error: Callable[[Ints, Tensor], Array]
    missed: Callable[[Ints, Tensor], Array]
    most: int
    points: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    def of(self, n: int, like: Tensor) -> Tensor:
        """The means: (item, ...), as ``like`` is without its first axis."""
        mean = torch.zeros((n, *like.shape[1:]), dtype=like.dtype, device=like.device)
        self.points, left = np.zeros(n, dtype=np.int64), np.arange(n)
        miss = np.full(n, np.inf)
        for again in range(_AGAIN + 1):
            found = torch.zeros_like(mean)
            self._add(found, left, 4**again)
            now = self.missed(left, found[torch.from_numpy(left)])
            better = left[now < miss[left]]
            mean[torch.from_numpy(better)] = found[torch.from_numpy(better)]
            miss[left] = np.minimum(miss[left], now)
            left = left[(miss[left] > 1.0) & (self.points[left] < self.most)]
            if not len(left):
                break
        return mean

    def _add(self, mean: Tensor, items: Ints, finer: int) -> None:
        """Add the means of some items, whose ways are in ``finer`` parts to begin with."""
        ends = np.linspace(0.0, 1.0, finer + 1)
        parts = {int(one): deque(pairwise(ends)) for one in items}
        while parts:
            now = np.array(list(parts))
            # The widest first: where points come to an end, what is left is narrow.
            first, last = np.array([parts[one].popleft() for one in parts]).T
            width = last - first
            seen = self.means(now, first + _AT[:, None] * width, _WEIGHTS)
            self.points[now] += len(_AT)
            part = torch.from_numpy(width).to(mean).reshape(-1, *(1,) * (mean.ndim - 1))
            fine, coarse = seen * part
            # The coarse rule's error bounds the fine one's from far above.
            good = self.error(now, fine - coarse) * finer <= np.sqrt(width)
            good |= self.points[now] >= self.most
            kept = torch.from_numpy(np.flatnonzero(good))
            mean[torch.from_numpy(now)[kept]] += fine[kept]
            for one, a, b in zip(now[~good], first[~good], last[~good], strict=True):
                parts[int(one)] += [(a, (a + b) / 2), ((a + b) / 2, b)]
            parts = {one: some for one, some in parts.items() if some}
