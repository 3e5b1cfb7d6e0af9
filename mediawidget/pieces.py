"""Some pairs of a group, ready to be differentiated: what every gradient method is made of.

A row is a prompt of a pair, all first prompts before all second ones; what is multiplied and
summed are whole activations at the point of the mediator, (row, position, columns).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import Bank, steering_vector
from .edits.base import Base, MeanOf, Recipe, other
from .gradients import Pass, Slope, Where, differentiated
from .groups import Group
from .mediators import Place
from .outcomes import filed
from .plan.frame import Ints
from .reading import read
from .readouts import KL_CLEAN, KL_CORRUPT
from .runner import observe, references
from .sites import Site

if TYPE_CHECKING:
    from .first_order import Grid
    from .lm import LM

Array = NDArray[np.float64]


@dataclass
class Piece:
    """Some pairs of a group.

    Attributes:
        grid: the cells that are asked for.
        group: of the pairs.
        pairs: which of its strands.
        bank: constants that edits need.
        most_rows: rows that one pass may have.
        passes, rows, backward: how many forward passes there were so far, of how many rows, and
            how many backward passes.
    """

    grid: Grid
    group: Group
    pairs: Ints
    bank: Bank
    most_rows: int
    passes: int = 0
    rows: int = 0
    backward: int = 0

    # --- what there is ------------------------------------------------------------------------

    @property
    def lm(self) -> LM:
        return self.grid.question.engine.lm

    @property
    def layers(self) -> tuple[int, ...]:
        """The layers of the sweep."""
        return tuple(int(layer) for layer in self.grid.question.axes["layer"])

    def place(self, layer: int) -> Place:
        """Where the mediator's first unit lies in a layer."""
        return self.grid.mediator.place(self._site(layer), self.lm.shape)

    def where(self, layer: int) -> Where:
        """Stage and point of a layer."""
        place = self.place(layer)
        return place.stage, place.point

    @cached_property
    def places(self) -> list[Where]:
        """Of the layers in which there is something to run."""
        shape, grid = self.lm.shape, self.grid
        sites = [grid.mediator.place(site, shape) for site in grid.spots if site is not None]
        return list(dict.fromkeys((place.stage, place.point) for place in sites))

    @cached_property
    def index(self) -> Tensor:
        return torch.from_numpy(self.pairs).to(self.group.ids.device)

    @cached_property
    def ids(self) -> Tensor:
        """(row, position) token ids."""
        return self.group.ids[:, self.index].flatten(0, 1)

    @property
    def copies(self) -> int:
        """How many times all rows may be in one pass."""
        return max(1, self.most_rows // len(self.ids))

    # --- passes -------------------------------------------------------------------------------

    @contextmanager
    def passing(
        self,
        places: Sequence[Where],
        *,
        under: AbstractContextManager[Any] | None = None,
        shifts: Mapping[Where, Tensor] | None = None,
        copies: int = 1,
    ) -> Iterator[Pass]:
        """A forward pass over all rows, as ``gradients.differentiated``.

        With ``shifts`` the metric's own slopes are those of the shifted runs.
        """
        ids, reads = self.ids.repeat(copies, 1), self.group.frame.read_at
        number = self._number(copies, live=bool(shifts))
        self._count(ids)
        with differentiated(
            self.lm, ids, reads, places, number, under=under, shifts=shifts
        ) as found:
            yield found
            self.backward += found.backward

    def slopes(self, under: AbstractContextManager[Any] | None = None) -> dict[Where, Slope]:
        """What every place is on the prompts as they are, and its slope."""
        with self.passing(self.places, under=under) as found:
            return found.slopes()

    def values(self, places: Sequence[Where]) -> dict[Where, Tensor]:
        """What places are on the prompts as they are."""
        self._count(self.ids)
        return observe(self.lm, self.ids, list(places))  # type: ignore[return-value]

    # --- products -----------------------------------------------------------------------------

    def first_order(self, slopes: Mapping[Where, Slope]) -> list[Array]:
        """Slope times change, per layer: (base, strand, unit, position)."""
        found = []
        for layer in self.layers:
            slope = slopes[self.where(layer)]
            found.append(self.cells(slope.gradient, self.change(layer, slope.value), layer))
        return found

    def change(self, layer: int, value: Tensor) -> Tensor:
        """What an edit of a layer's sites changes: (row, position, columns).

        Args:
            layer: whose.
            value: what its place is on the prompts as they are.
        """
        site, place, edit = self._site(layer), self.place(layer), self.grid.question.sweep.edit
        bases = self.group.frame.bases
        own = dict(zip(bases, torch.unflatten(value, 0, (len(bases), -1)), strict=True))
        if self.group.others is not None:
            own[other(bases[0])] = self._aligned(own[bases[0]], self._others[self.where(layer)])
        found = []
        for base in bases:
            recipe, here = edit.recipe(base, site), wide(own[base])
            change = (recipe.keep - 1.0) * here
            if recipe.source is not None:
                change = change + recipe.take * wide(own[recipe.source])
            if recipe.constant is not None:
                change = change + recipe.add * _constant(recipe, self.bank, place, here)
            found.append(self._differing(change, recipe, base))
        return torch.cat(found)

    def cells(self, gradient: Tensor, change: Tensor, layer: int) -> Array:
        """Gradient times change over each cell's numbers: (base, strand, unit, position)."""
        product = wide(gradient) * change
        product = torch.unflatten(product, 0, (len(self.group.frame.bases), -1))
        each = torch.unflatten(product, -1, (self.place(layer).n_units, -1))
        each = each.sum(-1, dtype=_sum(product))
        units = torch.from_numpy(self.grid.units).to(each.device)
        cells = torch.from_numpy(self.positions(layer)).to(each)
        return torch.einsum("bntu,tp->bnup", each[..., units], cells).double().cpu().numpy()

    def positions(self, layer: int) -> Array:
        """(position, cell) 1 where a cell of this layer is at that position, else 0."""
        frame, axes = self.group.frame, self.grid.question.axes
        n_at = len(axes.get("position", (None,)))
        first = n_at * self.layers.index(layer)
        cells = np.zeros((frame.n_positions, n_at))
        for column, site in enumerate(self.grid.spots[first : first + n_at]):
            if site is not None:
                cells[list(frame.positions(site.position)), column] = 1.0
        return cells

    # --- inside -------------------------------------------------------------------------------

    def _count(self, ids: Tensor) -> None:
        """A forward pass over these rows."""
        self.passes += 1
        self.rows += len(ids)

    def _site(self, layer: int) -> Site:
        index = self.grid.mediator.index
        first: Mapping[str, Any] = {index: 0} if index else {}
        return Site(self.grid.mediator.name, layer, **first)

    @cached_property
    def _others(self) -> dict[Where, Tensor]:
        """What the places are on the pairs' other prompts, where these are of another length."""
        assert self.group.others is not None
        ids = self.group.others[self.index]
        self._count(ids)
        return observe(self.lm, ids, list(self.places))  # type: ignore[return-value]

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

    @cached_property
    def _references(self) -> tuple[Tensor, Tensor] | None:
        """Both prompts' logits, where KL is asked for: it does not move along with a run."""
        if not {KL_CLEAN, KL_CORRUPT} & set(self.group.reading.columns):
            return None
        self._count(self.ids)
        if self.group.others is not None:
            self._count(self.ids)
            return references(self.lm, self.group, self.index)
        logits = self.lm.logits_at(self.ids, self.group.frame.read_at[:1])[:, 0]
        clean, corrupt = torch.unflatten(logits, 0, (2, -1))
        return clean, corrupt

    def _number(self, copies: int, *, live: bool) -> Callable[[Tensor], Tensor]:
        """What is differentiated: the sum over rows of what moves their pair's metric."""
        group, known = self.group, self._references
        reading, n = group.reading.of(self.index), len(self.pairs)
        fixed = torch.from_numpy(self._slopes_of_metric()).repeat(copies, 1)
        live = live and not self.grid.steady

        def number(logits: Tensor) -> Tensor:
            at = torch.arange(n, device=logits.device)
            row = at.repeat(copies * len(group.frame.bases))
            kept = read(logits, reading, row, (at, at), known)
            weights = (self._live_slopes(kept) if live else fixed).to(kept)
            return (torch.where(weights == 0, 0.0, kept) * weights).sum()

        return number

    def _slopes_of_metric(self) -> Array:
        """(row, K): how the metric moves with what the unedited runs keep."""
        group, n_columns = self.group, len(self.grid.outcomes.columns)
        here, there = filed(group.gives, n_columns)
        by_column = np.zeros((len(group.bases), len(self.pairs), n_columns))
        by_base = self.grid.slopes[group.members[self.pairs]][:, group.bases].swapaxes(0, 1)
        by_column[..., there] = by_base[..., here]
        return by_column.reshape(-1, n_columns)

    def _live_slopes(self, kept: Tensor) -> Tensor:
        """The same with what other runs keep, of strands that give both answers."""
        return torch.from_numpy(self.grid.slopes_at(kept.detach().double().cpu().numpy()))


def wide(value: Tensor) -> Tensor:
    """At least single precision."""
    return value.to(torch.promote_types(value.dtype, torch.float32))


def _constant(recipe: Recipe, bank: Bank, place: Place, value: Tensor) -> Tensor:
    """What an edit adds, unweighted: broadcast to (strand, position, columns)."""
    if isinstance(recipe.constant, MeanOf):
        return wide(bank.means[(place.stage, place.point, recipe.constant.base)])
    width = value.shape[-1] // place.n_units
    vector = steering_vector(recipe.constant, width, place.point)
    return vector.to(value).repeat(place.n_units)


def _sum(value: Tensor) -> torch.dtype:
    return torch.float32 if value.device.type == "mps" else torch.float64
