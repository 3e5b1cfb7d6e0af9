"""A sweep put to the pairs of a study: which cells there are, and the runs that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .asking import Asked
from .checks import Edits
from .engine import Engine
from .mediators import mediator_named
from .plan.frame import Frame
from .results import Axes
from .runs import Run, roles_named
from .sites import Position, Site
from .sweeps import Sweep


@dataclass(frozen=True)
class Question:
    """A sweep over what these pairs have.

    Args:
        sweep: what is asked.
        engine: of the pairs.
        roles: the names of positions that every pair has.
        alone: whether runs are of the clean prompt and take nothing from the other one, so that a
            position needs no partner there.

    Raises:
        MediationError: a sweep by position over pairs of several lengths.
    """

    sweep: Sweep
    engine: Engine
    roles: tuple[str, ...]
    alone: bool = False

    @cached_property
    def axes(self) -> Axes:
        """Axis names to coordinates."""
        return self.sweep.axes(self.engine.lm.shape, self._n_positions, self.roles)

    @property
    def sites(self) -> list[Site]:
        """The site that names each cell, in row-major order."""
        return self.sweep.sites(self.engine.lm.shape, self._n_positions, self.roles)

    @property
    def named_sites(self) -> list[Site]:
        """The same, with groups of positions under their names: what labels are made of."""
        shape = self.engine.lm.shape
        return self.sweep.sites(shape, self._n_positions, self.roles, named=True)

    def asked(self, labels: tuple[str, ...]) -> Asked:
        """The cells that there are, under their names.

        Raises:
            MediationError: the model has no such component at all.
        """
        if not self._everything:
            self.engine.lm.refuse_missing(mediator_named(self.sweep.mediator))
        cells = [cell for cell in self._everything if cell is not None]
        return Asked(
            axes=self.engine.named(self.sweep.mediator, self.axes),
            labels=labels,
            cells=cells,
            freezes=[self.sweep.freeze] * len(cells),
            edit=self.sweep.edit,
            possible=np.array([cell is not None for cell in self._everything]),
            facts=self.sweep.facts() | self.engine.facts(self.sweep.mediator),
        )

    @cached_property
    def _everything(self) -> list[Edits | None]:
        shape = self.engine.lm.shape
        cells = self.sweep.cells(shape, self._n_positions, self.roles)
        return [
            None if cell and (self.lonely(cell) or self._unseen(cell)) else cell for cell in cells
        ]

    def _unseen(self, cell: Edits) -> bool:
        """Whether some prompt has no edge between the groups that a cell names."""
        site = next(iter(cell))
        return (site.position, site.key) in self._apart

    @cached_property
    def _apart(self) -> set[tuple[Position, Position]]:
        """Which groups, of those that every prompt has, have no edge in some prompt."""
        if self.sweep.positional or not mediator_named(self.sweep.mediator).keyed:
            return set()
        one_each = {(site.position, site.key): site for site in self.sites}
        return {
            places
            for places, site in one_each.items()
            if not self.lonely({site: self.sweep.edit})
            and not all(self.sweep.has_edge(site, frame) for frame in self._frames)
        }

    @cached_property
    def _frames(self) -> list[Frame]:
        """Of the prompts, in groups in which all that the sweep names lies alike."""
        named = roles_named([Run("clean", dict.fromkeys(self.sites, self.sweep.edit))])
        return [group.frame for group in self.engine.groups_of(named)]

    @cached_property
    def _n_positions(self) -> int:
        return self.engine.swept(self.sweep.mediator, positional=self.sweep.positional)

    def lonely(self, cell: Edits) -> bool:
        """Whether there is nothing for a cell to set on some pair."""
        return not self.alone and self.engine.absent(cell)
