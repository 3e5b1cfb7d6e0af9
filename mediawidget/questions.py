"""A sweep put to the pairs of a study: which cells there are, and the runs that answer them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .asking import Asked
from .checks import Edits
from .engine import Engine
from .mediators import mediator_named
from .results import Axes
from .sites import Site
from .sweeps import Sweep


@dataclass(frozen=True)
class Question:
    """A sweep over what these pairs have.

    Args:
        sweep: what is asked.
        engine: of the pairs.
        roles: the names of positions that every pair has.

    Raises:
        MediationError: a sweep by position over pairs of several lengths.
    """

    sweep: Sweep
    engine: Engine
    roles: tuple[str, ...]

    @cached_property
    def axes(self) -> Axes:
        """Axis names to coordinates."""
        return self.sweep.axes(self.engine.lm.shape, self._n_positions, self.roles)

    @property
    def sites(self) -> list[Site]:
        """The site that names each cell, in row-major order."""
        return self.sweep.sites(self.engine.lm.shape, self._n_positions, self.roles)

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
        return [None if cell and self.lonely(cell) else cell for cell in cells]

    @cached_property
    def _n_positions(self) -> int:
        mediator = self.sweep.mediator
        positional = self.sweep.by == "position" or mediator_named(mediator).keyed
        return self.engine.swept(mediator, positional=positional)

    def lonely(self, cell: Edits) -> bool:
        """Whether there is nothing for a cell to set on some pair."""
        return self.engine.absent(cell)
