"""What a client of a loopback server loads: the model as it is saved, or without its weights."""

from __future__ import annotations

import copy
from typing import Any

import torch

from ...lm import LM


def as_saved(lm: LM) -> bool:
    """Whether who loads the model from its origin gets it in the precision that it has here."""
    if lm.origin is None:
        return False
    from transformers import AutoConfig

    place, revision = lm.origin
    config = AutoConfig.from_pretrained(place, revision=revision)
    return (config.dtype or torch.float32) == lm.dtype


def save_without_weights(lm: LM, place: str) -> None:
    """Write a model's config, with its precision here, and its tokenizer."""
    config: Any = copy.deepcopy(lm.hf.config)
    config.dtype = lm.dtype
    # As a model that is saved says what class it is of.
    config.architectures = [type(lm.hf).__name__]
    config.save_pretrained(place)
    lm.tokenizer.save_pretrained(place)
