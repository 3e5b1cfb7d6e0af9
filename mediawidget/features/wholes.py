"""What setting a whole site does, which attributions to its features have to add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edits import Patch
from ..effects import Effect
from ..runs import Run
from ..sites import Position
from ..validity import Check, too_near_zero
from .cells import Cells

Array = NDArray[np.float64]
MISSED = 0.1
"""Cells that add up to what the site does but for more than this share of it are flagged."""
LEAST = 1e-3
"""What the site does counts at least this share of TE where tolerances are shares of it."""


@dataclass(frozen=True)
class Whole:
    """What setting the whole site does at the positions of all cells, which is run.

    Attributes:
        moved: (pair, base) by how much.
        total: the size of TE.
        unit: of the metric.
        apart: whether no two cells have a position in common.
    """

    moved: Array
    total: float
    unit: str
    apart: bool

    def allowing(self, share: float) -> tuple[Array, Array]:
        """By how much, and per base how far off a pair may be."""
        size = np.maximum(np.abs(self.moved).mean(axis=0), LEAST * self.total)
        return self.moved, share * size

    def completeness(self, effect: Effect) -> Check:
        """Whether all cells add up to that."""
        exact = {"PIE": float(self.moved[:, 1].mean()), "TIE": -float(self.moved[:, 0].mean())}
        sums = {key: float(np.sum(effect[key])) for key in exact}
        off = max(abs(sums[key] - exact[key]) for key in exact)
        size = max(map(abs, exact.values()))
        told = ", ".join(f"{key} {sums[key]:+.3g} of {exact[key]:+.3g}" for key in exact)
        words = f"All cells together against the site set at once: {told} {self.unit}"
        words = words.replace("-", "\N{MINUS SIGN}")
        if not self.apart:
            words += ", but cells have positions in common, which count twice."
            return Check("completeness", None, words)
        if too_near_zero(size, 0.0):
            return Check("completeness", None, f"{words}, too near 0 for shares.")
        return Check("completeness", bool(off <= MISSED * size), f"{words}: {off / size:.0%} off.")


def whole_of(cells: Cells) -> Whole:
    """Two runs a pair."""
    study = cells.study
    alone = _alone(cells)
    site: Any = {cells.site(spot): Patch() for spot in alone}
    done = study.engine.evaluate([Run("clean", site), Run("corrupt", site)])
    y = study.metric.read(done.kept, done.columns).T
    base = study.metric.read(done.bases, done.columns)
    total = float(np.abs(base[:, 0] - base[:, 1]).mean())
    return Whole(y - base, total, study.metric.unit, len(alone) == len(cells.spots))


def _alone(cells: Cells) -> list[Position]:
    """Spots that together are all positions, without those that others hold: largest first.

    Two that have but a part in common both stay, and are refused as a run's sites.
    """
    pairs = range(len(cells.study.contrast))
    rows = [[set(cells.rows(spot, pair)) for pair in pairs] for spot in cells.spots]
    order = sorted(range(len(rows)), key=lambda at: -sum(map(len, rows[at])))
    taken: list[int] = []
    for at in order:
        held = (all(a <= b for a, b in zip(rows[at], rows[o], strict=True)) for o in taken)
        if not any(held):
            taken.append(at)
    return [cells.spots[at] for at in sorted(taken)]
