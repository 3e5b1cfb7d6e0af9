"""Which rows a batch has at each stage: a tree of runs that share a row until they part."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..mediators import POINTS
from ..mediators.base import LATE
from .frame import Ints
from .template import Template


@dataclass
class Layout:
    """Rows as nodes of a tree, whose roots are the base rows.

    A node holds what all runs through it have in common: it is born at the stage where their next
    edit lies, as a copy of its parent, and dies when nothing needs it any more. Inside a block it
    may be born late, at the point of that edit; in the batch the late rows come last.

    Attributes:
        parent, birth, death: per node; a node is in the batch at the stages birth to death - 1.
        root: per node the base that it started from.
        owner: per node the first run through it, whose entries it is made with.
        point: per node the point, within its first stage, at which it is born; 0 at its entrance.
        ends: run -> the node that holds it at last.
        made: (run, stage) -> the node that a run's edits at that stage make.
        slots: per stage, node -> its place in the batch; -1 where it is not in it.
    """

    template: Template
    parent: list[int] = field(default_factory=list)
    birth: list[int] = field(default_factory=list)
    death: list[int] = field(default_factory=list)
    root: list[int] = field(default_factory=list)
    owner: list[int] = field(default_factory=list)
    point: list[int] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    made: dict[tuple[int, int], int] = field(default_factory=dict)
    slots: list[Ints] = field(default_factory=list)

    def holder(self, run: int, stage: int, point: int = len(POINTS)) -> int:
        """The node that holds a run inside a stage, at a point of it."""
        before = [s for s, _ in self.template.paths[run] if s <= stage]
        node = self.made[run, before[-1]] if before else int(self.template.base[run])
        unborn = before and before[-1] == stage and self.point[node] > point
        return self.parent[node] if unborn else node

    def alive(self, stage: int) -> NDArray[np.bool_]:
        """Which nodes are in the batch at a stage; before the first, the roots."""
        birth, death = np.array(self.birth), np.array(self.death)
        return (birth <= stage) & (stage < death)


def lay_out(
    template: Template,
    runs: Iterable[int],
    keep_bases: bool,
    begin: int = 0,
    late: Collection[int] = (),
) -> Layout:
    """The tree for chosen runs.

    Args:
        template: of all runs.
        runs: those whose outcome is asked for.
        keep_bases: whether the pair's own prompts are followed to the end.
        begin: the stage from which the batch is computed; no run may edit before it.
        late: the stages within which rows may be born late.
    """
    layout = Layout(template)
    last = template.frame.n_stages
    own = len(template.frame.bases)
    for base in range(template.n_bases):
        _node(layout, -1, begin, base, NO_RUN, 0)
        layout.death[base] = last if keep_bases and base < own else begin
    asked = list(runs)
    needed = _needed(template, asked)
    children: dict[tuple[int, int, tuple[int, int]], int] = {}
    for run in [*asked, *_lenders_of(template, asked)]:
        node = int(template.base[run])
        for stage, mark in template.paths[run]:
            if stage > needed.get(run, last):
                break
            child = children.get((node, stage, mark))
            if child is None:
                point = template.points[run, stage] if stage in late else 0
                point = point if POINTS[point] in LATE else 0
                child = _node(layout, node, stage, layout.root[node], run, point)
                children[node, stage, mark] = child
                layout.death[node] = max(layout.death[node], stage + (point > 0))
            layout.made[run, stage] = node = child
        layout.ends[run] = node
    for run in asked:
        layout.death[layout.ends[run]] = last
    _keep_sources(layout)
    _number(layout, begin)
    return layout


NO_RUN = -1


def _node(layout: Layout, parent: int, birth: int, root: int, owner: int, point: int) -> int:
    layout.parent.append(parent)
    layout.birth.append(birth)
    layout.death.append(birth)
    layout.root.append(root)
    layout.owner.append(owner)
    layout.point.append(point)
    return len(layout.birth) - 1


def _lenders_of(template: Template, runs: list[int]) -> list[int]:
    """The runs that chosen runs take values from, theirs included, each once."""
    found: dict[int, None] = {}
    open_ = list(runs)
    while open_:
        for lender in template.lenders[open_.pop()]:
            if lender not in found:
                found[lender] = None
                open_.append(lender)
    return list(found)


def _needed(template: Template, asked: list[int]) -> dict[int, int]:
    """Run that only lends -> the last stage at which any run takes a value from it."""
    entries = template.entries
    lent = entries.source < -1
    pairs = zip((-2 - entries.source[lent]).tolist(), entries.stage[lent].tolist(), strict=True)
    last: dict[int, int] = {}
    for lender, stage in dict.fromkeys(pairs):
        last[lender] = max(stage, last.get(lender, 0))
    for run in asked:
        last.pop(run, None)
    return last


def _keep_sources(layout: Layout) -> None:
    """Rows live as long as others take values from them."""
    entries = layout.template.entries
    used = np.isin(entries.run, np.unique(layout.owner)) & (entries.source != -1)
    columns = (entries.run[used], entries.source[used], entries.stage[used])
    needed: dict[tuple[int, int], None] = {}
    for run, source, stage in dict.fromkeys(zip(*(c.tolist() for c in columns), strict=True)):
        made = layout.made.get((run, stage))
        if made is not None and layout.owner[made] == run:
            needed[source, stage] = None
    for source, stage in needed:
        node = source if source >= 0 else layout.holder(-2 - source, stage)
        layout.death[node] = max(layout.death[node], stage + 1)


def _number(layout: Layout, begin: int) -> None:
    # A row that is needed as a parent or source is in the batch from its birth on.
    birth, points = np.array(layout.birth), np.array(layout.point)
    for stage in range(begin, layout.template.frame.n_stages):
        nodes = np.flatnonzero(layout.alive(stage))
        point = np.where(birth[nodes] == stage, points[nodes], 0)
        slots = np.full(len(birth), -1, dtype=np.int64)
        slots[nodes[np.argsort(point, kind="stable")]] = np.arange(len(nodes))
        layout.slots.append(slots)
