"""Keys and values of the tokens that two prompts share, computed once and lent to every row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from .lm import LM


class PrefixCache(Cache):
    """A read-only cache whose rows follow a batch that grows from block to block.

    Args:
        layers: per layer the keys and values of the prefix, (pair, kv head, position, d_head).
        pair_of_row: per layer which pair each row of the batch belongs to.
    """

    def __init__(self, layers: list[tuple[Tensor, Tensor]], pair_of_row: list[Tensor]) -> None:
        super().__init__(layers=[])
        self._prefix = layers
        self._pair_of_row = pair_of_row

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """The prefix of each row's pair before the new keys and values. Stores nothing."""
        keys, values = self._prefix[layer_idx]
        rows = self._pair_of_row[layer_idx]
        return (
            torch.cat([keys.index_select(0, rows), key_states], dim=2),
            torch.cat([values.index_select(0, rows), value_states], dim=2),
        )

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many positions the prefix has."""
        return int(self._prefix[layer_idx][0].shape[2])


def prefix_layers(lm: LM, ids: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Keys and values of ``ids`` (pair, position), per layer."""
    model: Any = lm.hf
    with torch.no_grad():
        # The body without the head: nobody asks what comes after the prefix.
        cache = model.base_model(ids, use_cache=True).past_key_values
    return [(layer.keys, layer.values) for layer in cache.layers]
