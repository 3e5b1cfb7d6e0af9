"""The same grid with plain PyTorch hooks: each patch a row of one flat batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mediawidget.encoding import TokenPair

from . import clock
from .cells import Answer, Cell, difference

CPU_POSITIONS, POSITIONS = 960, 65536
"""In a batch: 960 are as many as a CPU's matrix products gain anything from."""

Hooks = dict[str, Any]


def forward(model: nn.Module, ids: Tensor) -> Tensor:
    """The last position's logits, (row, token)."""
    logits: Tensor = model(ids, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1]


def grid(model: nn.Module, pair: TokenPair, cells: Sequence[Cell]) -> Answer:
    """Every cell both ways, as many rows at a time as pay."""
    device = next(model.parameters()).device
    ids = torch.from_numpy(np.stack([pair.corrupt, pair.clean])).to(device)
    todo = [(base, cell) for base in range(2) for cell in cells]
    most = CPU_POSITIONS if device.type == "cpu" else POSITIONS
    n_rows = max(1, most // ids.shape[1])
    kept: dict[str, Tensor] = {}

    def sources() -> None:
        with _hooked(model, {cell.module(model): _keep(kept, cell, model) for cell in cells}):
            forward(model, ids)

    def patched() -> Tensor:
        parts = []
        for start in range(0, len(todo), n_rows):
            some = todo[start : start + n_rows]
            with _hooked(model, _patches(model, some, kept)):
                logits = forward(model, ids[[base for base, _ in some]])
            parts.append(difference(logits, pair))
        return torch.cat(parts).double().cpu()

    with torch.no_grad():
        _, before = clock.timed(sources)
        values, seconds = clock.timed(patched)
    return Answer(values.numpy().reshape(2, -1), before, seconds)


@contextmanager
def _hooked(model: nn.Module, hooks: Hooks) -> Iterator[None]:
    handles = [
        model.get_submodule(name).register_forward_pre_hook(hook) for name, hook in hooks.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _keep(kept: dict[str, Tensor], cell: Cell, model: nn.Module) -> Any:
    name = cell.module(model)
    return lambda _module, args: kept.__setitem__(name, args[0].clone())


def _patches(model: nn.Module, rows: Sequence[tuple[int, Cell]], kept: dict[str, Tensor]) -> Hooks:
    by_module: dict[str, list[tuple[int, int, Cell]]] = {}
    for row, (base, cell) in enumerate(rows):
        by_module.setdefault(cell.module(model), []).append((row, base, cell))

    def patch(name: str, some: list[tuple[int, int, Cell]]) -> Any:
        def write(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            value = args[0].clone()
            for row, base, cell in some:
                columns = slice(*cell.columns)
                at = slice(None) if cell.position is None else cell.position
                value[row, at, columns] = kept[name][1 - base, at, columns]
            return (value, *args[1:])

        return write

    return {name: patch(name, some) for name, some in by_module.items()}
