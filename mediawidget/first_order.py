"""The cells of a sweep as layers, units and positions, and what a method makes of them.

A unit is one of the equal slices of the columns at a point, so that products over all columns are
made once a layer and summed over slices and positions.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from .banks import fill_bank
from .chunks import CPU_TOKENS, half_of, in_halves
from .effects import Status
from .gradients import row_bytes
from .groups import Group
from .mediators import Mediator, mediator_named
from .memory import budget_bytes
from .metrics import Metric
from .outcomes import Outcomes
from .pieces import Piece
from .plan import Template, make_template
from .plan.frame import Ints
from .products import products_within
from .questions import Question
from .runs import both_directions, roles_named
from .sites import Site

Array = NDArray[np.float64]


class Method(ABC):
    """How the effect of a sweep's edits is estimated.

    Attributes:
        name: what facts call it.
        words: what kind of number it gives and what fools it, in a sentence or two.
        eager: whether its passes keep attention patterns.
    """

    name: ClassVar[str]
    words: ClassVar[str]
    eager: ClassVar[bool] = False

    @property
    def key(self) -> str:
        """What sets its grids apart from other methods'; empty for the plain one."""
        return ""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a reader must know of it beside its name."""
        return {}

    @property
    def at_base(self) -> bool:
        """Whether all of its gradients are taken at the unedited runs."""
        return True

    def refuse(self, question: Question, metric: Metric) -> None:  # noqa: B027 - most take all
        """Raise where it is not defined, beyond what no gradient method takes.

        Raises:
            MediationError: says what, and which method to take instead.
        """

    @abstractmethod
    def moved(self, piece: Piece) -> Sequence[Array]:
        """By how much each edit moves the metric, per layer: (base, strand, unit, position)."""


@dataclass(frozen=True)
class Grid:
    """A sweep's cells as layers, units and positions.

    Attributes:
        outcomes: of the base runs; what the passes cost is added.
        method: how the cells are estimated.
    """

    question: Question
    metric: Metric
    outcomes: Outcomes
    method: Method

    @cached_property
    def mediator(self) -> Mediator:
        return mediator_named(self.question.sweep.mediator)

    @cached_property
    def spots(self) -> list[Site | None]:
        """A site of unit 0 per (layer, position), None where a sweep has nothing to run."""
        sweep, axes = self.question.sweep, self.question.axes
        named = dict(sweep.by) if isinstance(sweep.by, tuple) else {}
        index = _unit_0(self.mediator)
        sites = [
            Site(sweep.mediator, layer, position=named.get(at, at), **index)  # type: ignore[arg-type]
            for layer in axes["layer"]
            for at in axes.get("position", (None,))
        ]
        return [None if self.question.lonely({site: sweep.edit}) else site for site in sites]

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Which of the spots there is something to run at."""
        return np.array([site is not None for site in self.spots])

    def site(self, cell: int) -> Site:
        """The site of a cell, by its flat index."""
        n_at = len(self.spots) // len(self.question.axes["layer"])
        layer, rest = divmod(cell, n_at * len(self.units))
        unit, at = divmod(rest, n_at)
        spot = self.spots[layer * n_at + at]
        assert spot is not None, "nothing is run there"
        index: dict[str, Any] = {self.mediator.index: unit} if self.mediator.index else {}
        return replace(spot, **index)

    @cached_property
    def units(self) -> Ints:
        """Which slice each unit is, of those at the mediator's point."""
        shape = self.question.engine.lm.shape
        n, cut = self.mediator.units(shape) if self.mediator.index else 1, self.mediator.cut
        return np.array([cut(shape, unit)[2] if cut else unit for unit in range(n)])

    @cached_property
    def parts(self) -> list[Part]:
        """The groups of pairs, each with the runs that stand for all of its cells."""
        engine, edit = self.question.engine, self.question.sweep.edit
        runs = both_directions([{site: edit} for site in self.spots if site is not None])
        parts = []
        for group in engine.groups_of(roles_named(runs)):
            which = [i for i, run in enumerate(runs) if run.base in group.frame.bases]
            template = make_template([runs[i] for i in which], group.frame)
            parts.append(Part(self, group, template, np.array(which, dtype=np.int64)))
        return parts

    def moved(self) -> Array:
        """By how much each edit moves the metric: (pair, base, layer, unit, position)."""
        n_layers, n_pairs = len(self.question.axes["layer"]), len(self.outcomes.bases)
        n_at = len(self.spots) // n_layers
        moved = np.zeros((n_pairs, 2, n_layers, len(self.units), n_at))
        # Where nothing can be run there is nothing to differentiate.
        for part in self.parts if self.possible.any() else ():
            part.add(moved)
        return moved

    def status(self) -> NDArray[np.uint8]:
        """Per (layer, 1, position), as the engine lays the sweep out."""
        possible = self.possible
        implied = np.ones(2 * int(possible.sum()), dtype=bool)
        for part in self.parts if possible.any() else ():
            implied[part.index] &= part.template.implied
        status = np.full(len(possible), Status.IMPOSSIBLE, dtype=np.uint8)
        zero = implied.reshape(-1, 2).all(axis=1)
        status[possible] = np.where(zero, Status.IMPLIED_ZERO, Status.ESTIMATE)
        return status.reshape(len(self.question.axes["layer"]), 1, -1)

    @cached_property
    def slopes(self) -> Array:
        """(pair, base, K): how the metric moves with what a base run keeps."""
        self.metric.refuse_missing(self.outcomes.columns)
        return self.slopes_at(self.outcomes.bases)

    def slopes_at(self, kept: Array) -> Array:
        """How the metric moves with what runs keep: (..., K) each."""
        columns = self.outcomes.columns
        named = {name: kept[..., columns.index(name)] for name in self.metric.columns}
        slopes = np.zeros_like(kept)
        for name, slope in self.metric.slopes(named).items():
            slopes[..., columns.index(name)] = slope
        return slopes

    @cached_property
    def steady(self) -> bool:
        """Whether the metric's slopes are the same of all runs."""
        return steady(self.metric)


def steady(metric: Metric) -> bool:
    """Whether a metric moves alike wherever a run has come to: it is linear."""
    at = np.array([0.1, -0.3])
    slopes = metric.slopes({name: at * i for i, name in enumerate(metric.columns, 1)})
    return all(bool(slope[0] == slope[1]) for slope in slopes.values())


@dataclass(frozen=True)
class Part:
    """The cells of a grid on one group of strands.

    Attributes:
        template: of one run per (layer, position) and base.
        index: which of all such runs these are.
    """

    grid: Grid
    group: Group
    template: Template
    index: Ints

    def add(self, moved: Array) -> None:
        """Add what these strands move, to (pair, base, layer, unit, position)."""
        engine, grid, group = self.grid.question.engine, self.grid, self.group
        with products_within(engine.budget):
            bank = fill_bank(engine.lm, self.template, group, grid.outcomes, engine.budget)
        most = self._most_rows()

        def do(pairs: Ints) -> tuple[Piece, Sequence[Array]]:
            piece = Piece(grid, group, pairs, bank, most)
            with torch.inference_mode(mode=False):
                return piece, grid.method.moved(piece)

        n_parts = -(-len(group.members) // max(1, most // len(group.frame.bases)))
        parts = np.array_split(np.arange(len(group.members)), n_parts)
        for pairs, (piece, found) in in_halves(parts, do, half_of, group.frame.n_positions):
            grid.outcomes.passes += piece.passes
            grid.outcomes.backward += piece.backward
            grid.outcomes.rows += piece.rows
            for layer, value in enumerate(found):
                for at, base in enumerate(group.bases.tolist()):
                    # A pair is in a group once.
                    moved[group.members[pairs], base, layer] += value[at]

    def _most_rows(self) -> int:
        """Rows that a pass may have."""
        lm, frame = self.grid.question.engine.lm, self.group.frame
        budget = self.grid.question.engine.budget
        free = budget_bytes(lm.device) if budget is None else budget
        eager = self.grid.method.eager
        rows = free // row_bytes(lm, frame.n_positions, len(frame.read_at), eager=eager)
        if lm.device.type == "cpu":
            rows = min(rows, CPU_TOKENS // frame.n_positions)
        return int(rows)


def _unit_0(mediator: Mediator) -> Mapping[str, int]:
    return {mediator.index: 0} if mediator.index else {}
