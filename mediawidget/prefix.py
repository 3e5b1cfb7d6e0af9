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
    """Keeps all keys and values, also those that a sliding window would soon let go.

    In one place that is taken beforehand: between the passing tensors of a block they would hold
    whole pages of memory, and as views whole products, for the sake of their own parts.
    """

    def __init__(self, n_layers: int, n_rows: int) -> None:
        super().__init__(layers=[])
        self.n_layers, self.n_rows = n_layers, n_rows
        self.first = 0
        self.keys: Tensor | None = None
        self.values: Tensor | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        if self.keys is None or self.values is None:
            room = self.n_layers, self.n_rows
            self.keys = key_states.new_empty(*room, *key_states.shape[1:])
            self.values = value_states.new_empty(*room, *value_states.shape[1:])
        rows = slice(self.first, self.first + len(key_states))
        self.keys[layer_idx, rows], self.values[layer_idx, rows] = key_states, value_states
        if layer_idx == self.n_layers - 1:
            self.first = rows.stop
            raise _CompleteError
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return 0


def keys_values(lm: LM, ids: Tensor, most: int | None = None) -> KeysValues:
    """Keys and values of ``ids`` (row, position), per layer.

    Args:
        lm: the model.
        ids: of whole prompts, or of what they begin with.
        most: positions that a pass may have; each has one row at least.
    """
    model: Any = lm.hf
    n_rows, n_positions = ids.shape
    recorder = _Recorder(lm.n_layers, n_rows)
    at_once = n_rows if most is None else max(1, most // n_positions)
    for some in torch.split(ids, at_once):
        call = forward_arguments(lm, some, 0, n_positions)
        with lm.lock, torch.no_grad(), suppress(_CompleteError):
            model.base_model(**{**call, "use_cache": True, "past_key_values": recorder})
    assert recorder.keys is not None
    assert recorder.values is not None
    return list(zip(recorder.keys, recorder.values, strict=True))


def first_positions(prefix: KeysValues, n: int) -> KeysValues:
    """The same for the first ``n`` positions."""
    return [(keys[:, :, :n], values[:, :, :n]) for keys, values in prefix]
