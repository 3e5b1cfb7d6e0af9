"""One run by the slow road: no trace, no grown batch, no cache, one prompt at a time.

A model on a server is asked for the run and all that it takes from in one request (plain_remote).

It shares with the engine the table of module paths, how a model is called as it is, and what is
drawn at random, and nothing of how runs are laid out in a batch, so that it can contradict it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .constants import noise_draw, tensors
from .edits import Edit, Knockout, Part, Values
from .edits.base import Base, Donor, MeanOf, NoiseOf, Recipe, Vector
from .edits.part import stacked
from .engine import Engine
from .groups import Group, drawn_prompts
from .mediators import Place, Point, mediator_named
from .outcomes import filed
from .plain_hooks import at_point
from .plain_remote import held_sites, run_there
from .reading import read
from .readouts import KL_CLEAN, KL_CORRUPT
from .runs import Run, roles_named
from .sites import Site
from .two_texts import n_positions


class _SeenError(Exception):
    """Ends a pass that has come to what was asked for."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value


@singledispatch
def plain_run(engine: Engine, run: Run, pair: int = 0) -> NDArray[np.float64]:
    """What a run keeps of one pair: (K,), as the engine's columns name them."""
    kept = np.full(len(engine.columns), np.nan)
    for group in engine.groups_of(roles_named([run])):
        for at in np.flatnonzero(group.members == pair):
            if run.base in group.frame.bases:
                here, there = filed(group.gives, len(kept))
                strand = PlainStrand(engine, group, int(at))
                far = engine.lm.backend is not None
                kept[here] = (run_there(strand, run) if far else strand.run(run))[there]
    return kept


@dataclass(frozen=True)
class _Set:
    """One thing that is set: positions and columns of a point, and how."""

    place: Place
    positions: tuple[int, ...]
    columns: NDArray[np.int64]
    change: Callable[[Tensor], Tensor | float]


def within(part: Part, old: Tensor, new: Tensor) -> Tensor:
    """How much of the change (position, columns) is in a part of the value."""
    whose = np.zeros(len(old), dtype=np.int64)
    arrays = tensors(stacked([part], whose), old.device, old.dtype)
    change: Tensor = part.moved(old, new.expand_as(old), arrays)
    return change


@dataclass(frozen=True)
class PlainStrand:
    """Runs on one strand of one group."""

    engine: Engine
    group: Group
    at: int

    def run(self, run: Run) -> NDArray[np.float64]:
        """What the run keeps: (K,)."""
        reads = list(self.group.frame.read_at)
        logits = self._logits(run, self.ids(run.base), reads)[None]
        references = None
        if {KL_CLEAN, KL_CORRUPT} & set(self.group.reading.columns):
            references = (self.reference("clean"), self.reference("corrupt"))
        one = torch.zeros(1, dtype=torch.int64, device=logits.device)
        reading = self.group.reading.of(torch.tensor([self.at], device=logits.device))
        kept = read(logits, reading, one, (one, one), references)
        return kept[0].double().cpu().numpy()

    def reference(self, base: Base) -> Tensor:
        """(1, vocabulary): the logits of a prompt as it is, where it is read first."""
        frame = self.group.frame
        first = frame.read_at[0]
        at = first if base in frame.bases else frame.partners[first]
        return self._logits(Run(base), self.ids(base), [at])

    # --- forward passes ---------------------------------------------------------------------

    def ids(self, base: Base) -> Tensor:
        """Of a prompt of the pair: (position,)."""
        if base in self.group.frame.bases:
            return self.group.ids[self.group.frame.bases.index(base), self.at]
        assert self.group.others is not None
        return self.group.others[self.at]

    def _logits(self, run: Run, ids: Tensor, reads: list[int]) -> Tensor:
        """(read, vocabulary), under the run's edits."""
        lm = self.engine.lm
        with lm.lock, ExitStack() as hooks, torch.no_grad():
            for (stage, point), sets in self._sets(run, n_positions(lm, ids[None])).items():
                hooks.enter_context(at_point(lm, stage, point, _setter(sets, lm.dtype)))
            logits: Tensor = lm.logits_at(ids[None], reads)[0]
        return logits if logits.dtype == torch.float64 else logits.float()

    def _seen(self, run: Run, place: Place, ids: Tensor) -> Tensor:
        """The whole activation (position, columns) at a place, under the run's edits."""
        lm = self.engine.lm
        sets = self._sets(run, n_positions(lm, ids[None]))
        own = sets.pop((place.stage, place.point), None)

        def look(value: Tensor) -> None:
            changed = _setter(own, lm.dtype)(value) if own else value
            raise _SeenError(changed.clone())

        with lm.lock, ExitStack() as hooks, torch.no_grad():
            for (stage, point), some in sets.items():
                hooks.enter_context(at_point(lm, stage, point, _setter(some, lm.dtype)))
            hooks.enter_context(at_point(lm, place.stage, place.point, look))
            try:
                lm.logits_at(ids[None], [-1])
            except _SeenError as seen:
                return _wide(seen.value, lm.dtype)
        raise AssertionError(f"the pass never came to {place}")

    # --- what is set --------------------------------------------------------------------------

    def _sets(self, run: Run, n: int) -> dict[tuple[int, Point], list[_Set]]:
        frame = self.group.frame
        found: dict[tuple[int, Point], list[_Set]] = {}
        frozen = [self._frozen(site, run, n) for site in held_sites(run, frame.shape)]
        for one in [*frozen, *(self._edited(site, edit, run, n) for site, edit in run.edits)]:
            found.setdefault((one.place.stage, one.place.point), []).append(one)
        return found

    def _frozen(self, site: Site, run: Run, n: int) -> _Set:
        place, columns = self.where(site, n)
        own = self._seen(Run(run.base), place, self.ids(run.base))
        positions = self.positions(site)
        value = own[list(positions)][:, columns]
        return _Set(place, positions, columns, lambda _: value)

    def _edited(self, site: Site, edit: Edit, run: Run, n: int) -> _Set:
        place, columns = self.where(site, n)
        if isinstance(edit, Knockout):
            place = replace(place, point="mask")
            return _Set(place, self.positions(site), columns, lambda _: -torch.inf)
        recipe = edit.recipe(run.base, site)
        positions = self.positions(site)
        if isinstance(recipe.constant, Values):
            positions = self.group.frame.captured(site.position)
        other = isinstance(recipe.source, str) and recipe.source not in self.group.frame.bases
        if other:
            partners = self.group.frame.partners
            positions = tuple(p for p in positions if p in partners)
            source = self._source(recipe, place, [partners[p] for p in positions], columns)
        else:
            source = self._source(recipe, place, list(positions), columns)
        constant = self._constant(recipe, place, positions, columns)

        def change(old: Tensor) -> Tensor:
            new = old * recipe.keep if recipe.keep else torch.zeros_like(old)
            new = new if source is None else new + recipe.take * source
            new = new if constant is None else new + recipe.add * constant(old)
            if recipe.within is None:
                return new
            return old + within(recipe.within, old, new)

        return _Set(place, positions, columns, change)

    def _source(
        self, recipe: Recipe, place: Place, positions: list[int], columns: Any
    ) -> Tensor | None:
        source = recipe.source
        if source is None:
            return None
        if isinstance(source, Donor):
            drawn = int(drawn_prompts(self.group, source.base, source.seed)[self.at])
            ids = self.group.pools[source.base].ids[drawn]
            seen = self._seen(Run(source.base), place, ids)
        elif isinstance(source, Run):
            seen = self._seen(source, place, self.ids(source.base))
        else:
            seen = self._seen(Run(source), place, self.ids(source))  # type: ignore[arg-type]
        return seen[positions][:, columns]

    def _constant(
        self, recipe: Recipe, place: Place, positions: tuple[int, ...], columns: Any
    ) -> Callable[[Tensor], Tensor] | None:
        constant, lm = recipe.constant, self.engine.lm
        if constant is None:
            return None
        rows = list(positions)
        if isinstance(constant, MeanOf):
            prompts = self.group.pools[constant.base].ids
            seen = [self._seen(Run(constant.base), place, ids) for ids in prompts]
            mean = torch.stack(seen).mean(dim=0)[rows][:, columns]
            return lambda _: mean
        if isinstance(constant, NoiseOf):
            own = self._seen(Run(constant.base), place, self.ids(constant.base))
            spread = own[rows][:, columns].double().std(correction=0)
            drawn = noise_draw(constant, np.array(rows), len(columns))
            return lambda old: (spread * drawn.to(lm.device)).to(old.dtype)
        if isinstance(constant, Vector):
            # As exact as the numbers are; single precision would fail checks of double.
            vector = torch.tensor(constant.numbers, dtype=torch.float64, device=lm.device)
            return lambda old: vector.to(old.dtype).expand_as(old)
        given = self.given(constant, rows)
        return given.to

    def given(self, values: Values, rows: list[int]) -> Tensor:
        """What was captured at these positions: (position, column)."""
        frame = self.group.frame
        held = frame.captured(values.site.position)
        part = values.array[self.group.members[self.at], [held.index(p) for p in rows]]
        return torch.from_numpy(np.asarray(part))

    # --- where --------------------------------------------------------------------------------

    def positions(self, site: Site) -> tuple[int, ...]:
        """Those that a site has on this prompt."""
        return self.group.frame.positions(site.position)

    def where(self, site: Site, n: int) -> tuple[Place, NDArray[np.int64]]:
        """The place of a site and its columns there."""
        lm, frame = self.engine.lm, self.group.frame
        mediator = mediator_named(site.mediator)
        place = mediator.place(site, frame.shape)
        if mediator.keyed:
            heads = range(lm.n_heads) if site.head is None else [site.head]
            keys = frame.positions(site.key)
            return place, np.array([h * n + k for h in heads for k in keys])
        width = lm.width_at(place.point, n) // place.n_units
        return place, np.arange(place.unit * width, (place.unit + 1) * width)


def _setter(sets: list[_Set], dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """All that is set at one point, every new value made from the activation as it came.

    Only what comes out is rounded to what the activation is in.
    """

    def change(value: Tensor) -> Tensor:
        new = value.clone()
        for one in sets:
            grid = np.ix_(np.array(one.positions, dtype=np.int64), one.columns)
            new[grid] = torch.as_tensor(one.change(_wide(value[grid], dtype)), dtype=value.dtype)
        return new

    return change


def _wide(value: Tensor, dtype: torch.dtype) -> Tensor:
    """At least in the model's precision: some take patterns in single, whatever they are in."""
    return value.to(torch.promote_types(value.dtype, dtype))
