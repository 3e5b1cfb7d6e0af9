"""One run of a network by the slow road: torch's hooks, one input at a time, no batch, no trace.

It shares with the engine where the points are and what is drawn at random, and nothing of how runs
are laid out as rows, so that it can contradict it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..constants import noise_draw
from ..edits import Values
from ..edits.base import BASES, Donor, MeanOf, NoiseOf, Recipe, Vector
from ..plain import plain_run, within
from ..reading import read
from ..runs import Run
from ..sites import Site
from .anatomy import Spot, Tap
from .engine import NetworkEngine, drawn_pairs
from .hooks import looking
from .points import from_columns, to_columns
from .recording import positions_at


@plain_run.register
def _(engine: NetworkEngine, run: Run, pair: int = 0) -> NDArray[np.float64]:
    """What a run keeps of one pair: (K,), as the engine's columns name them."""
    plain = _Plain(engine, pair)
    outputs = [plain.output(one, plain.row(one.base)) for one in (*map(Run, BASES), run)]
    index = torch.zeros(3, dtype=torch.int64, device=engine.network.device)
    reading = engine.reading.of(index[:1] + pair)
    kept = read(torch.cat(outputs)[:, None], reading, index, (index[:1], index[:1] + 1))
    return kept[2].double().cpu().numpy()


@dataclass(frozen=True)
class _Set:
    """One thing that is set: positions and columns of a point, and how.

    ``change`` makes the new value of the old, (position, width), at positions of the point.
    """

    spot: Spot
    positions: tuple[int, ...]
    columns: slice
    change: Callable[[Tensor, list[int]], Tensor]


@dataclass(frozen=True)
class _Plain:
    """Runs on one pair."""

    engine: NetworkEngine
    pair: int

    def row(self, base: str, pair: int | None = None) -> Tensor:
        """The input ``base`` of a pair, (1, ...)."""
        which = self.pair if pair is None else pair
        return self.engine.inputs[BASES.index(base), which][None]

    def output(self, run: Run, row: Tensor) -> Tensor:
        """(1, class), under the run's edits."""
        network = self.engine.network
        with network.lock, ExitStack() as hooks, torch.no_grad():
            self._enter(hooks, run)
            return network.output_of(row)

    def seen(self, run: Run, row: Tensor, spot: Spot) -> Tensor:
        """A whole point (position, column), under the run's edits."""
        network, found = self.engine.network, []

        def look(tap: int) -> Callable[[Tensor], Tensor]:
            layout = self.engine.anatomy.taps[tap].layout

            def keep(value: Tensor) -> Tensor:
                found.append(to_columns(value, layout)[0])
                return value

            return keep

        with network.lock, ExitStack() as hooks, torch.no_grad():
            self._enter(hooks, run)  # before, so that what is seen is edited
            for number in spot.taps:
                tap = self.engine.anatomy.taps[number]
                part = network.hf.get_submodule(tap.path)
                hooks.enter_context(looking(part, tap.side, look(number)))
            network.output_of(row)
        return torch.cat(found)

    # --- what is set --------------------------------------------------------------------------

    def _enter(self, hooks: ExitStack, run: Run) -> None:
        network, anatomy = self.engine.network, self.engine.anatomy
        sets = self._sets(run)
        for number in dict.fromkeys(tap for one in sets for tap in one.spot.taps):
            tap = anatomy.taps[number]
            here = [one for one in sets if number in one.spot.taps]
            part = network.hf.get_submodule(tap.path)
            hooks.enter_context(looking(part, tap.side, _setter(here, tap)))

    def _sets(self, run: Run) -> list[_Set]:
        """All that is set, what is frozen first: an edit stands over it."""
        anatomy, found = self.engine.anatomy, []
        for held in run.freeze if run.edits else ():
            whole = [held] if isinstance(held, Site) else anatomy.whole(held)
            found += [self._set(site, Recipe(take=1.0, source=run.base)) for site in whole]
        return found + [self._set(site, edit.recipe(run.base, site)) for site, edit in run.edits]

    def _set(self, site: Site, recipe: Recipe) -> _Set:
        spot, roles = self.engine.anatomy.spot(site), self.engine.common_roles
        columns = slice(None) if site.unit is None else slice(site.unit, site.unit + 1)
        source = self._source(recipe, spot, columns)
        constant = self._constant(recipe, spot, columns)

        def change(old: Tensor, at: list[int]) -> Tensor:
            new = old * recipe.keep if recipe.keep else torch.zeros_like(old)
            new = new if source is None else new + recipe.take * source[at]
            new = new if constant is None else new + recipe.add * constant[at].to(old)
            return new if recipe.within is None else old + within(recipe.within, old, new)

        return _Set(spot, positions_at(site, spot, roles), columns, change)

    def _source(self, recipe: Recipe, spot: Spot, columns: slice) -> Tensor | None:
        """(position, width) at all positions of the point."""
        source: Any = recipe.source
        if source is None:
            return None
        if isinstance(source, Run):
            return self.seen(source, self.row(source.base), spot)[:, columns]
        if isinstance(source, Donor):
            drawn = int(drawn_pairs(source, len(self.engine.pairs))[self.pair])
            return self.seen(Run(source.base), self.row(source.base, drawn), spot)[:, columns]
        return self.seen(Run(source), self.row(source), spot)[:, columns]

    def _constant(self, recipe: Recipe, spot: Spot, columns: slice) -> Tensor | None:
        """(position, width) at all positions of the point; zeros at those that have none."""
        constant = recipe.constant
        if constant is None:
            return None
        if isinstance(constant, MeanOf):
            run = Run(constant.base)
            pairs = range(len(self.engine.pairs))
            seen = [self.seen(run, self.row(constant.base, p), spot) for p in pairs]
            return torch.stack(seen).mean(dim=0)[:, columns]
        if isinstance(constant, NoiseOf):
            own = self.seen(Run(constant.base), self.row(constant.base), spot)[:, columns]
            held = list(positions_at(constant.site, spot, self.engine.common_roles))
            spread = own[held].double().std(correction=0)
            drawn = noise_draw(constant, np.arange(spot.n_positions), own.shape[1])
            return spread * drawn.to(own.device)
        if isinstance(constant, Vector):
            return torch.tensor(constant.numbers, dtype=torch.float64).expand(spot.n_positions, -1)
        return self._given(constant, spot)

    def _given(self, values: Values, spot: Spot) -> Tensor:
        captured = self.engine.anatomy.spot(values.site)
        held = positions_at(values.site, captured, self.engine.common_roles)
        array = torch.from_numpy(values.array[self.pair])
        whole = array.new_zeros(spot.n_positions, array.shape[1])
        whole[list(held)] = array
        return whole


def _setter(sets: Sequence[_Set], tap: Tap) -> Callable[[Tensor], Tensor]:
    """All that is set at one tap, every new value made from the activation as it came."""

    def change(value: Tensor) -> Tensor:
        old = to_columns(value, tap.layout)[0]
        new = old.clone()
        for one in sets:
            at = [p for p in one.positions if tap.first <= p < tap.first + tap.n_positions]
            here = [p - tap.first for p in at]
            if at:
                new[here, one.columns] = one.change(old[here, one.columns], at)
        return from_columns(new[None], tap.layout, tap.tail)

    return change
