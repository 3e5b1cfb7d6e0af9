"""A flat batch: every run a row of its own for each pair, beside the two inputs it starts from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..applying import Confined, Write
from ..constants import noise_draw, steering_vector, tensors
from ..edits import Part, Values
from ..edits.base import BASES, Donor, MeanOf, NoiseOf, Vector
from ..edits.part import refuse_another_width, stacked
from ..errors import MediationError
from ..plan.frame import Ints
from .network import Network
from .recording import Record, Recorded, Roles, checked_spot, positions_at

WIDTHS = "network.describe() says how wide each point is"

Known = Mapping[tuple[int, str], Tensor]
"""(tap, base) -> what every pair's input is there, (pair, position, column)."""


@dataclass(frozen=True)
class Drawn:
    """Which other pair lends each pair its input."""

    donor: Donor
    pairs: Ints


@dataclass(frozen=True)
class Batch:
    """Some runs on some pairs, as rows: blocks of as many rows as there are pairs.

    The blocks are the clean inputs, the corrupt ones, a block for each donor, a block for each
    run. Nothing here depends on the order of the points, nor on what a network does between them.

    Attributes:
        runs: which of the recorded ones; those they take values from among them.
        pairs: which pairs.
        inputs: of all pairs, (base, pair, ...).
        drawn: of all pairs, for each donor.
        known: what means and the scales of noise are made of.
        roles: names of positions.
    """

    network: Network
    recorded: Recorded
    runs: Sequence[int]
    pairs: Ints
    inputs: Tensor
    drawn: Sequence[Drawn]
    known: Known
    roles: Roles

    @property
    def n_rows(self) -> int:
        """Rows of the batch."""
        return (len(BASES) + len(self.drawn) + len(self.runs)) * len(self.pairs)

    @cached_property
    def block(self) -> dict[Any, int]:
        """Bases, donors and runs -> their block."""
        keys: list[Any] = [*BASES, *(one.donor for one in self.drawn), *self.runs]
        return {key: index for index, key in enumerate(keys)}

    def rows(self) -> Tensor:
        """The inputs of the batch, (row, ...)."""
        index = torch.from_numpy(self.pairs)
        blocks = [self.inputs[0, index], self.inputs[1, index]]
        for one in self.drawn:
            lent = torch.from_numpy(one.pairs[self.pairs])
            blocks.append(self.inputs[BASES.index(one.donor.base), lent])
        bases = [BASES.index(self.recorded.runs[run].base) for run in self.runs]
        blocks += [self.inputs[base, index] for base in bases]
        return torch.cat(blocks)

    @cached_property
    def writes(self) -> dict[int, list[tuple[Write, Ints]]]:
        """Per tap what is written, one after another, and whose run each entry is.

        What takes its value from another run is written after that run's own edits.
        """
        depth = self.recorded.depth
        parts: dict[tuple[int, int, int], list[Record]] = {}
        for run in self.runs:
            for record in self.recorded.of_run[run]:
                parts.setdefault((record.tap, depth[run], record.n_units), []).append(record)
        found: dict[int, list[tuple[Write, Ints]]] = {}
        for key in sorted(parts):
            found.setdefault(key[0], []).append(self._write(parts[key]))
        return found

    # --- inside -------------------------------------------------------------------------------

    def _write(self, records: list[Record]) -> tuple[Write, Ints]:
        """Entries of records of one tap and slicing, each for every pair."""
        lengths = np.array([len(record.positions) for record in records])
        n_pairs = len(self.pairs)
        own = np.array([self.block[record.run] for record in records]).repeat(lengths)
        source = np.array([self._source(record) for record in records]).repeat(lengths)

        def each(values: NDArray[Any]) -> Tensor:
            return self._tensor(values.repeat(n_pairs))

        def rows(blocks: Ints) -> Tensor:
            return self._tensor((blocks[:, None] * n_pairs + np.arange(n_pairs)).reshape(-1))

        keep, take = (
            np.array([getattr(r.recipe, name) for r in records]).repeat(lengths)
            for name in ("keep", "take")
        )
        copied = (keep == 0).all() and (take == 1).all()
        weights = [None, None] if copied else [self._weight(each(w)) for w in (keep, take)]
        write = Write(
            n_units=records[0].n_units,
            row=rows(own),
            position=each(np.concatenate([r.positions for r in records])),
            unit=each(np.concatenate([r.units for r in records])),
            source=rows(source),
            keep=weights[0],
            take=weights[1],
            added=self._added(records),
            within=self._within(records, lengths),
        )
        return write, np.array([r.run for r in records]).repeat(lengths)

    def _source(self, record: Record) -> int:
        source = record.recipe.source
        if source is None:
            return self.block[record.run]
        if isinstance(source, str | Donor):
            return self.block[source]
        return self.block[self.recorded.runs.index(source)]

    def _width(self, record: Record) -> int:
        return self.recorded.anatomy.taps[record.tap].width // record.n_units

    def _added(self, records: list[Record]) -> Tensor | None:
        """What is added, weighted: (entry * pair, width); None for nothing."""
        if all(record.recipe.constant is None for record in records):
            return None
        parts = []
        for record in records:
            shape = (len(record.positions), len(self.pairs), self._width(record))
            if record.recipe.constant is None:
                parts.append(torch.zeros(shape, device=self.network.device))
                continue
            value = self._constant(record).to(self.network.device, self.network.dtype)
            parts.append(record.recipe.add * value.expand(shape))
        return torch.cat(parts).to(self.network.dtype).flatten(0, 1)

    def _constant(self, record: Record) -> Tensor:
        """What a record adds, (entry, pair or 1, width)."""
        constant, width = record.recipe.constant, self._width(record)
        if isinstance(constant, MeanOf):
            mean = self.known[record.tap, constant.base].mean(0)
            parted = torch.unflatten(mean, -1, (record.n_units, -1))
            return parted[record.positions, record.units][:, None]
        if isinstance(constant, NoiseOf):
            spread = self._spread(constant)[torch.from_numpy(self.pairs)]
            drawn = noise_draw(constant, record.named, width).to(spread.device)
            return spread[None, :, None] * drawn[:, None]
        if isinstance(constant, Vector):
            where = self.network.label(record.site)
            return steering_vector(constant, width, where)[None, None]
        return self._given(constant, record)

    def _spread(self, constant: NoiseOf) -> Tensor:
        """(pair,): the standard deviation of the site's own numbers on each pair's input."""
        anatomy, site = self.recorded.anatomy, constant.site
        spot = checked_spot(site, anatomy, self.roles)
        value = torch.cat([self.known[tap, constant.base] for tap in spot.taps], dim=1)
        own = value[:, list(positions_at(site, spot, self.roles))]
        own = own if site.unit is None else own[..., site.unit]
        return own.flatten(1).double().std(dim=1, correction=0)

    def _given(self, values: Values, record: Record) -> Tensor:
        """(entry, pair, width) of values that were captured."""
        if len(values.array) <= self.pairs.max():
            raise MediationError(
                "These values do not fit the pairs.",
                value=f"{values!r}",
                expected=f"values of {self.inputs.shape[1]} pairs",
                fix="study.activations(site) of the same kind of site, in the same study",
            )
        spot = checked_spot(values.site, self.recorded.anatomy, self.roles)
        held = {p: i for i, p in enumerate(positions_at(values.site, spot, self.roles))}
        at = [held[p] for p in record.named.tolist()]
        return torch.from_numpy(values.array[self.pairs][:, at]).transpose(0, 1)

    def _within(self, records: list[Record], lengths: Ints) -> tuple[Confined, ...]:
        """Which entries are confined to a part of the value, those of one family together."""
        whose = np.arange(len(records)).repeat(lengths).repeat(len(self.pairs))
        families: dict[Any, list[int]] = {}
        for index, record in enumerate(records):
            part = record.recipe.within
            if part is not None:
                label = self.network.label(record.site)
                refuse_another_width(part, self._width(record), label, WIDTHS)
                families.setdefault(part.family, []).append(index)
        found = []
        for members in families.values():
            entries = np.flatnonzero(np.isin(whose, members))
            parts: list[Part] = [records[index].recipe.within for index in members]
            arrays = stacked(parts, np.searchsorted(members, whose[entries]))
            lent = tensors(arrays, self.network.device, self.network.dtype)
            found.append((self._tensor(entries), parts[0].moved, lent))
        return tuple(found)

    def _tensor(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.network.device)

    def _weight(self, weights: Tensor) -> Tensor:
        return weights[:, None].to(self.network.dtype)
