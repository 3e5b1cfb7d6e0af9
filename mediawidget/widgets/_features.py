"""What FeatureGrid shows: rows of features, codes by token, and what setting each comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Edit, Patch, Within, Zero
from ..edits.features import Features, steer
from ..edits.sparse import SAE
from ..effects import SHOWN, Effect, Status
from ..errors import MediationError
from ..features.cells import ERROR, Cells, Unit
from ..features.firing import Context, contexts
from ..sites import Position, Site

if TYPE_CHECKING:
    from ..study import Study

Array = NDArray[np.float64]

WAYS = ("patch", "zero", "steer")
AMOUNT = 5.0
MOST_CELLS = 1000
"""Cells that are elements of the page."""

SHOWN_CONTEXTS, LONGEST = 4, 48
Key = tuple[Edit, Site]


@dataclass
class Rows:
    """Some features of a site and its error, on the pairs of a study.

    Attributes:
        cells: what there is.
        texts: what contexts are taken from.
        most: how many features are shown.
        way: "patch", "zero" (ablate) or "steer".
        amount: of steering.
        by: "activation" or "effect".
        wanted: features that were asked for, shown first.
        runs: what was run: an effect without axes, by what set which site.
    """

    cells: Cells
    texts: Sequence[str]
    most: int
    way: str = "patch"
    amount: float = AMOUNT
    by: str = "activation"
    wanted: tuple[int, ...] = ()
    runs: dict[Key, Effect] = field(default_factory=dict)
    _contexts: tuple[tuple[Context, ...], ...] | None = None

    @property
    def study(self) -> Study:
        return self.cells.study

    @property
    def sae(self) -> SAE:
        return self.cells.sae

    @property
    def spots(self) -> list[Position]:
        """Of the columns: everywhere at once, then every position."""
        return [None, *self.cells.spots]

    @property
    def columns(self) -> dict[str, Position]:
        """The same by name, as a sweep takes them."""
        return {"all" if spot is None else str(spot): spot for spot in self.spots}

    @property
    def units(self) -> list[Unit]:
        """Of the rows, in order; the error last."""
        size = self._sizes()
        size[~self.cells.active.any(axis=1)] = -1.0
        best = [int(unit) for unit in np.argsort(-size, kind="stable") if size[unit] >= 0]
        room = max(1, min(self.most, MOST_CELLS // len(self.spots) - 1))
        return [*dict.fromkeys([*self.wanted, *best[:room]]), None]

    def edit(self, unit: Unit) -> Edit:
        """What a click sets a row's cells to."""
        if self.way == "steer":
            if unit is None:
                raise MediationError(
                    "The error has no code to add to.",
                    value=self.sae.label(None),
                    expected="a feature",
                    fix="patch or ablate the error",
                )
            return steer(self.sae, unit, self.amount)
        way: Edit = Zero() if self.way == "zero" else Patch()
        return self.cells.set_to(way, [unit], None)

    def place(self, site: Site, edit: Edit, units: Sequence[Unit]) -> tuple[int, int] | None:
        """The row, of those ``units``, and column of what was set; None where it is not shown."""
        if replace(site, position=None) != self.sae.at() or site.position not in self.spots:
            return None
        for row, unit in enumerate(units):
            if not (self.way == "steer" and unit is None) and self.edit(unit) == edit:
                return row, self.spots.index(site.position)
        return None

    def keep(self, site: Site, edit: Edit, effect: Effect) -> None:
        """Remember what a run came to."""
        self.runs[edit, site] = effect

    def keep_sweep(self, effect: Effect) -> None:
        """Remember every cell of a sweep over the columns that was run."""
        for i, name in enumerate(effect.axes["feature"]):
            unit = None if name == ERROR else int(name)
            edit = self.edit(unit)
            for j, spot in enumerate(self.spots):
                if int(effect.status[i, j]) in SHOWN:
                    index: tuple[Any, ...] = (slice(None), slice(None), i, j)
                    status = np.asarray(effect.status[i, j])
                    cell = replace(
                        effect, axes={}, edited=effect.edited[index], status=status, labels=()
                    )
                    self.keep(self.cells.site(spot), edit, cell)

    # --- the page -----------------------------------------------------------------------------

    def payload(self, pair: int | None) -> dict[str, Any]:
        """Plain data and bytes; ``pair`` is the one that is shown, None for the mean."""
        units, codes = self.units, self._codes(pair)
        y01, y10, status = self.numbers(units, pair)
        rows = [-1 if unit is None else unit for unit in units]
        shown = {base: some[:, rows].T.astype("<f4") for base, some in codes.items()}
        for some in shown.values():
            some[[unit is None for unit in units]] = np.nan
        patch = self.way == "patch"
        goals = {"patch": "to its value on the other prompt", "zero": "to a code of 0"}
        goal = goals.get(self.way, f"{self.amount:+g} in code")
        return {
            "site": self.sae.site.label(),
            "name": repr(self.sae).removeprefix("SAE(").removesuffix(")"),
            "n_features": self.sae.n_features,
            "columns": ["all", *self.study.position_names],
            "labels": [self.label(unit, spot) for unit in units for spot in self.spots],
            "rows": [self._row(unit) for unit in units],
            "clean": shown["clean"].tobytes(),
            "corrupt": shown["corrupt"].tobytes(),
            "y01": y01.tobytes(),
            "y10": y10.tobytes(),
            "status": status.tobytes(),
            "way": self.way,
            "amount": self.amount,
            "by": self.by,
            # A cell's own label says that it is a feature.
            "edit": {"kind": self.way, "corners": patch, "goal": goal, "part": ""},
        }

    def label(self, unit: Unit, spot: Position) -> str:
        """A cell's name; of a whole row that of the feature."""
        return self.cells.label(unit, spot)

    def _row(self, unit: Unit) -> dict[str, Any]:
        if self._contexts is None:
            self._contexts = contexts(self.study.lm, self.sae, self.texts, SHOWN_CONTEXTS)
        tops = () if unit is None else self._contexts[unit]
        return {
            "label": self.sae.label(unit),
            "tops": [
                {
                    "before": top.before[-LONGEST:],
                    "token": top.token[:LONGEST],
                    "after": top.after[:LONGEST],
                    "code": round(top.code, 3),
                }
                for top in tops
            ],
        }

    def _codes(self, pair: int | None) -> Mapping[str, Array]:
        """Per prompt (position, feature): a pair's codes, or the mean over pairs."""
        some = self.cells.codes
        return {
            b: np.mean(all_, axis=0) if pair is None else all_[pair] for b, all_ in some.items()
        }

    def _sizes(self) -> Array:
        """(feature,) by which rows are in order."""
        apart = np.zeros(self.sae.n_features)
        length = np.linalg.norm(self.sae.w_dec, axis=1)
        for clean, corrupt in zip(*self.cells.codes.values(), strict=True):
            apart = np.maximum(apart, np.abs(clean - corrupt).max(axis=0) * length)
        if self.by == "activation":
            return apart
        # What was run comes first, the others in order of their codes.
        size = apart / max(1.0, 2 * float(apart.max())) * 1e-6
        for (edit, _), effect in self.runs.items():
            unit = _unit(edit)
            if unit is not None:
                keys = ("PIE", "TIE") if effect.edit.corners else ("clean", "corrupt")
                size[unit] = max(size[unit], *(abs(effect[key]) for key in keys))
        return size

    def numbers(self, units: Sequence[Unit], pair: int | None) -> tuple[Any, Any, Any]:
        """y01, y10 and status of every cell: (row, column)."""
        shape = (len(units), len(self.spots))
        y01, y10 = np.full((2, *shape), np.nan, dtype="<f4")
        status = np.full(shape, Status.NOT_RUN, dtype=np.uint8)
        total = self.study.known_total
        bases = total.scores(total.bases)
        base = bases.mean(axis=0) if pair is None else bases[pair]
        for row, unit in enumerate(units):
            if self.way == "steer" and unit is None:
                status[row] = Status.IMPOSSIBLE
                continue
            edit = self.edit(unit)
            for column, spot in enumerate(self.spots):
                found = self.runs.get((edit, self.cells.site(spot)))
                if found is not None:
                    one = found if pair is None else found.pair(pair)
                    y10[row, column], y01[row, column] = one.scores(one.edited).mean(axis=0)
                    status[row, column] = int(one.status)
                elif self._implied(unit, column):
                    y10[row, column], y01[row, column] = base
                    status[row, column] = Status.IMPLIED_ZERO
        return y01, y10, status

    def _implied(self, unit: Unit, column: int) -> bool:
        """Whether a code is 0 on both prompts of every pair, and stays so."""
        if unit is None or self.way == "steer":
            return False
        active = self.cells.active[unit]
        return not (active.any() if column == 0 else active[column - 1])


def _unit(edit: Edit) -> int | None:
    """The one feature that an edit sets."""
    part = edit.part if isinstance(edit, Within) else None
    one = isinstance(part, Features) and len(part.units) == 1
    return part.units[0] if one and isinstance(part, Features) else None
