"""One forward pass as tensors of indices."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..mediators import POINTS, Point
from .entries import Entries
from .frame import Floats, Ints
from .layout import Layout, lay_out
from .template import Template


@dataclass(frozen=True)
class Step:
    """Edits at one point of one stage, as vectors over (entry, pair).

    ``constant`` and the weights are those of ``Entries``; ``source`` is a row of the batch, the
    row itself where nothing is taken.
    """

    stage: int
    point: Point
    n_units: int
    row: Ints
    position: Ints
    unit: Ints
    source: Ints
    constant: Ints
    pair: Ints
    keep: Floats
    take: Floats
    add: Floats
    within: Ints


@dataclass(frozen=True)
class Program:
    """One forward pass. Rows lie node by node, each with its pairs as neighbours.

    Attributes:
        begin: the first stage that is computed.
        prefix: how many leading positions a cache lends; the batch computes the rest.
        grow: per stage from ``begin`` on, which rows of the batch so far make the new batch; None
            where it stays as it is.
        steps: edits in forward order. Positions count from the prefix.
        base_of_row: per stage (row,) the base that each row started from, those that are there
            from its entrance on.
        late: per stage (point, rows) of those that are born inside it, as copies of these rows.
        n_pairs: pairs in the batch.
        end: (run, pair) the row that holds the run at last; -1 for runs that are not in it.
        bases: (base, pair) the rows of the pair's prompts at last; -1 where not followed.
        node_of_entry: (entry,) the tree's node that each entry makes, steps concatenated.
        node_of_run, parents: who shares what, to tell each run what its edits changed.
        layout: the tree itself.
    """

    begin: int
    prefix: int
    n_pairs: int
    grow: list[Ints | None]
    steps: list[Step]
    base_of_row: list[Ints]
    late: list[list[tuple[Point, Ints]]]
    end: Ints
    bases: Ints
    node_of_entry: Ints
    node_of_run: dict[int, int]
    parents: list[int]
    layout: Layout | None = None

    @classmethod
    def of_rows(cls, n_rows: int, n_stages: int) -> Program:
        """A pass that changes nothing."""
        none = np.empty((0, n_rows), dtype=np.int64)
        base = [np.zeros(n_rows, dtype=np.int64)] * n_stages
        rows = np.arange(n_rows)[None]
        late: list[list[tuple[Point, Ints]]] = [[] for _ in range(n_stages)]
        return cls(0, 0, n_rows, [None] * n_stages, [], base, late, none, rows, none[:, 0], {}, [])

    @classmethod
    def of_bases(cls, n_bases: int, n_pairs: int, n_stages: int) -> Program:
        """A pass over the bases alone."""
        whole = cls.of_rows(n_bases * n_pairs, n_stages)
        rows = np.arange(n_bases * n_pairs).reshape(n_bases, n_pairs)
        base = [np.arange(n_bases).repeat(n_pairs)] * n_stages
        return replace(whole, n_pairs=n_pairs, bases=rows, base_of_row=base)

    def rows_of(self, run: int, stage: int) -> Ints:
        """(pair,) the rows that hold a run inside a stage."""
        assert self.layout is not None
        slot = self.layout.slots[stage - self.begin][self.layout.holder(run, stage)]
        return np.asarray(slot * self.n_pairs + np.arange(self.n_pairs))

    @property
    def rows(self) -> int:
        """Rows at the end, and so about at their most."""
        return max(self.rows_in(index) for index in range(len(self.base_of_row)))

    def rows_in(self, index: int) -> int:
        """Rows of a stage, counted from ``begin``, with those that are born inside it."""
        return len(self.base_of_row[index]) + sum(len(rows) for _, rows in self.late[index])

    @property
    def pair_of_row(self) -> Ints:
        """Which pair each of the last rows belongs to."""
        return np.tile(np.arange(self.n_pairs), len(self.base_of_row[-1]) // self.n_pairs)


def make_program(
    template: Template,
    run_index: Ints,
    n_pairs: int,
    prefix: int = 0,
    *,
    keep_bases: bool = True,
    begin: int = 0,
    late: Collection[int] = (),
) -> Program:
    """Lay chosen runs of a template out over ``n_pairs`` pairs as one growing batch.

    Args:
        template: of all runs.
        run_index: the runs to evaluate; those that are implied are left to their base.
        n_pairs: how many pairs there are.
        prefix: positions that are left to a cache; at most the first that a chosen run changes.
        keep_bases: whether the outcome of the bases themselves is asked for.
        begin: the stage to begin at, for batches whose base rows before it are known.
        late: the stages within which rows may be born at the point of their first edit.
    """
    live = run_index[~template.implied[run_index]]
    layout = lay_out(template, live.tolist(), keep_bases, begin, late)
    pairs = np.arange(n_pairs)
    grow, base_of_row, born = _growth(layout, begin, pairs)
    entries = _made_entries(template, layout)
    last = layout.slots[-1]
    end = np.full((len(template.base), n_pairs), -1, dtype=np.int64)
    bases = np.full((len(template.frame.bases), n_pairs), -1, dtype=np.int64)
    if keep_bases:
        bases[:] = last[: len(bases), None] * n_pairs + pairs
        end[:] = bases[template.base]
    for run in live.tolist():
        end[run] = last[layout.ends[run]] * n_pairs + pairs
    nodes = _nodes_of(layout, entries)
    steps, order = _steps(template, layout, entries, nodes, prefix, begin, n_pairs)
    return Program(
        begin=begin,
        prefix=prefix,
        n_pairs=n_pairs,
        grow=grow,
        steps=steps,
        base_of_row=base_of_row,
        late=born,
        end=end,
        bases=bases,
        node_of_entry=nodes[order],
        node_of_run={run: layout.ends[run] for run in live.tolist()},
        parents=layout.parent,
        layout=layout,
    )


def _growth(
    layout: Layout, begin: int, pairs: Ints
) -> tuple[list[Ints | None], list[Ints], list[list[tuple[Point, Ints]]]]:
    """Per stage, the rows of the batch before that make the new one, their bases, the late rows."""
    parent, birth = np.array(layout.parent), np.array(layout.birth)
    root, point = np.array(layout.root), np.array(layout.point)
    n_bases, n_pairs = layout.template.n_bases, len(pairs)
    before = np.where(np.arange(len(parent)) < n_bases, np.arange(len(parent)), -1)
    grow: list[Ints | None] = []
    base_of_row, late = [], []
    whole = True
    for index, slots in enumerate(layout.slots):
        nodes = np.argsort(slots)[(slots < 0).sum() :]
        fresh = (birth[nodes] == begin + index) & (parent[nodes] >= 0)
        born = np.where(fresh, point[nodes], 0)
        early = nodes[born == 0]
        taken = before[np.where(fresh, parent[nodes], nodes)[born == 0]]
        same = (
            whole and len(taken) == (before >= 0).sum() and (np.diff(taken, prepend=-1) == 1).all()
        )
        grow.append(None if same else _tiled(taken, pairs))
        base_of_row.append(root[early].repeat(n_pairs))
        inside = [(POINTS[p], slots[parent[nodes[born == p]]]) for p in np.unique(born[born > 0])]
        late.append([(name, _tiled(rows, pairs)) for name, rows in inside])
        before, whole = slots, not inside
    return grow, base_of_row, late


def _tiled(rows: Ints, pairs: Ints) -> Ints:
    """Rows of nodes as rows of the batch, each with its pairs as neighbours."""
    return (rows[:, None] * len(pairs) + pairs).reshape(-1)


def _made_entries(template: Template, layout: Layout) -> Entries:
    """The entries that make the tree's nodes, each once, in forward order.

    A node that never is in the batch, the rest of a run that only lends, has no row to write to.
    """
    entries = template.entries
    makers = [
        run * template.frame.n_stages + stage
        for node, (run, stage) in enumerate(zip(layout.owner, layout.birth, strict=True))
        if node >= template.n_bases and layout.death[node] > stage
    ]
    own = np.isin(entries.run * template.frame.n_stages + entries.stage, makers)
    return entries.take_rows(own)


def _nodes_of(layout: Layout, entries: Entries) -> Ints:
    """Per entry the node that it makes."""
    n_stages = layout.template.frame.n_stages
    keys, where = np.unique(entries.run * n_stages + entries.stage, return_inverse=True)
    nodes = [layout.made[divmod(key, n_stages)] for key in keys.tolist()]
    return np.array(nodes, dtype=np.int64)[where]


def _steps(
    template: Template,
    layout: Layout,
    entries: Entries,
    nodes: Ints,
    prefix: int,
    begin: int,
    n_pairs: int,
) -> tuple[list[Step], Ints]:
    """Cut the entries at every change of stage, point or slicing and tile them over pairs.

    What takes its value from another run comes after that run's own edits at the same stage.
    """
    depth = _depths(template.entries, entries)
    order = np.lexsort((entries.run, entries.n_units, depth, entries.point, entries.stage))
    some, nodes = entries.take_rows(order), nodes[order]
    keys = np.stack([some.stage, some.point, depth[order], some.n_units])
    cuts = np.flatnonzero((np.diff(keys, axis=1) != 0).any(axis=0)) + 1
    parts = np.split(np.arange(len(some)), cuts) if len(some) else []
    steps = [
        _step(some.take_rows(part), nodes[part], layout, prefix, begin, n_pairs) for part in parts
    ]
    return steps, order


def _lender(layout: Layout, source: int, stage: int, point: int) -> int:
    """The node of a source: a base, or what holds another run at that point."""
    return max(source, 0) if source >= -1 else layout.holder(-2 - source, stage, point)


def _step(
    some: Entries, nodes: Ints, layout: Layout, prefix: int, begin: int, n_pairs: int
) -> Step:
    pairs = np.arange(n_pairs)
    stage = int(some.stage[0])
    slots = layout.slots[stage - begin]
    row = slots[nodes]
    lenders = np.unique(some.source)
    holders = np.array([_lender(layout, s, stage, int(some.point[0])) for s in lenders.tolist()])
    source = slots[holders[np.searchsorted(lenders, some.source)]]
    source = np.where(some.source == -1, row, source)
    return Step(
        stage=stage,
        point=POINTS[some.point[0]],
        n_units=int(some.n_units[0]),
        row=(row[:, None] * n_pairs + pairs).reshape(-1),
        position=(some.position - prefix).repeat(n_pairs),
        unit=some.unit.repeat(n_pairs),
        source=(source[:, None] * n_pairs + pairs).reshape(-1),
        constant=some.constant.repeat(n_pairs),
        pair=np.tile(pairs, len(some)),
        keep=some.keep.repeat(n_pairs),
        take=some.take.repeat(n_pairs),
        add=some.add.repeat(n_pairs),
        within=some.within.repeat(n_pairs),
    )


def _depths(everything: Entries, some: Entries) -> Ints:
    """Per entry, how many runs deep its value comes from other runs' edits at the same stage.

    By stage, for runs that share a row there may take values from further runs elsewhere.
    """
    lent = everything.source < -1
    columns = (everything.run[lent], everything.stage[lent], everything.source[lent])
    lenders: dict[tuple[int, int], set[int]] = {}
    for run, stage, source in zip(*(column.tolist() for column in columns), strict=True):
        lenders.setdefault((run, stage), set()).add(-2 - source)
    found: dict[tuple[int, int], int] = {}

    def depth(run: int, stage: int) -> int:
        key = (run, stage)
        if key not in found:
            deepest = max((depth(lender, stage) for lender in lenders.get(key, ())), default=-1)
            found[key] = 1 + deepest
        return found[key]

    depths = np.zeros(len(some), dtype=np.int64)
    for index in np.flatnonzero(some.source < -1).tolist():
        depths[index] = depth(int(some.run[index]), int(some.stage[index]))
    return depths
