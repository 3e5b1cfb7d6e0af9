"""What is patched, said so that a program that knows nothing of ours can do it too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mediawidget.encoding import TokenPair

Kind = Literal["head", "residual", "neuron"]
Grid = NDArray[np.float64]

MODULES = {
    "gpt2": ("transformer.h", "attn.c_proj", "mlp.c_proj"),
    "llama": ("model.layers", "self_attn.o_proj", "mlp.down_proj"),
}
"""Per kind of model its blocks, and in a block the maps out of the heads and the neurons."""


@dataclass(frozen=True)
class Cell:
    """One thing to patch, from the other prompt.

    Attributes:
        kind, layer: where.
        index: head, neuron or position.
        columns: of the activation, from and to.
        position: None for all.
    """

    kind: Kind
    layer: int
    index: int
    columns: tuple[int, int]
    position: int | None = None

    def module(self, model: Any) -> str:
        """The module whose input is patched."""
        blocks, heads, neurons = MODULES[model.config.model_type]
        block = f"{blocks}.{self.layer}"
        return {"head": f"{block}.{heads}", "neuron": f"{block}.{neurons}"}.get(self.kind, block)


@dataclass(frozen=True)
class Answer:
    """What another program found, and how long it took.

    Attributes:
        values: logit differences (Y01 or Y10, cell): corrupt prompt with clean value, and reverse.
        sources: seconds for the runs of both prompts.
        cells: seconds for all cells, both ways.
    """

    values: Grid
    sources: float
    cells: float


def all_cells(lm: Any, kind: Kind, layers: range, n_tokens: int) -> list[Cell]:
    """All cells of a sweep, in the order of our grid."""
    n = {"head": lm.n_heads, "neuron": lm.d_mlp, "residual": n_tokens}[kind]
    width = {"head": lm.d_head, "neuron": 1, "residual": lm.d_model}[kind]
    if kind == "residual":
        return [Cell(kind, i, p, (0, width), p) for i in layers for p in range(n)]
    return [Cell(kind, i, u, (u * width, (u + 1) * width)) for i in layers for u in range(n)]


def spread(cells: list[Cell], n: int) -> list[int]:
    """The indices of ``n`` cells that lie evenly over all of them."""
    return sorted({int(at) for at in np.linspace(0, len(cells) - 1, min(n, len(cells)))})


def difference(logits: Any, pair: TokenPair) -> Any:
    """The answers' difference, (row,)."""
    return logits[:, pair.answer] - logits[:, pair.wrong]
