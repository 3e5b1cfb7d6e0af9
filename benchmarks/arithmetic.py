"""The fewest operations that the runs of a sweep need, by what they are, not by what we run.

A run has its base's values at all positions before the first that it changes, and in all layers
before the first that it edits, so neither is computed for it. Of the last block only the last
position is read, but for its keys and values; of the logits the last position's. A product and its
sum are two operations. Norms and activations are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .cells import Cell


@dataclass(frozen=True)
class Sizes:
    """Of a model: widths, and how many maps of d_model x d_mlp an MLP has."""

    n_layers: int
    d_model: int
    heads: int
    keys: int
    d_mlp: int
    n_maps: int
    vocabulary: int

    @classmethod
    def of(cls, lm: Any) -> Sizes:
        """Read off a loaded model."""
        n_maps = 3 if lm.hf.config.model_type == "llama" else 2
        heads, keys = lm.n_heads * lm.d_head, lm.n_kv_heads * lm.d_head
        return cls(lm.n_layers, lm.d_model, heads, keys, lm.d_mlp, n_maps, lm.vocabulary)


def needed(size: Sizes, n_tokens: int, first: int, cells: Sequence[Cell]) -> float:
    """Operations for all cells both ways and for the two prompts, which share ``first`` tokens."""
    prefix = sum(_block(size, 0, first, last=False) for _ in range(size.n_layers - 1))
    prefix += 2 * first * size.d_model * 2 * size.keys
    base = _blocks(size, 0, first, n_tokens) + _unembedding(size)
    total = prefix + 2 * base
    memo: dict[tuple[str, int, int | None], float] = {}
    for cell in cells:
        if cell.position is not None and cell.position < first:
            continue  # both prompts have the same there
        key = (cell.kind, cell.layer, cell.position)
        if key not in memo:
            memo[key] = _run(size, cell, n_tokens, first)
        total += 2 * memo[key]
    return float(total)


def checks(size: Sizes, n_tokens: int, first: int, cells: Sequence[Cell]) -> float:
    """Operations for what a sweep proves itself by, on its first pair.

    The strongest cell once more by a plain pass over a whole prompt, without that which finds what
    is patched; both ways a patch of a value with itself, in the middle layer and at all positions,
    and a patch of the whole stream there.
    """
    middle = cells[len(cells) // 2]
    cut = _blocks(size, size.n_layers // 2, first, n_tokens) + _unembedding(size)
    if middle.kind == "residual":
        own = _blocks(size, middle.layer, first, n_tokens) + _unembedding(size)
    else:
        own = _run(size, replace(middle, position=None), n_tokens, first)
    plain = _blocks(size, 0, 0, n_tokens) + _unembedding(size)
    return float(plain + 2 * (own + cut))


def _run(size: Sizes, cell: Cell, n: int, first: int) -> float:
    """From the edit on."""
    start = first if cell.position is None else cell.position
    after = _blocks(size, cell.layer + 1, start, n) + _unembedding(size)
    last = cell.layer == size.n_layers - 1
    rows = 1 if last else n - start
    down = 2 * rows * size.d_mlp * size.d_model
    if cell.kind == "neuron":
        return after + down
    mixed = 2 * rows * size.heads * size.d_model + down * size.n_maps
    if cell.kind == "head":
        return after + mixed
    # One position of the stream is new: its keys and values, and its query where that is read.
    asks = 1 if not last or start == n - 1 else 0
    maps = 2 * size.d_model * (2 * size.keys + asks * size.heads)
    return after + mixed + maps + _scores(size, n - 1 if last else start, n)


def _blocks(size: Sizes, layer: int, start: int, stop: int) -> float:
    """Blocks from ``layer`` on, at positions ``start`` to ``stop``."""
    last = size.n_layers - 1
    return sum(_block(size, start, stop, last=i == last) for i in range(layer, size.n_layers))


def _block(size: Sizes, start: int, stop: int, *, last: bool) -> float:
    rows = stop - start
    read = stop - 1 if last else start
    keys = 2 * rows * size.d_model * 2 * size.keys
    per_read = 4 * size.d_model * size.heads + 2 * size.n_maps * size.d_model * size.d_mlp
    return keys + (stop - read) * per_read + _scores(size, read, stop)


def _scores(size: Sizes, start: int, stop: int) -> float:
    """Each query with each key that it sees, and the values by their weights."""
    pairs = (stop * (stop + 1) - start * (start + 1)) // 2
    return 4 * size.heads * pairs


def _unembedding(size: Sizes) -> float:
    return 2 * size.d_model * size.vocabulary
