"""From relevances of attention patterns to relevances of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def mixed(gradient: Tensor, relevance: Tensor) -> Tensor:
    """A layer's I + mean over heads of (gradient * relevance)^+, its rows divided by their sums.

    Args:
        gradient: of the metric by the pattern, (prompt, head, query, key).
        relevance: of the pattern, the same shape.

    Returns:
        (prompt, query, key), rows that sum to 1.
    """
    found = (gradient * relevance).clamp(min=0).mean(1)
    found = found + torch.eye(found.shape[-1], dtype=found.dtype, device=found.device)
    return found / found.sum(-1, keepdim=True)


def rolled_out(layers: Sequence[Tensor]) -> Tensor:
    """The product of the layers' matrices, the first layer rightmost: (prompt, query, token).

    A row says how what stands at a position behind the last layer is made of the positions before
    the first.

    Source: Abnar and Zuidema 2020 (attention rollout).
    """
    found = layers[0]
    for layer in layers[1:]:
        found = layer @ found
    return found
