"""How far two ways to the same number may part at a model's precision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .lm import LM
from .readouts import RANK

_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-3, torch.float16: 0.05, torch.bfloat16: 0.3}
"""Logits within which two ways to the same number agree, at logits of size 1 to 10."""

_SINGLE = ("gpt_neo", "gptj")
"""Architectures that compute attention in single precision, whatever their weights are in."""

_SINGLE_SOFTMAX = 1e-5
"""The same in double precision, where attention alone is in single precision: it is rounded once
a layer, and pieces of other lengths are summed in other orders."""


def logits_of(kept: NDArray[np.float64], columns: Sequence[str]) -> NDArray[np.float64]:
    """Of the numbers kept of runs, (..., K), those that rounding moves by little: all but ranks."""
    return kept[..., [name != RANK for name in columns]]


def tolerance(lm: LM, logits: NDArray[np.float64]) -> float:
    """How far two ways to the same logits may part at this precision."""
    allowed = _TOLERANCE.get(lm.dtype, 1e-3)
    if lm.dtype == torch.float64:
        allowed = _in_double(getattr(lm.hf, "config", None))
    return allowed * max(1.0, float(np.abs(logits).max()) / 10)


def _in_double(config: Any) -> float:
    """Of a model in double precision: some attend in single precision all the same."""
    if getattr(config, "model_type", "") in _SINGLE:
        return _TOLERANCE[torch.float32]
    # In nearly all of transformers' own attention the softmax is.
    eager = getattr(config, "_attn_implementation", None) == "eager"
    return _SINGLE_SOFTMAX if eager else _TOLERANCE[torch.float64]
