"""What the machine can do: the rate of matrix products as large and shaped as a sweep's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from mediawidget.products import pays

from . import clock
from .arithmetic import Sizes

ROWS = 2048
REPEATS = 5


@dataclass(frozen=True)
class Rate:
    """Operations a second: of torch's own products, and by the library that is the quickest here.

    The model itself, and every other program, computes by the first; the second is the first where
    no other library is known to be quicker.
    """

    own: float
    quickest: float

    def mean(self, other: Rate) -> Rate:
        """Of two measurements."""
        return Rate((self.own + other.own) / 2, (self.quickest + other.quickest) / 2)


def measure(lm: Any) -> Rate:
    """Operations a second in the products of one block on ``ROWS`` positions, in the best case.

    Warm, one after another, nothing between them; with the threads that torch has.
    """
    size = Sizes.of(lm)
    shapes = [(size.d_model, size.heads + 2 * size.keys), (size.heads, size.d_model)]
    shapes += [(size.d_model, size.d_mlp)] * (size.n_maps - 1) + [(size.d_mlp, size.d_model)]
    options = {"device": lm.device, "dtype": lm.dtype}
    pairs = [(torch.randn(ROWS, a, **options), torch.randn(b, a, **options)) for a, b in shapes]
    operations = sum(2 * ROWS * a * b for a, b in shapes)

    def own() -> None:
        for left, right in pairs:
            torch.mm(left, right.T)

    def quickest() -> None:
        for left, right in pairs:
            torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")  # noqa: SLF001

    found = operations / _seconds(own)
    if not pays() or lm.device.type != "cpu" or lm.dtype != torch.float32:
        return Rate(found, found)
    return Rate(found, max(found, operations / _seconds(quickest)))


def _seconds(work: Callable[[], None]) -> float:
    work()
    return median(clock.timed(work)[1] for _ in range(REPEATS))
