"""The grids of a study: what was swept or clicked, one for each edit and kind of sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from .edits import Edit
from .effects import Effect
from .mediators import OF_NETWORKS, Shape, mediator_named
from .metrics import Metric
from .results import completed, empty_grid, with_cell
from .sites import Site
from .sweeps import Sweep


@dataclass
class Grids:
    """Effects by edit and by ``Sweep.key``."""

    _effects: dict[tuple[Edit, str], Effect] = field(default_factory=dict)

    def under(self, edit: Edit) -> Mapping[str, Effect]:
        """The grids of one edit by their key: ``head``, ``residual@position``..."""
        return {key: effect for (own, key), effect in self._effects.items() if own == edit}

    def add(self, sweep: Sweep, effect: Effect, key: str | None = None) -> None:
        """A sweep's effect; cells that it did not come to keep what they showed.

        ``key`` is its name, where that is not the sweep's.
        """
        name = (sweep.edit, sweep.key if key is None else key)
        earlier = self._effects.get(name)
        self._effects[name] = completed(effect, earlier) if earlier else effect

    def fill_cell(
        self, site: Site, edit: Edit, effect: Effect, shape: Shape, names: tuple[str, ...]
    ) -> None:
        """A click on one site is that cell of its grid, whether or not the grid was swept.

        Args:
            site: where.
            edit: what it was set to.
            effect: what came of it, without axes.
            shape: of the network.
            names: of the positions; none where the pairs are of several lengths.
        """
        sweep = _sweep_of(site, edit, names)
        if sweep is None:
            return
        grid = self._effects.get((edit, sweep.key))
        if grid is None:
            axes = sweep.axes(shape, len(names))
            labels = tuple(
                one.label(names, shape.n_layers) for one in sweep.sites(shape, len(names))
            )
            grid = empty_grid(axes, effect, labels)
        self._effects[(edit, sweep.key)] = with_cell(grid, site, effect)

    def rescored(self, metric: Metric) -> Grids:
        """The same, read by another metric."""
        return Grids({key: effect.rescore(metric) for key, effect in self._effects.items()})

    def items(self) -> Iterator[tuple[Edit, str, Effect]]:
        """Edit, key and effect of every grid."""
        for (edit, key), effect in self._effects.items():
            yield edit, key, effect

    def clear(self) -> None:
        """Forget all of them."""
        self._effects.clear()


def _sweep_of(site: Site, edit: Edit, names: tuple[str, ...]) -> Sweep | None:
    """The sweep of which a site is a cell; None if there is none."""
    if site.mediator in OF_NETWORKS:  # whose sites need not be cells of a sweep
        return None
    whole = site.position is None
    several = isinstance(site.position, tuple | str) or edit.samples > 1
    if several or mediator_named(site.mediator).keyed or not (whole or names):
        return None
    return Sweep(site.mediator, edit, None if whole else "position")
