"""The same grid by nnsight as its users write it: one trace a cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from nnsight import NNsight, save
from torch import Tensor

from mediawidget.encoding import TokenPair

from . import clock
from .cells import Answer, Cell, difference


def grid(model: Any, pair: TokenPair, cells: Sequence[Cell]) -> Answer:
    """Every cell both ways; of the logits the last position's alone, which users rarely ask for."""
    traced = NNsight(model)
    prompts = [torch.from_numpy(ids)[None].to(model.device) for ids in (pair.corrupt, pair.clean)]
    names = list(dict.fromkeys(cell.module(model) for cell in cells))
    with torch.no_grad():
        kept, before = clock.timed(lambda: [_sources(traced, ids, names) for ids in prompts])
        values, seconds = clock.timed(
            lambda: [
                float(
                    difference(_patched(traced, prompts[base], cell, kept[1 - base], model), pair)
                )
                for base in range(2)
                for cell in cells
            ]
        )
    return Answer(np.array(values).reshape(2, -1), before, seconds)


def _sources(traced: Any, ids: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
    with traced.trace(ids, use_cache=False, logits_to_keep=1):
        kept = save({name: traced.get(name).input.clone() for name in names})
    return dict(kept)


def _patched(traced: Any, ids: Tensor, cell: Cell, kept: dict[str, Tensor], model: Any) -> Tensor:
    name = cell.module(model)
    columns = slice(*cell.columns)
    at = slice(None) if cell.position is None else cell.position
    with traced.trace(ids, use_cache=False, logits_to_keep=1):
        value = traced.get(name).input.clone()
        value[:, at, columns] = kept[name][:, at, columns]
        traced.get(name).input = value
        logits: Tensor = save(traced.output.logits[:, -1])
    return logits
