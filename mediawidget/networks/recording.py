"""Runs as records: what each sets, at which tap, position and unit, and how it is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..edits import Edit, Values
from ..edits.base import Donor, Recipe
from ..errors import MediationError
from ..mediators import OF_NETWORKS, mediator_named
from ..mediators.base import positions_of
from ..plan import with_lenders
from ..plan.frame import Ints
from ..plan.template import clashing
from ..runs import Run
from ..sites import Site
from .anatomy import Anatomy, Spot, not_here

Roles = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Record:
    """One edit of one site at one tap.

    Attributes:
        run: whose edit it is.
        tap: where.
        positions: of the tap, one an entry; ``named``: the same as positions of the point.
        units: of the ``n_units`` equal parts of the columns, one an entry.
        recipe: how the new value is made.
        site: whose value it is.
    """

    run: int
    tap: int
    positions: Ints
    named: Ints
    units: Ints
    n_units: int
    recipe: Recipe
    site: Site


@dataclass(frozen=True)
class Recorded:
    """Runs made ready for any pairs.

    Attributes:
        runs: those that were asked for, then those they take values from.
        n_asked: how many were asked for.
        of_run: per run its records.
        lenders: per run the runs it takes values from.
    """

    anatomy: Anatomy
    runs: Sequence[Run]
    n_asked: int
    of_run: Sequence[Sequence[Record]]
    lenders: Sequence[tuple[int, ...]]

    @cached_property
    def depth(self) -> list[int]:
        """Per run how many runs deep its values come from others, which are made before it."""
        found: dict[int, int] = {}

        def depth(run: int) -> int:
            if run not in found:
                found[run] = 1 + max((depth(lender) for lender in self.lenders[run]), default=-1)
            return found[run]

        return [depth(run) for run in range(len(self.runs))]

    def with_lenders(self, runs: Sequence[int]) -> list[int]:
        """Some runs, and those they take values from, each once."""
        found = dict.fromkeys(runs)
        open_ = list(runs)
        while open_:
            for lender in self.lenders[open_.pop()]:
                if lender not in found:
                    found[lender] = None
                    open_.append(lender)
        return list(found)

    @property
    def donors(self) -> list[Donor]:
        """The inputs of other pairs that lend values, each once."""
        sources = (record.recipe.source for records in self.of_run for record in records)
        return list(dict.fromkeys(source for source in sources if isinstance(source, Donor)))


def recorded(runs: Sequence[Run], anatomy: Anatomy, roles: Roles) -> Recorded:
    """Check every site and find where it is.

    Raises:
        MediationError: a site that there is not, an edit that makes no sense at its site, two
            edits of one run at one place.
    """
    everything = with_lenders(runs)
    index = {run: i for i, run in enumerate(everything)}
    of_run = [list(_records(i, run, anatomy, roles)) for i, run in enumerate(everything)]
    lenders = [
        tuple(sorted({index[r.recipe.source] for r in some if isinstance(r.recipe.source, Run)}))
        for some in of_run
    ]
    return Recorded(anatomy, everything, len(runs), of_run, lenders)


def positions_at(site: Site, spot: Spot, roles: Roles) -> tuple[int, ...]:
    """The positions of its point that a site names."""
    return positions_of(site.position, spot.n_positions, roles)


def checked_spot(site: Site, anatomy: Anatomy, roles: Roles) -> Spot:
    """The point of a site.

    Raises:
        MediationError: a mediator of language models, or a site that there is not.
    """
    spot = anatomy.spot(site)
    mediator_named(site.mediator).check(site, anatomy.shape, 0, roles)
    return spot


# --- inside ---------------------------------------------------------------------------------


def _records(index: int, run: Run, anatomy: Anatomy, roles: Roles) -> Iterator[Record]:
    taken: dict[int, np.ndarray[tuple[int, int], np.dtype[np.bool_]]] = {}
    for site, edit in run.edits:
        for record in _edited(index, run, site, edit, anatomy, roles):
            if _marked(taken, record, anatomy):
                raise clashing(run)
            yield record
    if run.edits and run.freeze:
        yield from _frozen(index, run, anatomy, roles, taken)


def _edited(
    index: int, run: Run, site: Site, edit: Edit, anatomy: Anatomy, roles: Roles
) -> Iterator[Record]:
    spot = checked_spot(site, anatomy, roles)
    edit.check(site)
    if edit.kind == "knockout":
        raise not_here("edge", anatomy)
    recipe = edit.recipe(run.base, site)
    if isinstance(recipe.constant, Values):
        _refuse_elsewhere(recipe.constant, site, anatomy, roles)
    wanted = positions_at(site, spot, roles)
    n_units = 1 if site.unit is None else spot.width
    yield from _cut(index, spot, anatomy, (wanted, site.unit or 0, n_units), recipe, site)


def _cut(
    index: int,
    spot: Spot,
    anatomy: Anatomy,
    what: tuple[Sequence[int], int, int],
    recipe: Recipe,
    site: Site,
) -> Iterator[Record]:
    """A record for each tap at which some of the positions lie."""
    wanted, unit, n_units = what
    asked = np.array(wanted, dtype=np.int64)
    for number in spot.taps:
        tap = anatomy.taps[number]
        here = asked[(asked >= tap.first) & (asked < tap.first + tap.n_positions)]
        if len(here):
            units = np.full(len(here), unit, dtype=np.int64)
            yield Record(index, number, here - tap.first, here, units, n_units, recipe, site)


def _marked(taken: dict[int, np.ndarray], record: Record, anatomy: Anatomy) -> bool:
    """Mark what a record sets; whether some of it was set before."""
    tap = anatomy.taps[record.tap]
    grid = taken.setdefault(record.tap, np.zeros((tap.n_positions, tap.width), dtype=bool))
    size = tap.width // record.n_units
    columns = record.units[:, None] * size + np.arange(size)
    before = bool(grid[record.positions[:, None], columns].any())
    grid[record.positions[:, None], columns] = True
    return before


def _frozen(
    index: int,
    run: Run,
    anatomy: Anatomy,
    roles: Roles,
    taken: dict[int, np.ndarray],
) -> Iterator[Record]:
    """What is held at the run's own base, but for what is edited there or held already."""
    for held in run.freeze:
        if isinstance(held, str) and held not in OF_NETWORKS:
            raise not_here(held, anatomy)
        sites = [held] if isinstance(held, Site) else anatomy.whole(held)
        for site in sites:
            spot = checked_spot(site, anatomy, roles)
            recipe = Recipe(take=1.0, source=run.base)
            wanted = positions_at(site, spot, roles)
            whole = (wanted, site.unit or 0, 1 if site.unit is None else spot.width)
            for record in _cut(index, spot, anatomy, whole, recipe, site):
                yield from _rest(record, anatomy, taken)


def _rest(
    record: Record,
    anatomy: Anatomy,
    taken: dict[int, np.ndarray],
) -> Iterator[Record]:
    """A record without what was set before, in single columns where it was cut."""
    tap = anatomy.taps[record.tap]
    before = taken.setdefault(record.tap, np.zeros((tap.n_positions, tap.width), dtype=bool)).copy()
    if not _marked(taken, record, anatomy):
        yield record
        return
    size = tap.width // record.n_units
    free = np.zeros_like(before)
    columns = record.units[:, None] * size + np.arange(size)
    free[record.positions[:, None], columns] = True
    positions, units = np.nonzero(free & ~before)
    if len(positions):
        yield Record(
            record.run,
            record.tap,
            positions,
            positions + tap.first,
            units,
            tap.width,
            record.recipe,
            record.site,
        )


def _refuse_elsewhere(values: Values, site: Site, anatomy: Anatomy, roles: Roles) -> None:
    """Values fit a site of as many numbers, at positions that they were captured at."""
    spot, own = checked_spot(values.site, anatomy, roles), anatomy.spot(site)
    held = set(positions_at(values.site, spot, roles))
    width = 1 if site.unit is not None else own.width
    if values.array.shape[2] != width or values.array.shape[1] != len(held):
        raise MediationError(
            "These values do not fit the site.",
            value=f"{values!r}",
            expected=f"(pair, {len(held)}, {width})",
            fix="study.activations(site) of the same kind of site, in the same study",
        )
    if not set(positions_at(site, own, roles)) <= held:
        raise MediationError(
            "The values were captured at other positions.",
            value=f"{values!r} for {site!r}",
            expected=f"positions among {sorted(held)}",
            fix="capture the values at all positions: Site(..., position=None)",
        )
