"""The same grid with plain PyTorch hooks: each patch a row of one flat batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import GPT2LMHeadModel

from mediawidget.encoding import TokenPair

ROWS = 64
"""Rows in a batch: 960 positions, where a CPU's matrix products gain nothing from more."""


def forward(model: nn.Module, ids: Tensor) -> Tensor:
    """The last position's logits, (row, token)."""
    logits: Tensor = model(ids, use_cache=False, logits_to_keep=1).logits
    return logits[:, -1]


def head_grid(model: GPT2LMHeadModel, pair: TokenPair) -> NDArray[np.float64]:
    """Logit differences after patching each head, (2, layer, head).

    The first of the two is Y01 (corrupt prompt, clean value), the second Y10.
    """
    ids = torch.from_numpy(np.stack([pair.corrupt, pair.clean]))
    n_layers, n_heads = model.config.n_layer, model.config.n_head
    width = model.config.n_embd // n_heads
    projections = [model.get_submodule(f"transformer.h.{i}.attn.c_proj") for i in range(n_layers)]
    cells = [(b, i, h) for b in range(2) for i in range(n_layers) for h in range(n_heads)]
    z: dict[int, Tensor] = {}
    differences: list[Tensor] = []

    def keep(layer: int) -> Any:
        return lambda _module, args: z.__setitem__(layer, args[0].clone())

    def patch(layer: int, rows: list[tuple[int, int, int]]) -> Any:
        def write(_module: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor]:
            value = args[0].clone()
            for row, base, head in rows:
                columns = slice(head * width, (head + 1) * width)
                value[row, :, columns] = z[layer][1 - base, :, columns]
            return (value,)

        return write

    def run(batch: Tensor, hooks: dict[int, Any]) -> Tensor:
        handles = [projections[i].register_forward_pre_hook(hook) for i, hook in hooks.items()]
        try:
            return forward(model, batch)
        finally:
            for handle in handles:
                handle.remove()

    with torch.no_grad():
        run(ids, {layer: keep(layer) for layer in range(n_layers)})
        for start in range(0, len(cells), ROWS):
            chunk = cells[start : start + ROWS]
            by_layer: dict[int, list[tuple[int, int, int]]] = {}
            for row, (base, layer, head) in enumerate(chunk):
                by_layer.setdefault(layer, []).append((row, base, head))
            hooks = {layer: patch(layer, rows) for layer, rows in by_layer.items()}
            logits = run(ids[[base for base, _, _ in chunk]], hooks)
            differences.append(logits[:, pair.answer] - logits[:, pair.wrong])
    return torch.cat(differences).double().numpy().reshape(2, n_layers, n_heads)
