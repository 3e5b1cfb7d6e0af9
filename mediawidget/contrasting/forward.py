"""A pass through a decoder's weights that keeps what a relevance is passed back along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..decomposition.anatomy import Anatomy, Heads, Mlp, Rotate
from ..decomposition.attention import seen
from ..decomposition.linear import Map


@dataclass(frozen=True)
class Attended:
    """Attention of a block, in the model's precision.

    Attributes:
        stream, normed: what enters the block, and behind the norm, (prompt, position, d_model).
        query, key, value: (prompt, head, position, d_head), keys and values repeated where several
            heads share them, queries and keys rotated.
        pattern: (prompt, head, query, key), in the graph.
        z: what the output map reads, (prompt, position, heads * d_head).
        out: what is added.
    """

    stream: Tensor
    normed: Tensor
    query: Tensor
    key: Tensor
    value: Tensor
    pattern: Tensor
    z: Tensor
    out: Tensor


@dataclass(frozen=True)
class Fed:
    """An MLP: what enters it, behind the norm, its neurons, and what it adds."""

    stream: Tensor
    normed: Tensor
    neurons: Tensor
    out: Tensor


@dataclass(frozen=True)
class Seen:
    """All of it.

    Attributes:
        embedding: what the tokens bring, and what else enters.
        blocks: in order.
        stream, normed: behind the last block, and behind the final norm.
    """

    embedding: tuple[Tensor, Tensor]
    blocks: Sequence[tuple[Attended, Fed | None]]
    stream: Tensor
    normed: Tensor


def forward(model: Anatomy, ids: Tensor) -> Seen:
    """Run the weights on prompts (prompt, position); the graph begins at the first pattern."""
    tokens, rest = model.embed(ids)
    rotate = model.rotation(ids.shape[-1])
    stream = tokens + rest
    blocks: list[tuple[Attended, Fed | None]] = []
    for heads, mlp in model.blocks:
        attended = _attention(stream, heads, rotate)
        stream = stream + attended.out
        fed = None if mlp is None else _mlp(stream, mlp)
        stream = stream if fed is None else stream + fed.out
        blocks.append((attended, fed))
    return Seen((tokens, rest), blocks, stream, model.final_norm(stream))


def mapped(x: Tensor, through: Map) -> Tensor:
    """A map of x: x W + b."""
    y = x @ through.weight
    return y if through.bias is None else y + through.bias


def _attention(stream: Tensor, heads: Heads, rotate: Rotate | None) -> Attended:
    normed = heads.norm(stream)
    sides = []
    maps = ((heads.query, heads.n_heads), (heads.key, heads.n_keys), (heads.value, heads.n_keys))
    for which, (side, n) in enumerate(maps):
        value = torch.unflatten(mapped(normed, side), -1, (n, -1))
        if rotate is not None and which < 2:
            value = rotate(value, 0)
        sides.append(value.repeat_interleave(heads.n_heads // n, dim=-2).transpose(1, 2))
    query, key, value = sides
    visible = seen(stream.shape[1], heads.window, stream.device)
    scores = (query @ key.transpose(-1, -2) * heads.scaling).masked_fill(~visible, -torch.inf)
    pattern = scores.softmax(-1)
    if not pattern.requires_grad:
        pattern = pattern.detach().requires_grad_()
    z = (pattern @ value).transpose(1, 2).flatten(-2)
    return Attended(stream, normed, query, key, value, pattern, z, mapped(z, heads.out))


def _mlp(stream: Tensor, mlp: Mlp) -> Fed:
    normed = mlp.norm(stream)
    neurons = mlp.function(*(mapped(normed, into) for into in mlp.ins))
    return Fed(stream, normed, neurons, mapped(neurons, mlp.out))
