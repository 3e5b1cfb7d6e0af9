"""A selection of several sites: what they do together, the sum of each alone, and the gap."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...status import Status
from .canvas import Canvas, Piece
from .colours import SOFT
from .reading import Corners, Reading, Sheet
from .text import fixed, plain, shortened

_LACKING = 360


def draw_joint(canvas: Canvas, sheet: Sheet, x: float, y: float) -> float:
    """The figures of several sites from y on, or which of them lacks a run; where they end."""
    reading = sheet.reading
    if reading is None or not reading.shown or len(sheet.selected) < 2:
        return y
    together = float(sheet.value(reading.corners, reading.edit))
    sign = "%" if sheet.unit == "percent" else ""
    singles = [_alone(sheet, reading, cell) for cell in sheet.selected]
    total = sum(single for single in singles if single is not None)
    lacking = [
        plain(str(cell["label"]), 60)
        for cell, single in zip(sheet.selected, singles, strict=True)
        if single is None
    ]
    numbers = [("together", together)]
    if not lacking:
        numbers += [("sum", total), ("gap", together - total)]
    pieces = []
    for name, value in numbers:
        pieces.append(Piece(name, 12, SOFT, gap=18))
        pieces.append(Piece(fixed(value, 1) + sign, bold=True, gap=6))
    if lacking:
        hint = f"sum needs {shortened(', '.join(lacking), _LACKING, 12)} alone"
        pieces.append(Piece(hint, 12, SOFT, gap=18))
    canvas.flow(x, y + 14, *pieces)
    return y + 22


def _alone(sheet: Sheet, reading: Reading, cell: Mapping[str, Any]) -> float | None:
    """What a selected cell comes to by itself, under the edit of the selection.

    None where it was not run so: estimates have no say beside what was run.
    """
    panel = next((panel for panel in sheet.panels if panel.key == cell["panel"]), None)
    if panel is not None and panel.edit["goal"] == reading.edit["goal"]:
        at = cell["index"]
        if panel.status.flat[at] in (Status.EXACT, Status.IMPLIED_ZERO):
            corners = sheet.base(panel.y10.flat[at], panel.y01.flat[at])
            return float(sheet.value(corners, panel.edit))
    if "alone" not in cell:
        return None
    base = reading.corners
    return float(sheet.value(Corners(base.y11, base.y00, **cell["alone"]), reading.edit))
