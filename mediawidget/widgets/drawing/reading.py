"""What a picture shows: the view's and the result's plain data, read as the page reads them.

The same rules as js/src/scale.ts and reading.ts: one scale for all panels and directions, blue
toward the clean run.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...status import SHOWN, Status
from .text import plain

Array = NDArray[np.float64]
DIRECTIONS = ("restore", "break", "difference")
UNITS = ("percent", "raw")
_STEPS = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_FULL = 100.0
_NEAR_ZERO = 1e-6

NAMES = {
    (True, "restore"): ("PIE", "Restore (PIE)"),
    (True, "break"): ("TIE", "Break (TIE)"),
    (True, "difference"): ("INT", "Difference (INT)"),
    (False, "restore"): ("on corrupt", "On corrupt"),
    (False, "break"): ("on clean", "On clean"),
    (False, "difference"): ("difference", "Difference"),
}
"""By whether there are corners, and by direction: what is shown, short and in full."""


@dataclass(frozen=True)
class Corners:
    """The metric of the four runs; y10 and y01 may be of many cells."""

    y11: float
    y00: float
    y10: Any
    y01: Any

    def effect(self, direction: str, *, patch: bool) -> Any:
        """What a direction shows, in the metric's unit."""
        if direction == "difference":
            return self.y11 - self.y10 - self.y01 + self.y00 if patch else self._constant()
        if direction == "break":
            return self.y11 - self.y10
        return self.y01 - self.y00 if patch else self.y00 - self.y01

    def _constant(self) -> Any:
        return self.y11 - self.y10 - self.y00 + self.y01

    @property
    def total(self) -> float:
        """The total effect."""
        return self.y11 - self.y00

    @property
    def normalizable(self) -> bool:
        """Whether the total effect is far enough from 0 to divide by."""
        return abs(self.total) > _NEAR_ZERO * max(1.0, abs(self.y11), abs(self.y00))


@dataclass(frozen=True)
class Reading:
    """A result with corners, as the rail and the sentence read it."""

    label: str
    corners: Corners
    edit: Mapping[str, Any]
    status: Status
    n: int
    ci: Mapping[str, Sequence[float]] | None
    stale: bool

    @property
    def shown(self) -> bool:
        """Whether there is a number to show."""
        return self.status in SHOWN


@dataclass(frozen=True)
class Cells:
    """A panel's cells: (row, column) arrays."""

    key: str
    title: str
    axes: tuple[list[str], list[str]]
    y01: Array
    y10: Array
    status: NDArray[np.uint8]
    labels: list[str]
    edit: Mapping[str, Any]
    stale: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        rows, columns = self.status.shape
        return rows, columns


@dataclass(frozen=True)
class Sheet:
    """A view's data and how it is looked at.

    Args:
        view: the `view` trait.
        result: the `result` trait; without cells nothing is selected.
        parts: traits of the parts that are open; those with cells are drawn after the panels.
        direction: "restore", "break" or "difference".
        wanted: "percent" of the total effect, or "raw", in the metric's unit.
        palette: "rdbu" or "puor".
    """

    view: Mapping[str, Any]
    result: Mapping[str, Any]
    parts: tuple[Mapping[str, Any], ...] = ()
    direction: str = "restore"
    wanted: str = "percent"
    palette: str = "rdbu"

    @property
    def unit(self) -> str:
        """Percent needs a total effect to divide by."""
        return self.wanted if self.base().normalizable else "raw"

    @property
    def unit_words(self) -> str:
        """The unit of every number."""
        metric = plain(str(self.view["metric"]["unit"]))
        return "% of the total effect" if self.unit == "percent" else metric

    def base(self, y10: Any = math.nan, y01: Any = math.nan) -> Corners:
        """The view's base values, with edited ones."""
        base = self.view["base"]
        return Corners(_float(base["y11"]), _float(base["y00"]), y10, y01)

    @property
    def panels(self) -> list[Cells]:
        """The view's own panels, then those of its parts."""
        own = [self._cells(panel) for panel in self.view["panels"]]
        return own + [self._cells(part["panel"]) for part in self.parts if part.get("panel")]

    @property
    def selected(self) -> list[Mapping[str, Any]]:
        """The cells of the result."""
        return list(self.result.get("cells", ()))

    @property
    def reading(self) -> Reading | None:
        """The result; None where nothing is selected."""
        r = self.result
        if not r.get("cells"):
            return None
        y11, y00, y10, y01 = (_float(r[key]) for key in ("y11", "y00", "y10", "y01"))
        return Reading(
            label=r["label"],
            corners=Corners(y11, y00, y10, y01),
            edit=r["edit"],
            status=Status(r["status"]),
            n=r["n"],
            ci=r["ci"],
            stale=r["revision"] < self.view["revision"],
        )

    def value(self, corners: Corners, edit: Mapping[str, Any], direction: str = "") -> Any:
        """What the direction shows, in percent points or in the metric's unit."""
        value = corners.effect(direction or self.direction, patch=edit["corners"])
        return 100 * value / corners.total if self.unit == "percent" else value

    def blue(self, value: Any) -> Any:
        """The same with blue's sign: positive is toward the clean run."""
        return -value if self.unit == "raw" and self.base().total < 0 else value

    @property
    def scale(self) -> float:
        """The end of the colour scale; cells beyond it carry a tick."""
        edit, largest = self.view["edit"], 0.0
        for panel in self.panels[: len(self.view["panels"])]:
            corners = self.base(panel.y10, panel.y01)
            # Zeros by construction are none after rounding: alone they would be the scale.
            counted = [int(code) for code in SHOWN if code != Status.IMPLIED_ZERO]
            shown = np.isin(panel.status, counted)
            for direction in DIRECTIONS:
                sizes = np.abs(self.value(corners, edit, direction))[shown]
                finite = sizes[np.isfinite(sizes)]
                largest = max(largest, float(finite.max())) if finite.size else largest
        base = self.base()
        total = _FULL if self.unit == "percent" else abs(base.total)
        if largest == 0:
            return _FULL if self.unit == "percent" else round_up(total)
        cap = total if base.normalizable else math.inf
        return cap if largest >= cap else min(round_up(largest), cap)

    @property
    def edit(self) -> Mapping[str, Any]:
        """What the cells that are drawn were set to; without cells what is selected was."""
        drawn = next((panel.edit for panel in self.panels), None)
        selected = self.reading.edit if self.reading else self.view["edit"]
        return selected if drawn is None else drawn

    @property
    def quantity(self) -> tuple[str, str]:
        """What the direction shows, short and in full."""
        return NAMES[bool(self.edit["corners"]), self.direction]

    @property
    def n(self) -> int:
        """How many pairs the numbers are of."""
        return int(self.view["pairs"]["n"]) if self.view["pairs"]["index"] is None else 1

    def _cells(self, panel: Mapping[str, Any]) -> Cells:
        shape = tuple(panel["shape"])
        y01, y10 = (np.frombuffer(panel[key], "<f4").astype(float) for key in ("y01", "y10"))
        rows, columns = (list(axis["labels"]) for axis in panel["axes"])
        return Cells(
            key=panel["key"],
            title=panel["title"],
            axes=(rows, columns),
            y01=y01.reshape(shape),
            y10=y10.reshape(shape),
            status=np.frombuffer(panel["status"], np.uint8).reshape(shape),
            labels=panel_labels(panel),
            edit=panel.get("edit") or self.view["edit"],
            stale=panel.get("revision", self.view["revision"]) < self.view["revision"],
        )


def panel_labels(panel: Mapping[str, Any]) -> list[str]:
    """The site of every cell, row-major; a head's edges go by the positions they join."""
    if "edges_of" not in panel:
        return list(panel["labels"])
    queries, keys = (axis["labels"] for axis in panel["axes"])
    head = panel["edges_of"]
    return [f"{head} @ {query} \N{LEFTWARDS ARROW} {key}" for query in queries for key in keys]


def round_up(value: float) -> float:
    """The next round number at or above a size: 0.37 to 0.4, 71 to 80."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    step = next((s for s in _STEPS if s * power >= value * (1 - 1e-9)), 10)
    return float(f"{step * power:.2g}")


def states(reading: Reading) -> str:
    """How a result came by its number."""
    if reading.stale:
        return "out of date"
    words = {
        Status.EXACT: "exact",
        Status.ESTIMATE: "\N{ALMOST EQUAL TO} estimate",
        Status.IMPLIED_ZERO: "0 by construction",
        Status.FAILED: "failed check",
        Status.IMPOSSIBLE: "impossible",
    }
    return words.get(reading.status, "not run")


def _float(value: float | None) -> float:
    return math.nan if value is None else float(value)
