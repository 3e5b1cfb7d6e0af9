"""What the machine can do: the rate of a model's own products, on as many rows as a sweep's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from mediawidget.products import pays

from . import clock

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
    """Operations a second in the products of a block's weights, as they lie, and ``ROWS`` rows.

    Warm, one after another, nothing between them; with the threads that torch has.
    """
    weights = _weights(lm)
    options = {"device": lm.device, "dtype": lm.dtype}
    pairs = [(torch.randn(ROWS, weight.shape[1], **options), weight) for weight in weights]
    operations = sum(2 * ROWS * weight.numel() for weight in weights)

    def own() -> None:
        for left, right in pairs:
            torch.mm(left, right.T)

    def quickest() -> None:
        for left, right in pairs:
            torch.ops.mkldnn._linear_pointwise(left, right, None, "none", [], "")  # noqa: SLF001

    with torch.no_grad():
        found = operations / _seconds(own)
        if not pays() or lm.device.type != "cpu" or lm.dtype != torch.float32:
            return Rate(found, found)
        return Rate(found, max(found, operations / _seconds(quickest)))


def _weights(lm: Any) -> list[Tensor]:
    """Of the maps of a block in the middle, (out, in) each."""
    block = lm.hf.get_submodule(f"{lm.paths.blocks}.{lm.n_layers // 2}")
    weights = [
        each.weight.T if isinstance(each, Conv1D) else each.weight
        for each in block.modules()
        if isinstance(each, torch.nn.Linear | Conv1D)
    ]
    return [weight.detach() for weight in weights]


def _seconds(work: Callable[[], None]) -> float:
    work()
    return median(clock.timed(work)[1] for _ in range(REPEATS))
