"""How far two ways to the same number may part at a model's precision."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from .lm import LM
from .readouts import RANK

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}
"""Logits within which two ways to the same number agree, at logits of size 1 to 10."""

_SINGLE = ("gpt_neo", "gptj")
"""Architectures that compute attention in single precision, whatever their weights are in."""


def logits_of(kept: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
    """Of the numbers kept of runs, (..., K), those that rounding moves by little: all but ranks."""
    return kept[..., [name != RANK for name in columns]]


def tolerance(lm: LM, logits: NDArray[np.float64]) -> float:
    """How far two ways to the same logits may part at this precision."""
    kind = getattr(getattr(lm.hf, "config", None), "model_type", "")
    dtype = torch.float32 if kind in _SINGLE and lm.dtype == torch.float64 else lm.dtype
    return _TOLERANCE.get(dtype, 1e-3) * max(1.0, float(np.abs(logits).max()) / 10)
