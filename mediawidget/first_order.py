"""Gradient times change, for every cell of a sweep at once.

Cells are layers, units and positions: a unit is one of the equal slices of the columns at a point,
so that the products over all columns are made once a layer and summed over slices and positions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .banks import fill_bank
from .chunks import CPU_TOKENS, half_of, in_halves
from .constants import Bank, steering_vector
from .edits.base import Base, MeanOf, Recipe, other
from .effects import Status
from .gradients import Slope, row_bytes, slopes_at
from .groups import Group
from .mediators import Mediator, mediator_named
from .memory import budget_bytes
from .metrics import Metric
from .outcomes import Outcomes, filed
from .plan import Template, make_template
from .plan.frame import Ints
from .questions import Question
from .reading import read
from .runner import observe, references
from .runs import both_directions, roles_named
from .sites import Site

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """A sweep's cells as layers, units and positions.

    Attributes:
        outcomes: of the base runs; what the passes cost is added.
    """

    question: Question
    metric: Metric
    outcomes: Outcomes

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
        for part in self.parts:
            part.add(moved)
        return moved

    def status(self) -> NDArray[np.uint8]:
        """Per (layer, 1, position), as the engine lays the sweep out."""
        possible = np.array([site is not None for site in self.spots])
        implied = np.ones(2 * int(possible.sum()), dtype=bool)
        for part in self.parts:
            implied[part.index] &= part.template.implied
        status = np.full(len(possible), Status.IMPOSSIBLE, dtype=np.uint8)
        zero = implied.reshape(-1, 2).all(axis=1)
        status[possible] = np.where(zero, Status.IMPLIED_ZERO, Status.ESTIMATE)
        return status.reshape(len(self.question.axes["layer"]), 1, -1)

    @cached_property
    def slopes(self) -> Array:
        """(pair, base, K): how the metric moves with what a base run keeps."""
        columns, bases = self.outcomes.columns, self.outcomes.bases
        self.metric.refuse_missing(columns)
        kept = {name: bases[..., columns.index(name)] for name in self.metric.columns}
        slopes = np.zeros_like(bases)
        for name, slope in self.metric.slopes(kept).items():
            slopes[..., columns.index(name)] = slope
        return slopes


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
        bank = fill_bank(engine.lm, self.template, group, grid.outcomes, engine.budget)

        def do(pairs: Ints) -> list[Array]:
            with torch.inference_mode(mode=False):
                return self._moved(pairs, bank)

        parts = np.array_split(np.arange(len(group.members)), self._n_parts())
        for pairs, found in in_halves(parts, do, half_of, group.frame.n_positions):
            grid.outcomes.passes += 1
            grid.outcomes.rows += len(pairs) * len(group.frame.bases)
            for layer, value in enumerate(found):
                for at, base in enumerate(group.bases.tolist()):
                    # A pair is in a group once.
                    moved[group.members[pairs], base, layer] += value[at]

    def _n_parts(self) -> int:
        lm, frame = self.grid.question.engine.lm, self.group.frame
        budget = self.grid.question.engine.budget
        free = budget_bytes(lm.device) if budget is None else budget
        rows = free // row_bytes(lm, frame.n_positions, len(frame.read_at))
        if lm.device.type == "cpu":
            rows = min(rows, CPU_TOKENS // frame.n_positions)
        return -(-len(self.group.members) // max(1, rows // len(frame.bases)))

    # --- one chunk ----------------------------------------------------------------------------

    def _moved(self, pairs: Ints, bank: Bank) -> list[Array]:
        """Per layer what some of the strands move: (base, strand, unit, position)."""
        grid, group = self.grid, self.group
        lm = grid.question.engine.lm
        index = torch.from_numpy(pairs).to(group.ids.device)
        sites = [site for site in grid.spots if site is not None]
        places = list(
            dict.fromkeys(
                (place.stage, place.point)
                for place in (grid.mediator.place(site, lm.shape) for site in sites)
            )
        )
        ids = group.ids[:, index].flatten(0, 1)
        slopes = slopes_at(lm, ids, group.frame.read_at, places, self._number(pairs, index))
        others = {} if group.others is None else observe(lm, group.others[index], places)  # type: ignore[arg-type]
        found = []
        for layer in grid.question.axes["layer"]:
            site = Site(grid.mediator.name, int(layer), **_unit_0(grid.mediator))
            place = grid.mediator.place(site, lm.shape)
            where = (place.stage, place.point)
            slope = slopes[where]
            change = self._change(slope, site, bank, others.get(where), len(pairs))
            found.append(self._summed(slope.gradient, change, place.n_units, int(layer)))
        return found

    def _number(self, pairs: Ints, index: Tensor) -> Any:
        """What is differentiated: the sum over rows of what moves their pair's metric."""
        group, lm = self.group, self.grid.question.engine.lm
        here, there = filed(group.gives, len(self.grid.outcomes.columns))
        bases = group.bases
        by_column = np.zeros((len(bases), len(pairs), len(self.grid.outcomes.columns)))
        by_base = self.grid.slopes[group.members[pairs]][:, bases].swapaxes(0, 1)
        by_column[..., there] = by_base[..., here]
        rows = torch.from_numpy(by_column).flatten(0, 1)
        n, reading = len(pairs), group.reading.of(index)
        fixed = references(lm, group, index)

        def number(logits: Tensor) -> Tensor:
            at = torch.arange(n, device=logits.device)
            known, which = fixed, (at, at)
            if fixed is None:
                # A prompt's own distribution is what KL is measured from: it does not move along.
                known = (logits[:, 0].detach(), logits[:, 0].detach())
                which = (at, at + n * (len(bases) - 1))
            kept = read(logits, reading, at.repeat(len(bases)), which, known)
            weights = rows.to(kept)
            return (torch.where(weights == 0, 0.0, kept) * weights).sum()

        return number

    def _change(
        self, slope: Slope, site: Site, bank: Bank, seen: Tensor | None, n: int
    ) -> list[Tensor]:
        """Per base the site's new value less its own: (strand, position, columns)."""
        group, edit = self.group, self.grid.question.sweep.edit
        bases = group.frame.bases
        own = dict(zip(bases, torch.unflatten(slope.value, 0, (len(bases), n)), strict=True))
        if seen is not None:
            own[other(bases[0])] = self._aligned(own[bases[0]], seen)
        place = self.grid.mediator.place(site, self.grid.question.engine.lm.shape)
        found = []
        for base in bases:
            recipe, value = edit.recipe(base, site), _wide(own[base])
            change = (recipe.keep - 1.0) * value
            if recipe.source is not None:
                change = change + recipe.take * _wide(own[recipe.source])
            if recipe.constant is not None:
                where = (place.stage, place.point)
                change = change + recipe.add * _constant(recipe, bank, where, place.n_units, value)
            found.append(self._differing(change, recipe, base))
        return found

    def _aligned(self, own: Tensor, seen: Tensor) -> Tensor:
        """The other prompt's values at this prompt's positions; its own where it has no partner."""
        partners = self.group.frame.partners
        value = own.clone()
        value[:, list(partners)] = seen[:, list(partners.values())]
        return value

    def _differing(self, change: Tensor, recipe: Recipe, base: Base) -> Tensor:
        """Before the first difference both prompts have one value, whatever rounding says."""
        if recipe.source == other(base) and recipe.constant is None:
            frame = self.group.frame
            if recipe.keep + recipe.take == 1.0:
                change[:, : frame.first_difference] = 0
        return change

    def _summed(self, gradient: Tensor, change: list[Tensor], n_units: int, layer: int) -> Array:
        """Gradient times change over each cell's numbers: (base, strand, unit, position)."""
        product = torch.unflatten(_wide(gradient), 0, (len(change), -1)) * torch.stack(change)
        each = torch.unflatten(product, -1, (n_units, -1)).sum(-1, dtype=_summing(product))
        units = torch.from_numpy(self.grid.units).to(each.device)
        cells = torch.from_numpy(self._positions(layer)).to(each)
        return torch.einsum("bntu,tp->bnup", each[..., units], cells).double().cpu().numpy()

    def _positions(self, layer: int) -> Array:
        """(position, cell) 1 where a cell of this layer is at that position, else 0."""
        frame, axes = self.group.frame, self.grid.question.axes
        n_at = len(axes.get("position", (None,)))
        first = n_at * list(axes["layer"]).index(layer)
        cells = np.zeros((frame.n_positions, n_at))
        for column, site in enumerate(self.grid.spots[first : first + n_at]):
            if site is not None:
                cells[list(frame.positions(site.position)), column] = 1.0
        return cells


def _constant(
    recipe: Recipe, bank: Bank, where: tuple[int, str], n_units: int, value: Tensor
) -> Tensor:
    """What an edit adds, unweighted: broadcast to (strand, position, columns)."""
    if isinstance(recipe.constant, MeanOf):
        return _wide(bank.means[(*where, recipe.constant.base)])
    width = value.shape[-1] // n_units
    return steering_vector(recipe.constant, width, where[1]).to(value).repeat(n_units)


def _unit_0(mediator: Mediator) -> Mapping[str, int]:
    return {mediator.index: 0} if mediator.index else {}


def _wide(value: Tensor) -> Tensor:
    """At least single precision."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _summing(value: Tensor) -> torch.dtype:
    return torch.float32 if value.device.type == "mps" else torch.float64
