"""A run's edits, and what it freezes, as records of places and recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..edits import Edit, Knockout, Values
from ..edits.base import BASES, Donor, Recipe
from ..errors import MediationError
from ..mediators import POINTS, Mediator, Place, mediator_named
from ..runs import Run
from ..sites import Site
from .entries import NOTHING, Record
from .frame import Frame, Ints, OtherPrompt, no_partner

_Where = tuple[int, str]

_AFTER_MIXING = (
    *("pattern", "mask", "attn_z", "attn_out"),
    *("cross_z", "cross_out", "mid", "neurons", "mlp_out"),
)


@dataclass
class Recorder:
    """Collects the records of runs, one run after another.

    Attributes:
        frame: of the group.
        index_of: which run has which index, for runs that lend.
        records, donors, constants, parts: what was found.
    """

    frame: Frame
    index_of: Mapping[Run, int]
    records: list[Record] = field(default_factory=list)
    donors: list[Donor] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)
    _constant_of: dict[Any, int] = field(default_factory=dict)
    _part_of: dict[Any, int] = field(default_factory=dict)
    _reached: dict[tuple[Any, bool], Ints] = field(default_factory=dict)

    def add(self, index: int, run: Run) -> None:
        """Record what the run changes, as far as that can reach what is read."""
        own = self.frame.bases.index(run.base)
        edits = [self._record(index, run, site, edit) for site, edit in run.edits]
        _refuse_cut_off(edits, self.frame)
        first = min((self._first_changed(r, own) for r in edits), default=self.frame.n_positions)
        if not self.frame.shape.causal and first < self.frame.n_positions:
            first = 0  # what changes anywhere may change everything
        # A patch between the prompts changes nothing while they are still the same; any other edit
        # changes something from its own first position on, which is no earlier than ``first``.
        begin = min(first, self.frame.first_difference)
        found = [self._from_position(r, begin) for r in edits]
        if edits and run.freeze:
            found += [self._from_position(r, first) for r in self._frozen(index, run, own, edits)]
        self.records += [record for record in found if len(record.positions)]

    # --- edits ------------------------------------------------------------------------------

    def _record(self, index: int, run: Run, site: Site, edit: Edit) -> Record:
        frame = self.frame
        mediator = mediator_named(site.mediator)
        mediator.check(site, frame.shape, frame.n_named, frame.roles)
        edit.check(site)
        recipe = self._across(edit.recipe(run.base, site))
        place = mediator.place(site, frame.shape)
        if isinstance(recipe.constant, OtherPrompt) and place.point == "pattern":
            raise _other_keys(site)
        if mediator.keyed:
            place, positions, units = self._edges(site, place, edit)
        else:
            positions = self._reaching(mediator, place, site)
            if isinstance(recipe.constant, Values):
                positions = np.intersect1d(positions, frame.captured(site.position))
            if isinstance(recipe.constant, OtherPrompt):
                positions = self._partnered(site, positions)
            units = np.full(len(positions), place.unit)
        return Record(
            index,
            place,
            positions,
            units,
            self._source(recipe),
            self._constant(recipe),
            recipe.keep,
            recipe.take,
            recipe.add,
            self._part(recipe),
        )

    def _across(self, recipe: Recipe) -> Recipe:
        """A value of a prompt that is in another batch comes as a constant."""
        if recipe.source in self.frame.bases or recipe.source not in BASES:
            return recipe
        other = OtherPrompt(recipe.source)
        return replace(recipe, take=0.0, add=recipe.take, source=None, constant=other)

    def _partnered(self, site: Site, positions: Ints) -> Ints:
        """The positions that have a partner in the other prompt; those named must have one."""
        partners = self.frame.partners
        alone = [p for p in positions.tolist() if p not in partners]
        if alone and site.position is not None:
            raise no_partner(alone[0], partners)
        return np.array([p for p in positions.tolist() if p in partners], dtype=np.int64)

    def _reaching(self, mediator: Mediator, place: Place, site: Site) -> Ints:
        """The site's positions from which what is read can be reached at all."""
        shape = self.frame.shape
        late = place.stage > shape.n_layers or (
            place.stage == shape.n_layers
            and (place.point in _AFTER_MIXING or mediator.name == "query")
        )
        key = (site.position, late)
        if key not in self._reached:
            named, reads = self.frame.positions(site.position), self.frame.read_at
            last = max(reads) if shape.causal else self.frame.n_positions
            kept = [p for p in named if p <= last and (not late or p in reads)]
            self._reached[key] = np.array(kept, dtype=np.int64)
        return self._reached[key]

    def _edges(self, site: Site, place: Place, edit: Edit) -> tuple[Place, Ints, Ints]:
        """Every (head, query, key) of the site: as units, one per head and key."""
        frame, n = self.frame, self.frame.n_positions
        heads = range(frame.shape.n_heads) if site.head is None else (site.head,)
        keys = frame.positions(site.key)
        queries = self._reaching(mediator_named("pattern"), place, site)
        sees = frame.shape.sees
        if not any(sees(q, k) for q in frame.positions(site.position) for k in keys):
            raise _no_edge(site, "a token attends to itself and to earlier ones")
        knockout = isinstance(edit, Knockout)
        seen = [(q, k) for q in queries.tolist() for k in keys if sees(q, k)]
        edges = [(q, h * n + k) for h in heads for q, k in seen]
        table = np.array(edges, dtype=np.int64).reshape(-1, 2)
        n_units = frame.shape.n_heads * n
        place = replace(place, point="mask" if knockout else "pattern", n_units=n_units)
        return place, table[:, 0], table[:, 1]

    # --- what is frozen -----------------------------------------------------------------------

    def _frozen(self, index: int, run: Run, own: int, edits: list[Record]) -> Iterator[Record]:
        """Every frozen number after the first edit, but for what is edited."""
        begin = min((r.place.stage, POINTS.index(r.place.point)) for r in edits)
        held: dict[_Where, list[tuple[Place, Ints]]] = {}
        for place, mediator, site in self._held(run):
            if (place.stage, POINTS.index(place.point)) >= begin:
                positions = self._reaching(mediator, place, site)
                held.setdefault((place.stage, place.point), []).append((place, positions))
        for where, several in held.items():
            here = [r for r in edits if (r.place.stage, r.place.point) == where]
            if any((r.place.stage, r.place.point) == (where[0], "mask") for r in edits):
                _refuse_undone(where)
            yield from self._rest(index, own, several, here)

    def _rest(
        self, index: int, own: int, held: list[tuple[Place, Ints]], edits: list[Record]
    ) -> Iterator[Record]:
        """What is held at one point, without what is edited there, in as few units as can be."""
        n_units = max([place.n_units for place, _ in held] + [r.place.n_units for r in edits])
        grid = np.zeros((self.frame.n_positions, n_units), dtype=bool)
        for place, positions in held:
            size = n_units // place.n_units
            grid[positions, place.unit * size : (place.unit + 1) * size] = True
        for record in edits:
            size = n_units // record.place.n_units
            units = record.units[:, None] * size + np.arange(size)
            grid[record.positions[:, None], units] = False
        place = held[0][0]
        whole = np.flatnonzero(grid.all(axis=1))
        grid[whole] = False
        parts = np.argwhere(grid)
        for n, positions, units in [
            (1, whole, np.zeros(len(whole), dtype=np.int64)),
            (n_units, parts[:, 0], parts[:, 1]),
        ]:
            where = replace(place, n_units=n, unit=0)
            yield Record(index, where, positions, units, own, NOTHING, 0.0, 1.0, 0.0, NOTHING)

    def _held(self, run: Run) -> Iterator[tuple[Place, Mediator, Site]]:
        """The places that a run freezes; a kind that fills a point is one place a layer."""
        shape = self.frame.shape
        for held in run.freeze:
            name = held if isinstance(held, str) else held.mediator
            mediator = mediator_named(name)
            if isinstance(held, Site):
                mediator.check(held, shape, self.frame.n_named, self.frame.roles)
                yield mediator.place(held, shape), mediator, held
                continue
            n_units = mediator.units(shape)
            for layer in range(mediator.n_layers(shape)):
                for unit in range(n_units):
                    site = Site(held, layer, **({mediator.index: unit} if mediator.index else {}))
                    place = mediator.place(site, shape)
                    if place.n_units == n_units:
                        yield replace(place, n_units=1, unit=0), mediator, site
                        break
                    yield place, mediator, site

    # --- what cannot matter -------------------------------------------------------------------

    def _first_changed(self, record: Record, own: int) -> int:
        """The first position at which the record changes anything by itself."""
        positions = record.positions
        if _pure_patch(record) and record.source == own:
            return self.frame.n_positions
        if _pure_patch(record) and 0 <= record.source < len(self.frame.bases):
            positions = positions[positions >= self.frame.first_difference]
        return int(positions.min(initial=self.frame.n_positions))

    def _from_position(self, record: Record, first: int) -> Record:
        kept = record.positions >= first
        if kept.all():
            return record
        return replace(record, positions=record.positions[kept], units=record.units[kept])

    # --- sources and constants ------------------------------------------------------------------

    def _source(self, recipe: Recipe) -> int:
        source = recipe.source
        if source is None:
            return NOTHING
        if isinstance(source, Run):
            return -2 - self.index_of[source]
        if isinstance(source, Donor):
            if source not in self.donors:
                self.donors.append(source)
            return len(self.frame.bases) + self.donors.index(source)
        return self.frame.bases.index(source)

    def _constant(self, recipe: Recipe) -> int:
        if recipe.constant is None:
            return NOTHING
        if recipe.constant not in self._constant_of:
            self._constant_of[recipe.constant] = len(self.constants)
            self.constants.append(recipe.constant)
        return self._constant_of[recipe.constant]

    def _part(self, recipe: Recipe) -> int:
        if recipe.within is None:
            return NOTHING
        if recipe.within not in self._part_of:
            self._part_of[recipe.within] = len(self.parts)
            self.parts.append(recipe.within)
        return self._part_of[recipe.within]


def _pure_patch(record: Record) -> bool:
    return record.take == 1.0 and record.keep == 0.0 and record.constant == NOTHING


def _refuse_undone(where: _Where) -> None:
    """A pattern that is held has every edge, so one that is knocked out would come back."""
    if where[1] == "pattern":
        raise MediationError(
            "An edge is knocked out of a pattern that is frozen.",
            value=f"layer {where[0] - 1}",
            expected="patterns that are recomputed, or edges that are cut after the softmax",
            fix="Zero() on the edge instead of Knockout(), or freeze something else",
        )


def _refuse_cut_off(records: list[Record], frame: Frame) -> None:
    """Several knockouts together may leave a token nothing to attend to."""
    cut: dict[tuple[int, int, int], set[int]] = {}
    for record in records:
        if record.place.point == "mask":
            n_keys = record.place.n_units // frame.shape.n_heads
            for query, unit in zip(record.positions.tolist(), record.units.tolist(), strict=True):
                head, key = divmod(unit, n_keys)
                cut.setdefault((record.place.stage, head, query), set()).add(key)
    for (stage, head, query), keys in cut.items():
        if len(keys) > (query if frame.shape.causal else frame.n_positions - 1):
            site = Site("edge", stage - 1, head=head, position=query, key=tuple(sorted(keys)))
            raise _no_edge(site, "a token must have something left to attend to")


def _other_keys(site: Site) -> MediationError:
    return MediationError(
        "Attention patterns of prompts of unequal length have other keys.",
        value=repr(site),
        expected="prompts of one length, or an edit that takes nothing from the other prompt",
        fix="patch the head instead: Site('head', layer=3, head=1)",
    )


def _no_edge(site: Site, why: str) -> MediationError:
    return MediationError(
        "There is no such attention edge.",
        value=repr(site),
        expected=why,
        fix="Site('edge', layer=3, head=1, position=7, key=2)",
    )
