"""What the machine can do: the rate of matrix products as large and shaped as a sweep's."""

from __future__ import annotations

from statistics import median
from typing import Any

import torch

from . import clock
from .arithmetic import Sizes

ROWS = 2048
REPEATS = 5


def measure(lm: Any) -> float:
    """Operations a second in the products of one block on ``ROWS`` positions, in the best case.

    Warm, one after another, nothing between them; with the threads that torch has.
    """
    size = Sizes.of(lm)
    shapes = [(size.d_model, size.heads + 2 * size.keys), (size.heads, size.d_model)]
    shapes += [(size.d_model, size.d_mlp)] * (size.n_maps - 1) + [(size.d_mlp, size.d_model)]
    options = {"device": lm.device, "dtype": lm.dtype}
    pairs = [(torch.randn(ROWS, a, **options), torch.randn(a, b, **options)) for a, b in shapes]

    def products() -> None:
        for left, right in pairs:
            torch.mm(left, right)

    products()
    seconds = median(clock.timed(products)[1] for _ in range(REPEATS))
    return sum(2 * ROWS * a * b for a, b in shapes) / seconds
