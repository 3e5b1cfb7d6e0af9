"""Keys and values of positions that no run of a batch changes, computed once and lent to rows."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from .calls import forward_arguments
from .lm import LM

KeysValues = list[tuple[Tensor, Tensor]]
"""Per layer keys and values, (row, kv head, position, d_head)."""


class PrefixCache(Cache):
    """A read-only cache whose rows follow a batch that grows from block to block.

    Args:
        layers: per layer the keys and values of the prefix.
        rows: per layer which of the prefix's rows each row of the batch continues.
    """

    def __init__(self, layers: KeysValues, rows: list[Tensor]) -> None:
        super().__init__(layers=[])
        self._prefix = layers
        self._rows = rows

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """The prefix of each row before the new keys and values. Stores nothing."""
        keys, values = self._prefix[layer_idx]
        rows = self._rows[layer_idx]
        return _continued(keys, rows, key_states), _continued(values, rows, value_states)

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many positions the prefix has."""
        return int(self._prefix[layer_idx][0].shape[2])

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """The position of the first query."""
        return self.get_seq_length(layer_idx)

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """How many keys a mask has, and at which position they begin."""
        return self.get_seq_length(layer_idx) + query_length, 0


def _continued(prefix: Tensor, rows: Tensor, new: Tensor) -> Tensor:
    """Chosen rows of the prefix, and behind them the new positions; nothing is copied twice."""
    n_rows, n_heads, n_new, width = new.shape
    n = prefix.shape[2]
    joined = new.new_empty(n_rows, n_heads, n + n_new, width)
    torch.index_select(prefix, 0, rows, out=joined[:, :, :n])
    joined[:, :, n:] = new
    return joined


class _CompleteError(Exception):
    """Ends a pass whose last keys and values are known: nobody asks what it makes of them."""


class _Recorder(Cache):
    """Keeps all keys and values, also those that a sliding window would soon let go."""

    def __init__(self, n_layers: int) -> None:
        super().__init__(layers=[])
        self.n_layers = n_layers
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        self.kept[layer_idx] = (key_states, value_states)
        if len(self.kept) == self.n_layers:
            raise _CompleteError
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return 0


def keys_values(lm: LM, ids: Tensor) -> KeysValues:
    """Keys and values of ``ids`` (row, position), per layer."""
    model: Any = lm.hf
    recorder = _Recorder(lm.n_layers)
    call = forward_arguments(lm, ids, 0, ids.shape[1])
    with lm.lock, torch.no_grad(), suppress(_CompleteError):
        model.base_model(**{**call, "use_cache": True, "past_key_values": recorder})
    return [recorder.kept[layer] for layer in range(lm.n_layers)]


def first_positions(prefix: KeysValues, n: int) -> KeysValues:
    """The same for the first ``n`` positions."""
    return [(keys[:, :, :n], values[:, :, :n]) for keys, values in prefix]
