"""What a client of a loopback server loads: the model as it is saved, or without its weights."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch
import xxhash

from ...identity import digest
from ...lm import LM
from ..meta import Served

_TEACHING, _PLAIN = "teaching model", "loopback/teaching"
"""What the embedded model is called here and there; others say which weights they have."""


def on_hub(lm: LM) -> bool:
    """Whether who loads the model by its name gets it as it is here, in this precision."""
    if lm.origin is None or not lm.as_loaded or Path(lm.origin[0]).is_dir():
        return False
    from transformers import AutoConfig

    place, revision = lm.origin
    config = AutoConfig.from_pretrained(place, revision=revision)
    return (config.dtype or torch.float32) == lm.dtype


def named(lm: LM) -> Served:
    """What a model goes by on any loopback, in this session and the next.

    The same for the same weights and the same config, another for others.
    """
    weights = digest(lm.hf)
    config: Any = lm.hf.config
    settings = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
    whole = json.dumps((weights, type(lm.hf).__name__, settings), sort_keys=True, default=str)
    found = uuid4().hex if weights is None else xxhash.xxh3_128_hexdigest(whole.encode())
    origin = lm.origin[0] if lm.origin is not None and lm.as_loaded else None
    if origin is not None and lm.name == _TEACHING and lm.dtype == torch.float32:
        return Served(_PLAIN, found, origin)
    name = Path(lm.name).name.replace(" ", "-") or type(lm.hf).__name__
    return Served(f"loopback/{name}-{found[:8]}", found, origin)


def save_without_weights(lm: LM, place: str, served: Served) -> None:
    """Write a model's config, with its precision here, its tokenizer, and what it goes by."""
    config: Any = copy.deepcopy(lm.hf.config)
    config.dtype = lm.dtype
    # As a model that is saved says what class it is of.
    config.architectures = [type(lm.hf).__name__]
    config.save_pretrained(place)
    lm.tokenizer.save_pretrained(place)
    served.save(place)
