"""A relevance of 1, passed from the metric back to every attention pattern and to the tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..decomposition.anatomy import Anatomy, Heads, Mlp
from .forward import Attended, Fed, Seen
from .rules import through_map, through_mix, through_scores, through_sum


@dataclass(frozen=True)
class Passed:
    """Where the relevance went, in double precision.

    Attributes:
        patterns: per layer (prompt, head, query, key).
        streams: (layer, prompt, position, d_model) before each block and after the last; each
            layer's sums to the start's 1 per prompt.
        tokens, rest: (prompt, position, d_model) of what the tokens bring and what else enters.
    """

    patterns: Sequence[Tensor]
    streams: Sequence[Tensor]
    tokens: Tensor
    rest: Tensor


@torch.no_grad()
def passed_back(model: Anatomy, seen: Seen, way: Tensor, reads: Sequence[int]) -> Passed:
    """Pass the metric's relevance back.

    The metric is one linear unit over what the unembedding reads: its relevance, 1, is shared
    among the contributions to it by the rule of linear maps.

    Args:
        model: its weights.
        seen: what was computed.
        way: (prompt, read, d_model) the unit's weights.
        reads: the positions it reads.
    """
    relevance = torch.zeros_like(seen.normed, dtype=torch.float64)
    n_prompts = len(way)
    for prompt in range(n_prompts):
        x = seen.normed[prompt, list(reads)].double().reshape(-1)
        unit = way[prompt].double().reshape(-1, 1)
        one = through_map(x.new_ones(1), x, unit)
        relevance[prompt, list(reads)] = torch.unflatten(one, 0, (len(reads), -1))
    streams, patterns = [relevance], []
    for (heads, mlp), (attended, fed) in zip(
        reversed(model.blocks), reversed(seen.blocks), strict=True
    ):
        if mlp is not None and fed is not None:
            relevance = _mlp(relevance, mlp, fed)
        relevance, pattern = _attention(relevance, heads, attended)
        streams.append(relevance)
        patterns.append(pattern)
    tokens, rest = through_sum(relevance, *(one.double() for one in seen.embedding))
    return Passed(patterns[::-1], streams[::-1], tokens, rest)


def _mlp(relevance: Tensor, mlp: Mlp, fed: Fed) -> Tensor:
    stream, added = through_sum(relevance, fed.stream.double(), fed.out.double())
    neurons = through_map(added, fed.neurons.double(), mlp.out.weight.double())
    normed = fed.normed.double()
    for into in mlp.ins:
        stream = stream + through_map(neurons / len(mlp.ins), normed, into.weight.double())
    return stream


def _attention(relevance: Tensor, heads: Heads, own: Attended) -> tuple[Tensor, Tensor]:
    """To what enters the block, and to the patterns."""
    stream, added = through_sum(relevance, own.stream.double(), own.out.double())
    z = through_map(added, own.z.double(), heads.out.weight.double())
    z = torch.unflatten(z, -1, (heads.n_heads, -1)).transpose(1, 2)
    pattern, value = through_mix(z, own.pattern.double(), own.value.double())
    query, key = through_scores(pattern, own.query.double(), own.key.double())
    normed = own.normed.double()
    for side, through in ((query, heads.query), (key, heads.key), (value, heads.value)):
        # (prompt, head, position, width) to the columns of the map, shared heads added.
        n = through.weight.shape[1] // side.shape[-1]
        by_map = torch.unflatten(side, 1, (n, -1)).sum(2).transpose(1, 2).flatten(-2)
        stream = stream + through_map(by_map, normed, through.weight.double())
    return stream, pattern
