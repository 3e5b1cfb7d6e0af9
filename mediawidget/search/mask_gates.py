"""Gates between 0 and 1 that can be learned and are mostly at an end: the hard concrete law.

Source: Louizos, Welling and Kingma 2018. A logistic draw is stretched beyond 0 and 1 and cut off
there, so that a gate is exactly open or shut with a probability that has a gradient. Used for
masks over a network's parts by Cao et al. 2021 and, over edges, by Bhaskar et al. 2024.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

TEMPERATURE = 2 / 3
LOW, HIGH = -0.1, 1.1
"""The ends that a draw is stretched to; these three are the paper's values."""

_SHIFT = TEMPERATURE * math.log(-LOW / HIGH)


def noise(n: int, n_gates: int, source: torch.Generator) -> Tensor:
    """(n, gate) logistic draws in double precision, on the CPU: a seed is the same everywhere."""
    uniform = torch.rand((n, n_gates), generator=source, dtype=torch.float64)
    uniform = uniform.clamp(1e-9, 1 - 1e-9)
    return uniform.log() - (-uniform).log1p()


def opened(logits: Tensor, draws: Tensor) -> Tensor:
    """(n, gate) gates of some draws, 0 to 1."""
    return _stretched(((logits + draws.to(logits)) / TEMPERATURE).sigmoid())


def expected_open(logits: Tensor) -> Tensor:
    """(gate,) the probability that a gate is not shut: its expected L0 norm."""
    return (logits - _SHIFT).sigmoid()


def openness(logits: Iterable[float]) -> NDArray[np.float64]:
    """(gate,) minus the logarithm of the probability that a gate is shut: 0 and up.

    It is 0 of a gate that is shut for sure. The probability that a gate is not shut rises with it,
    but is soon the same double for all gates that are open; this goes on as the logits do.
    """
    return np.asarray(np.logaddexp(0.0, np.fromiter(logits, np.float64) - _SHIFT))


def settled(logits: Tensor) -> Tensor:
    """(gate,) the gate without noise, as the paper uses it after training: 0 to 1."""
    return _stretched(logits.sigmoid())


def _stretched(share: Tensor) -> Tensor:
    return (share * (HIGH - LOW) + LOW).clamp(0, 1)
