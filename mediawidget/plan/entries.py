"""Edits as a table: one edit of one unit at one position, a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..mediators import POINTS, Place
from .frame import Floats, Ints

NOTHING = -1


@dataclass(frozen=True)
class Entries:
    """The new value is keep * (old) + take * (source's) + add * (constant).

    Attributes:
        run: index of the run.
        stage, point, position, n_units, unit: where; ``point`` indexes ``POINTS``.
        source: index of a base; -2 - i for run i; -1 for none.
        constant: index among the template's constants; -1 for none.
        keep, take, add: the weights.
        within: index among the template's parts, to which the edit is confined; -1 for all.
    """

    run: Ints
    stage: Ints
    point: Ints
    position: Ints
    n_units: Ints
    unit: Ints
    source: Ints
    constant: Ints
    keep: Floats
    take: Floats
    add: Floats
    within: Ints

    def take_rows(self, index: NDArray[np.bool_] | Ints) -> Entries:
        """The rows at ``index``."""
        return Entries(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.run)


@dataclass(frozen=True)
class Record:
    """One edit of one site: the same value recipe at several positions and units."""

    run: int
    place: Place
    positions: Ints
    units: Ints
    source: int
    constant: int
    keep: float
    take: float
    add: float
    within: int


def table(records: Sequence[Record]) -> Entries:
    """Records to entries, a row per position and unit."""
    lengths = np.array([len(record.positions) for record in records], dtype=np.int64)

    def column(values: list[int]) -> Ints:
        return np.array(values, dtype=np.int64).repeat(lengths)

    def weights(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64).repeat(lengths)

    empty = np.empty(0, dtype=np.int64)
    return Entries(
        run=column([r.run for r in records]),
        stage=column([r.place.stage for r in records]),
        point=column([POINTS.index(r.place.point) for r in records]),
        position=np.concatenate([empty, *(r.positions for r in records)]),
        n_units=column([r.place.n_units for r in records]),
        unit=np.concatenate([empty, *(r.units for r in records)]),
        source=column([r.source for r in records]),
        constant=column([r.constant for r in records]),
        keep=weights([r.keep for r in records]),
        take=weights([r.take for r in records]),
        add=weights([r.add for r in records]),
        within=column([r.within for r in records]),
    )


def first_clash(entries: Entries) -> int | None:
    """A run of which two edits set overlapping columns of one place; None if there is none."""
    low = entries.unit / entries.n_units
    high = (entries.unit + 1) / entries.n_units
    order = np.lexsort((low, entries.position, entries.point, entries.stage, entries.run))
    keys = np.stack([entries.run, entries.stage, entries.point, entries.position])[:, order]
    same = (keys[:, 1:] == keys[:, :-1]).all(axis=0)
    clash = same & (low[order][1:] < high[order][:-1] - 1e-9)
    return int(keys[0, 1:][clash][0]) if clash.any() else None


def first_points(entries: Entries, n_stages: int) -> dict[tuple[int, int], int]:
    """(run, stage) -> the first point that the run edits there."""
    keys, where = np.unique(entries.run * n_stages + entries.stage, return_inverse=True)
    points = np.full(len(keys), len(POINTS))
    np.minimum.at(points, where, entries.point)
    return {
        divmod(key, n_stages): point
        for key, point in zip(keys.tolist(), points.tolist(), strict=True)
    }


def signatures(entries: Entries) -> dict[int, list[tuple[int, tuple[int, int]]]]:
    """Per run, in forward order, the stages it edits, each with a mark of what it does there.

    Two runs have the same mark at a stage if they do the same there, whatever the order in which
    it was written down. The mark is 128 bits of hash, so a chance agreement does not happen.
    """
    found: dict[int, list[tuple[int, tuple[int, int]]]] = {}
    if not len(entries):
        return found
    one, two = (_mixed(entries, seed) for seed in (1, 2))
    order = np.lexsort((entries.stage, entries.run))
    run, stage = entries.run[order], entries.stage[order]
    starts = np.flatnonzero(np.r_[True, (run[1:] != run[:-1]) | (stage[1:] != stage[:-1])])
    sums = (np.add.reduceat(marks[order], starts).tolist() for marks in (one, two))
    for r, s, *mark in zip(run[starts].tolist(), stage[starts].tolist(), *sums, strict=True):
        found.setdefault(r, []).append((s, (mark[0], mark[1])))
    return found


def _mixed(entries: Entries, seed: int) -> NDArray[np.uint64]:
    """A hash of every row but its run (splitmix64, column by column)."""
    mixed = np.full(len(entries), seed, dtype=np.uint64)
    columns = [getattr(entries, name) for name in list(entries.__dataclass_fields__)[1:]]
    for column in columns:
        mixed = _splitmix(mixed ^ np.ascontiguousarray(column).view(np.uint64))
    return mixed


def _splitmix(x: NDArray[np.uint64]) -> NDArray[np.uint64]:
    x = x + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(x ^ (x >> np.uint64(31)))
