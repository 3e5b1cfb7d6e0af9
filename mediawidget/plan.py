"""Runs to one forward pass.

The batch starts as the base rows (both prompts of every pair). At each block it grows by copies of
base rows for the runs whose first edit lies there, so a run costs only the layers it can change.
All tables are numpy arrays; nothing here loops over pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .edits import Edit
from .edits.base import BASES, Base
from .errors import MediationError
from .mediators import POINTS, Mediator, Point, Shape, mediator_named
from .mediators.base import positions_of
from .runs import Run
from .sites import Site

Ints = NDArray[np.int64]

NO_CONSTANT, ZERO, MEAN = -1, 0, 1


@dataclass(frozen=True)
class Frame:
    """What the runs of one group of pairs have in common.

    Attributes:
        shape: of the network.
        n_positions: tokens in every prompt of the group.
        first_difference: the first position at which a pair's prompts differ, least over pairs.
    """

    shape: Shape
    n_positions: int
    first_difference: int


@dataclass(frozen=True)
class Entries:
    """One edit of one unit at one position, a row each; all runs of a template together.

    Attributes:
        run: index of the run.
        layer, point, position, unit: where. ``point`` indexes ``POINTS``.
        source: base (0 clean, 1 corrupt) whose row lends the value; -1 for a constant.
        constant: ``NO_CONSTANT``, ``ZERO``, or ``MEAN`` + the base whose mean it is.
    """

    run: Ints
    layer: Ints
    point: Ints
    position: Ints
    unit: Ints
    source: Ints
    constant: Ints

    def take(self, index: NDArray[np.bool_] | Ints) -> Entries:
        """The rows at ``index``."""
        return Entries(*(getattr(self, name)[index] for name in self.__dataclass_fields__))

    def __len__(self) -> int:
        return len(self.run)


@dataclass(frozen=True)
class Template:
    """Runs made ready for any pairs of one group.

    Attributes:
        shared: positions before it are the same in every row of a pair: edits there change
            nothing, and what the network computes there may be computed once.
        base: 0 clean, 1 corrupt, per run.
        start: first edited layer per run; ``n_layers`` for the value after the last block, one
            more for a run without effective edits.
        implied: the run equals its base by construction, so it is not run.
        entries: the effective edits.
    """

    frame: Frame
    shared: int
    base: Ints
    start: Ints
    implied: NDArray[np.bool_]
    entries: Entries

    def means(self) -> list[tuple[int, Point]]:
        """The (layer, point) of every mean that a run asks for."""
        asked = self.entries.constant >= MEAN
        pairs = zip(self.entries.layer[asked], self.entries.point[asked], strict=True)
        return [(int(layer), POINTS[point]) for layer, point in dict.fromkeys(pairs)]


@dataclass(frozen=True)
class Step:
    """The edits at one point of one layer, as vectors over entries."""

    layer: int
    point: Point
    row: Ints
    position: Ints
    unit: Ints
    source: Ints
    constant: Ints


@dataclass(frozen=True)
class Program:
    """One forward pass.

    Attributes:
        prefix: how many leading positions a cache lends; the batch computes the rest.
        grow: per layer, and after the last, which rows of the batch so far make the new batch;
            None where it does not grow.
        steps: edits in forward order. Positions count from the prefix.
        row_of_run: (run, pair) the row that holds the run.
        pair_of_row: (row,) which pair a row belongs to.
        rows_at: how many rows there are inside each layer, and after the last.
        entry_run, entry_pair: which run and pair each entry belongs to, steps concatenated.
    """

    prefix: int
    grow: list[Ints | None]
    steps: list[Step]
    row_of_run: Ints
    pair_of_row: Ints
    rows_at: list[int]
    entry_run: Ints
    entry_pair: Ints


def make_template(runs: Sequence[Run], frame: Frame) -> Template:
    """Check every site, drop what cannot matter, and lay the edits out as a table.

    Raises:
        MediationError: a site out of range, or two edits of one run at one place.
    """
    rows: list[tuple[int, int, int, int, int, int, int]] = []
    shared = _shared(runs, frame)
    for index, run in enumerate(runs):
        for site, edit in run.edits:
            mediator = mediator_named(site.mediator)
            mediator.check(site, frame.shape, frame.n_positions)
            lender, constant = _value_of(edit, run.base)
            point = POINTS.index(mediator.point)
            unit = site.head or 0
            rows.extend(
                (index, site.layer, point, position, unit, lender, constant)
                for position in positions_of(site, shared, frame.n_positions)
                if _can_matter(mediator, site, position, shared, frame)
            )
    entries = _table(rows)
    _refuse_clashes(runs, entries)
    n_layers = frame.shape.n_layers
    start = np.full(len(runs), n_layers + 1, dtype=np.int64)
    np.minimum.at(start, entries.run, entries.layer)
    base = np.array([BASES.index(run.base) for run in runs], dtype=np.int64)
    return Template(frame, shared, base, start, start > n_layers, entries)


def make_program(template: Template, run_index: Ints, n_pairs: int, prefix: int = 0) -> Program:
    """Lay chosen runs of a template out over ``n_pairs`` pairs as one growing batch.

    ``prefix``, at most ``template.shared``, positions are left to a cache.

    Base rows come first: pair 0 clean, pair 0 corrupt, pair 1 clean, ... Then the runs by their
    first edited layer, each as ``n_pairs`` neighbouring rows.
    """
    pairs = np.arange(n_pairs)
    live = run_index[~template.implied[run_index]]
    live = live[np.argsort(template.start[live], kind="stable")]
    row_of_run = np.empty((len(template.base), n_pairs), dtype=np.int64)
    row_of_run[:] = template.base[:, None] + 2 * pairs
    row_of_run[live] = 2 * n_pairs + np.arange(len(live))[:, None] * n_pairs + pairs
    parent = (template.base[live][:, None] + 2 * pairs).reshape(-1)
    starts = template.start[live].repeat(n_pairs)

    grow: list[Ints | None] = []
    rows_at: list[int] = []
    n_rows = 2 * n_pairs
    for layer in range(template.frame.shape.n_layers + 1):
        new = parent[starts == layer]
        grow.append(np.concatenate([np.arange(n_rows), new]) if len(new) else None)
        n_rows += len(new)
        rows_at.append(n_rows)
    pair_of_row = np.concatenate([pairs.repeat(2), np.tile(pairs, len(live))])

    chosen = template.entries.take(np.isin(template.entries.run, live))
    order = np.lexsort((chosen.run, chosen.point, chosen.layer))
    chosen = chosen.take(order)
    return Program(
        prefix=prefix,
        grow=grow,
        steps=_steps(chosen, row_of_run, n_pairs, prefix),
        row_of_run=row_of_run,
        pair_of_row=pair_of_row,
        rows_at=rows_at,
        entry_run=chosen.run.repeat(n_pairs),
        entry_pair=np.tile(pairs, len(chosen)),
    )


def _value_of(edit: Edit, base: Base) -> tuple[int, int]:
    """Where an edit's value comes from, as the columns ``source`` and ``constant``."""
    source = edit.taken_from(base)
    index = BASES.index(source) if source else 0
    if edit.source_kind == "row":
        return index, NO_CONSTANT
    return -1, MEAN + index if edit.source_kind == "mean" else ZERO


def _steps(chosen: Entries, row_of_run: Ints, n_pairs: int, prefix: int) -> list[Step]:
    """Cut the sorted entries at every change of layer or point and tile them over pairs."""
    place = chosen.layer * len(POINTS) + chosen.point
    cuts = np.flatnonzero(np.diff(place)) + 1
    pairs = np.arange(n_pairs)
    steps = []
    for part in np.split(np.arange(len(chosen)), cuts) if len(chosen) else []:
        some = chosen.take(part)
        row = row_of_run[some.run]
        source = np.where(some.source[:, None] < 0, row, some.source[:, None] + 2 * pairs)
        steps.append(
            Step(
                layer=int(some.layer[0]),
                point=POINTS[some.point[0]],
                row=row.reshape(-1),
                position=(some.position - prefix).repeat(n_pairs),
                unit=some.unit.repeat(n_pairs),
                source=source.reshape(-1),
                constant=some.constant.repeat(n_pairs),
            )
        )
    return steps


def _shared(runs: Sequence[Run], frame: Frame) -> int:
    """How many leading positions every row of a pair shares, in a causal network.

    Patches between the pair's prompts change nothing before their first difference. Any other
    edit sets a value that neither prompt has, so what is shared ends where the first one begins.
    """
    first = frame.first_difference
    for run in runs:
        for site, edit in run.edits:
            if edit.source_kind != "row":
                first = min(first, *positions_of(site, 0, frame.n_positions))
    return max(0, min(first, frame.n_positions - 1))


def _can_matter(mediator: Mediator, site: Site, position: int, shared: int, frame: Frame) -> bool:
    """Whether an edit here can reach the last position's logits at all."""
    if position < shared:
        return False
    past_mixing = frame.shape.n_layers - 1 + mediator.after_last
    return site.layer < past_mixing or position == frame.n_positions - 1


def _table(rows: list[tuple[int, int, int, int, int, int, int]]) -> Entries:
    table = np.array(rows, dtype=np.int64).reshape(-1, 7)
    return Entries(*np.ascontiguousarray(table.T))


def _refuse_clashes(runs: Sequence[Run], entries: Entries) -> None:
    """Two values for one place have no right order, so they are refused."""
    places = np.stack([entries.run, entries.layer, entries.point, entries.position, entries.unit])
    unique, count = np.unique(places, axis=1, return_counts=True)
    if (count > 1).any():
        run = runs[int(unique[0, count > 1][0])]
        raise MediationError(
            "Two edits of one run set the same place.",
            value=", ".join(site.label() for site, _ in run.edits),
            expected="sites that do not overlap",
            fix="drop one of the sites, or name their positions apart",
        )
