"""A run's edits, and what it freezes, as records of places and recipes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..edits import Edit, Knockout
from ..edits.base import BASES, Donor, Recipe
from ..errors import MediationError
from ..mediators import POINTS, Mediator, Place, mediator_named
from ..runs import Run
from ..sites import Site
from .entries import NOTHING, Record
from .frame import Frame, Ints, OtherPrompt, no_partner

_AFTER_MIXING = ("pattern", "mask", "attn_z", "attn_out", "mid", "neurons", "mlp_out")


@dataclass
class Recorder:
    """Collects the records of runs, one run after another.

    Attributes:
        frame: of the group.
        index_of: which run has which index, for runs that lend.
        records, donors, constants: what was found.
    """

    frame: Frame
    index_of: Mapping[Run, int]
    records: list[Record] = field(default_factory=list)
    donors: list[Donor] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    _constant_of: dict[Any, int] = field(default_factory=dict)

    def add(self, index: int, run: Run) -> None:
        """Record what the run changes, as far as that can reach what is read."""
        own = self.frame.bases.index(run.base)
        edits = [self._record(index, run, site, edit) for site, edit in run.edits]
        first = min((self._first_changed(r, own) for r in edits), default=self.frame.n_positions)
        found = [self._effective(r, min(first, self.frame.first_difference)) for r in edits]
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
        if mediator.keyed:
            place, positions, units = self._edges(site, place, edit)
        else:
            positions = self._reaching(mediator, place, site)
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
        )

    def _across(self, recipe: Recipe) -> Recipe:
        """A value of a prompt that is in another batch comes as a constant."""
        if recipe.source in self.frame.bases or recipe.source not in BASES:
            return recipe
        other = OtherPrompt(recipe.source)  # type: ignore[arg-type]
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
        frame = self.frame
        positions = frame.positions(site.position)
        last = max(frame.read_at)
        late = place.stage > frame.shape.n_layers or (
            place.stage == frame.shape.n_layers
            and (place.point in _AFTER_MIXING or mediator.name == "query")
        )
        kept = [p for p in positions if p <= last and (not late or p in frame.read_at)]
        return np.array(kept, dtype=np.int64)

    def _edges(self, site: Site, place: Place, edit: Edit) -> tuple[Place, Ints, Ints]:
        """Every (head, query, key) of the site: as units, one per head and key."""
        frame, n = self.frame, self.frame.n_positions
        heads = range(frame.shape.n_heads) if site.head is None else (site.head,)
        keys = frame.positions(site.key)
        queries = self._reaching(mediator_named("pattern"), place, site)
        if not any(k <= q for q in frame.positions(site.position) for k in keys):
            raise _no_edge(site, "a token attends to itself and to earlier ones")
        knockout = isinstance(edit, Knockout)
        if knockout and any(set(keys) >= set(range(q + 1)) for q in queries.tolist()):
            raise _no_edge(site, "a token must have something left to attend to")
        edges = [(q, h * n + k) for q in queries.tolist() for h in heads for k in keys if k <= q]
        table = np.array(edges, dtype=np.int64).reshape(-1, 2)
        n_units = frame.shape.n_heads * n
        place = replace(place, point="mask" if knockout else "pattern", n_units=n_units)
        return place, table[:, 0], table[:, 1]

    # --- what is frozen -----------------------------------------------------------------------

    def _frozen(self, index: int, run: Run, own: int, edits: list[Record]) -> Iterator[Record]:
        """Every frozen place after the first edit, but for what is edited there."""
        begin = min((r.place.stage, POINTS.index(r.place.point)) for r in edits)
        for site, whole in self._held(run, edits):
            mediator = mediator_named(site.mediator)
            mediator.check(site, self.frame.shape, self.frame.n_named, self.frame.roles)
            place = mediator.place(site, self.frame.shape)
            if (place.stage, POINTS.index(place.point)) < begin:
                continue
            place = replace(place, n_units=1) if whole else place
            positions = self._reaching(mediator, place, site)
            for edit in edits:
                positions = np.setdiff1d(positions, _overlap(edit, place))
            units = np.full(len(positions), place.unit)
            yield Record(index, place, positions, units, own, NOTHING, 0.0, 1.0, 0.0)

    def _held(self, run: Run, edits: list[Record]) -> Iterator[tuple[Site, bool]]:
        """The sites that a run freezes, each with whether it stands for its whole layer."""
        shape = self.frame.shape
        touched = {(edit.place.stage, edit.place.point) for edit in edits}
        for held in run.freeze:
            if isinstance(held, Site):
                yield held, False
                continue
            mediator = mediator_named(held)
            n_units = mediator.units(shape)
            for layer in range(mediator.n_layers(shape)):
                where = [
                    {mediator.index: unit} if mediator.index else {} for unit in range(n_units)
                ]
                place = mediator.place(Site(held, layer, **where[0]), shape)
                whole = place.n_units == n_units and (place.stage, place.point) not in touched
                for unit in where[:1] if whole else where:
                    yield Site(held, layer, **unit), whole

    # --- what cannot matter -------------------------------------------------------------------

    def _first_changed(self, record: Record, own: int) -> int:
        """The first position at which the record changes anything by itself."""
        positions = record.positions
        if _pure_patch(record) and record.source == own:
            return self.frame.n_positions
        if _pure_patch(record) and 0 <= record.source < len(self.frame.bases):
            positions = positions[positions >= self.frame.first_difference]
        return int(min(positions, default=self.frame.n_positions))

    def _effective(self, record: Record, first: int) -> Record:
        """A patch between the pair's prompts changes nothing while they are still the same.

        Any other edit sets a value that neither prompt has.
        """
        between = _pure_patch(record) and 0 <= record.source < len(self.frame.bases)
        return self._from_position(record, first) if between else record

    def _from_position(self, record: Record, first: int) -> Record:
        kept = record.positions >= first
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
        return self.frame.bases.index(source)  # type: ignore[arg-type]

    def _constant(self, recipe: Recipe) -> int:
        if recipe.constant is None:
            return NOTHING
        if recipe.constant not in self._constant_of:
            self._constant_of[recipe.constant] = len(self.constants)
            self.constants.append(recipe.constant)
        return self._constant_of[recipe.constant]


def _pure_patch(record: Record) -> bool:
    return record.take == 1.0 and record.keep == 0.0 and record.constant == NOTHING


def _overlap(edit: Record, place: Place) -> Ints:
    """The positions at which an edit sets columns of a place."""
    if (edit.place.stage, edit.place.point) != (place.stage, place.point):
        return np.empty(0, dtype=np.int64)
    n = edit.place.n_units
    left, right = place.unit / place.n_units, (place.unit + 1) / place.n_units
    meets = (edit.units / n < right - 1e-9) & ((edit.units + 1) / n > left + 1e-9)
    return edit.positions[meets]


def _no_edge(site: Site, why: str) -> MediationError:
    return MediationError(
        "There is no such attention edge.",
        value=repr(site),
        expected=why,
        fix="Site('edge', layer=3, head=1, position=7, key=2)",
    )
