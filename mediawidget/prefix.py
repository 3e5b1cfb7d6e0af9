"""Keys and values of positions that no run of a batch changes, computed once and lent to rows."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor
from transformers import Cache

from .calls import forward_arguments
from .errors import MediationError
from .failing import noting_what_a_pass_asks
from .lm import LM
from .products import products

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
    if (len(rows), prefix.shape[1], prefix.shape[3]) != (n_rows, n_heads, width):
        # Which says what does not fit; below it would be written over in silence.
        return torch.cat([prefix.index_select(0, rows), new], dim=2)
    if len(prefix) == 1:
        return torch.cat([prefix.expand(n_rows, -1, -1, -1), new], dim=2)
    joined = new.new_empty(n_rows, n_heads, n + n_new, width)
    torch.index_select(prefix, 0, rows, out=joined[:, :, :n])
    joined[:, :, n:] = new
    return joined


class _AllKeptError(Exception):
    """Ends a pass that has come to the keys and values of its last layer."""


class _Recorder(Cache):
    """Keeps all keys and values, also those that a sliding window would soon let go.

    The pass ends with those of the last layer: what it would make of them nobody reads.

    Those of all layers lie in one place that is taken beforehand: between the passing tensors of a
    block each would hold pages of memory, and as views whole products, for its own part.
    """

    def __init__(self, n_layers: int, n_rows: int) -> None:
        super().__init__(layers=[])
        self.n_layers, self.n_rows = n_layers, n_rows
        self.first_row = 0
        self._seen: set[int] = set()
        self.kept: dict[int, tuple[Tensor, Tensor]] = {}
        self._room: tuple[Tensor, Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        if layer_idx not in self.kept:
            self.kept[layer_idx] = self._place(layer_idx, key_states, value_states)
        rows = slice(self.first_row, self.first_row + len(key_states))
        keys, values = self.kept[layer_idx]
        keys[rows], values[rows] = key_states, value_states
        self._seen.add(layer_idx)
        if len(self._seen) == self.n_layers:
            raise _AllKeptError
        return key_states, value_states

    def begin(self, first_row: int) -> None:
        """The next pass is of the rows from there on."""
        self.first_row, self._seen = first_row, set()

    def _place(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Where a layer's own are kept: in the common place, if they are as wide as the others."""
        if self._room is None:
            self._room = self._taken(keys, self.n_layers), self._taken(values, self.n_layers)
        room = self._room[0][layer], self._room[1][layer]
        if _alike(room[0], keys) and _alike(room[1], values):
            return room
        return self._taken(keys, 1)[0], self._taken(values, 1)[0]

    def _taken(self, like: Tensor, n: int) -> Tensor:
        return like.new_empty(n, self.n_rows, *like.shape[1:])

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return 0


def _alike(place: Tensor, new: Tensor) -> bool:
    return place.shape[1:] == new.shape[1:] and place.dtype == new.dtype


def keys_values(lm: LM, ids: Tensor, most: int | None = None) -> KeysValues:
    """Keys and values of ``ids`` (row, position), per layer.

    Args:
        lm: the model.
        ids: of whole prompts, or of what they begin with.
        most: positions that a pass may have; each has one row at least.

    Raises:
        MediationError: a layer that takes nothing from a cache.
    """
    model: Any = lm.hf
    n_rows, n_positions = ids.shape
    recorder = _Recorder(lm.n_layers, n_rows)
    at_once = n_rows if most is None else max(1, most // n_positions)
    for first in range(0, n_rows, at_once):
        call = forward_arguments(lm, ids[first : first + at_once], 0, n_positions)
        recorder.begin(first)
        with (
            noting_what_a_pass_asks(),
            lm.lock,
            torch.no_grad(),
            products(lm, call["input_ids"].numel()),
            suppress(_AllKeptError),
        ):
            model.base_model(**{**call, "use_cache": True, "past_key_values": recorder})
    missing = set(range(lm.n_layers)) - set(recorder.kept)
    if missing:
        raise MediationError(
            "Some layers put no keys and values into a cache.",
            value=f"layers {sorted(missing)} of {lm.name}",
            expected="a cache that every layer of the model uses, under its own number",
            fix="load(model, ..., paths=ModulePaths(..., caches=False))",
        )
    return [recorder.kept[layer] for layer in range(lm.n_layers)]


def first_positions(prefix: KeysValues, n: int) -> KeysValues:
    """The same for the first ``n`` positions."""
    return [(keys[:, :, :n], values[:, :, :n]) for keys, values in prefix]
