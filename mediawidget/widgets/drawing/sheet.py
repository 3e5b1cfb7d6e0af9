"""The whole picture of a view: title, prompts, rail, sentence, grids, legend, what it is of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ...status import Status
from .canvas import Canvas, Piece, number
from .colours import HATCH, LINE, SOFT, SURFACE, cell_colour
from .grids import Grid, draw_grid, grid_of
from .ink import Inked, draw_ink_line, ink_gradient
from .joint import draw_joint
from .marks import DEFS, draw_state
from .prompts import draw_prompts
from .rail import draw_rail
from .reading import Sheet
from .text import MINUS, percent, plain, raw, reserved, wrapped

MARGIN = 20
NARROWEST = 768
_COMFORTABLE, _WIDEST = 1100, 1700
_BETWEEN = 18
_LARGE, _SMALL = (36, 33, 30, 27, 24), (20, 16, 12, 9, 7, 5, 3)
_STATES = (
    (Status.NOT_RUN, "not run"),
    (Status.ESTIMATE, "\N{ALMOST EQUAL TO} estimate"),
    (Status.IMPLIED_ZERO, "zero by construction"),
    (Status.FAILED, "failed check"),
    (Status.IMPOSSIBLE, "impossible"),
)


def draw_sheet(
    sheet: Sheet,
    facts: Mapping[str, Any],
    *,
    inked: Inked | None = None,
    with_corners: bool = False,
) -> str:
    """The SVG of a view.

    Args:
        sheet: what it shows.
        facts: what it is of; they stand in its title lines and, as JSON, in its metadata.
        inked: grids of probabilities, which stand in place of the view's effects.
        with_corners: the four runs stand as a table beneath the sentence.
    """
    scale = sheet.scale
    grids = inked.grids if inked else [grid_of(sheet, panel, scale) for panel in sheet.panels]
    together = _together(grids) if inked is None else grids[:1]
    cell, height = cell_size(together)
    wide = max([_row_width(together, cell), *(grid.width(cell) for grid in grids)], default=0.0)
    full = max(NARROWEST, wide + 2 * MARGIN)
    room = full - 2 * MARGIN
    canvas = Canvas()
    y = _upper(canvas, sheet, facts, room)
    if with_corners:
        y = draw_corners(canvas, sheet, MARGIN, y + 12)
    if grids:
        y = _rule(canvas, y + 6, room) + 22
        if inked is None:
            y = _legend_line(canvas, sheet, scale, y, room)
        else:
            y = draw_ink_line(canvas, inked, MARGIN, y, room)
        y = draw_grids(canvas, grids, together, y, (cell, height))
        y = draw_key(canvas, grids, MARGIN, y + 20)
    told = {"title": describe(facts), "metadata": json.dumps(facts)}
    defs = DEFS + (gradient(sheet.palette) if inked is None else ink_gradient())
    return canvas.svg(full, y + MARGIN, defs=defs, **told)


def _upper(canvas: Canvas, sheet: Sheet, facts: Mapping[str, Any], room: float) -> float:
    """Title, prompts, rail, sentence; where they end."""
    y = draw_title(canvas, facts, MARGIN, MARGIN, room)
    y = _rule(canvas, y + 8, room)
    y = draw_prompts(canvas, sheet, MARGIN, y + 8, room)
    y = _rule(canvas, y + 10, room)
    y = draw_rail(canvas, sheet, MARGIN, y + 8, room)
    return draw_joint(canvas, sheet, MARGIN, y)


# --- what it is of -------------------------------------------------------------------------------


def describe(facts: Mapping[str, Any]) -> str:
    """The facts in a line."""
    keys = ("model", "name", "metric", "pairs", "edit", "shows", "version")
    told = [plain(str(facts[key]), 160) for key in keys if facts.get(key)]
    return " \N{MIDDLE DOT} ".join(dict.fromkeys(told))


def draw_title(canvas: Canvas, facts: Mapping[str, Any], x: float, y: float, room: float) -> float:
    """The contrast's name, or the model's, and beneath it what the numbers are of."""
    name = plain(str(facts.get("name") or facts["model"]), 80)
    canvas.text(x, y + 14, name, size=16, bold=True)
    canvas.text(x + room, y + 14, facts["version"], size=11, fill=SOFT, anchor="end")
    keys = ("model", "metric", "pairs", "edit", "shows")
    told = [plain(str(facts[key]), 160) for key in keys if facts.get(key)]
    words = " \N{MIDDLE DOT} ".join(part for part in dict.fromkeys(told) if part != name)
    y += 32
    for line in wrapped(words, room, 12):
        canvas.text(x, y, line, size=12, fill=SOFT)
        y += 16
    return y - 12


# --- grids ---------------------------------------------------------------------------------------


def draw_grids(
    canvas: Canvas,
    grids: Sequence[Grid],
    together: Sequence[Grid],
    y: float,
    size: tuple[float, float],
) -> float:
    """Those of the same rows side by side, the others beneath them; where they end."""
    cell, height = size
    head = max(grid.head for grid in together)
    left, bottom = float(MARGIN), y
    for grid in together:
        canvas.text(left, y + 12 + head - grid.head, grid.title, bold=True)
        end = draw_grid(canvas, grid, left, y + 22 + head, cell, height)
        bottom = max(bottom, end)
        left += grid.width(cell) + _BETWEEN
    for grid in grids:
        if any(grid is one for one in together):
            continue
        y = bottom + 26
        canvas.text(MARGIN, y + 12, grid.title, bold=True)
        bottom = draw_grid(canvas, grid, MARGIN, y + 22 + grid.head, cell, height)
    return bottom


def cell_size(grids: Sequence[Grid]) -> tuple[float, float]:
    """Width and height of cells: numbers stand in them as long as the picture is not too wide."""
    if not grids:
        return float(_LARGE[0]), float(_LARGE[0])
    rooms = ((_LARGE[:3], NARROWEST), (_LARGE, _COMFORTABLE), (_SMALL, _WIDEST))
    fits = (
        size
        for sizes, room in rooms
        for size in sizes
        if _row_width(grids, size) + 2 * MARGIN <= room
    )
    cell = float(next(fits, _SMALL[-1]))
    rows = max(len(grid.rows) for grid in grids)
    most, least = (36.0, 24.0) if rows <= 16 else (24.0, 15.0) if rows <= 40 else (14.0, 8.0)
    return cell, min(most, max(least, cell))


def _together(grids: Sequence[Grid]) -> list[Grid]:
    """The first grid, and those after it that share its rows of layers."""
    if not grids:
        return []
    rows = grids[0].rows
    n = min(len(rows), *(len(grid.rows) for grid in grids))
    return [g for g in grids if g.rows[:n] == rows[:n] and abs(len(g.rows) - len(rows)) < 2]


def _row_width(grids: Sequence[Grid], cell: float) -> float:
    return sum(grid.width(cell) + _BETWEEN for grid in grids) - _BETWEEN if grids else 0.0


# --- legend and key ------------------------------------------------------------------------------


def _legend_line(canvas: Canvas, sheet: Sheet, scale: float, y: float, room: float) -> float:
    of = Piece(sheet.unit_words, 12, SOFT, gap=10)
    canvas.flow(MARGIN, y, Piece(sheet.quantity[1], bold=True), of)
    end = percent(scale) if sheet.unit == "percent" else raw(scale)
    # In the metric's unit blue is of the sign of the total effect, which may be below zero.
    turn = float(sheet.blue(1.0))
    draw_legend(canvas, end, sheet.palette, MARGIN + room, y, _sides(sheet), turn)
    return y + 12


def _sides(sheet: Sheet) -> tuple[str, str]:
    """What either colour says of a site, which depends on what was asked (js/src/toolbar.ts)."""
    patch = bool(sheet.view["edit"]["corners"])
    if sheet.direction == "difference":
        return ("OR-like", "AND-like") if patch else ("on corrupt", "on clean")
    moves = patch and sheet.direction == "restore"
    return AWAY if moves else ("against", "for clean")


AWAY = ("away", "toward clean")


def draw_legend(
    canvas: Canvas,
    end: str,
    palette: str,
    right: float,
    y: float,
    sides: tuple[str, str] = AWAY,
    turn: float = 1.0,
) -> None:
    """The colour bar with its ends, on a line whose baseline is y; it ends at ``right``.

    ``turn`` is below 0 where negative numbers are blue.
    """
    low, high = end.replace("+", MINUS), end
    if turn < 0:
        low, high = high, low
    canvas.text(right, y, f"{high} {sides[1]}", size=11, fill=SOFT, anchor="end")
    right -= reserved(f"{high} {sides[1]}", 11) + 6
    canvas.rect(right - 120, y - 11, 120, 14, rx="2", fill=f"url(#mw-{palette})", stroke=LINE)
    canvas.text(right - 128, y, f"{sides[0]} {low}", size=11, fill=SOFT, anchor="end")


def gradient(palette: str) -> str:
    """The colour scale from end to end, as it is mixed for the cells."""
    stops = ((i / 8, cell_colour(round(1000 * abs(i / 4 - 1)), i < 4, palette)) for i in range(9))
    inner = "".join(f'<stop offset="{at:g}" stop-color="{fill}"/>' for at, (fill, _) in stops)
    return f'<linearGradient id="mw-{palette}">{inner}</linearGradient>'


def draw_key(canvas: Canvas, grids: Sequence[Grid], x: float, y: float) -> float:
    """What the marks mean that occur; where it ends."""
    used = set[int]().union(*(grid.used for grid in grids))
    items = [(code, words) for code, words in _STATES if code in used]
    beyond = any(any(grid.over) for grid in grids)
    at = x
    for code, words in items:
        if code == Status.IMPLIED_ZERO:
            canvas.circle(at + 7, y, 1, fill=SOFT)
        else:
            draw_state(canvas, int(code), SURFACE, at, y - 7, 14, 14)
        canvas.text(at + 20, y + 4, words, size=11, fill=SOFT)
        at += 20 + reserved(words, 11) + 12
    if beyond:
        canvas.path(f"M{number(at + 7)} {number(y - 4)}v7l-7 -7z", fill=HATCH)
        canvas.text(at + 14, y + 4, "beyond the scale", size=11, fill=SOFT)
    return y + 8 if items or beyond else y - 12


# --- corners --------------------------------------------------------------------------------------


def draw_corners(canvas: Canvas, sheet: Sheet, x: float, y: float) -> float:
    """The four runs as a table, input by value of the mediator; where it ends."""
    reading = sheet.reading
    corners = reading.corners if reading and reading.shown else sheet.base()
    edit = reading.edit if reading else sheet.view["edit"]
    patch = bool(edit["corners"])
    label = plain(reading.label, 60) if reading else "the mediator"
    names = (f"{label} from clean", f"{label} from corrupt")
    if not patch:
        names = ("as it is", plain(f"{label} set {edit['goal']}", 60))
    corrupt = (corners.y01, corners.y00) if patch else (corners.y00, corners.y01)
    rows = (("clean input", (corners.y11, corners.y10)), ("corrupt input", corrupt))
    symbols = (("Y11", "Y10"), ("Y01", "Y00")) if patch else (("", ""), ("", ""))
    w = max(150.0, *(reserved(name, 12) + 12 for name in names))
    for i, name in enumerate(names):
        canvas.text(x + 100 + w * (i + 0.5), y + 12, name, size=12, fill=SOFT, anchor="middle")
    for row, (name, values) in enumerate(rows):
        top = y + 20 + 30 * row
        canvas.text(x, top + 20, name, size=12, fill=SOFT)
        for column, value in enumerate(values):
            left = x + 100 + w * column
            canvas.rect(left, top, w, 30, fill="none", stroke=LINE)
            canvas.text(left + 8, top + 20, symbols[row][column], size=11, fill=SOFT)
            canvas.text(left + w - 8, top + 20, raw(value), anchor="end")
    return y + 88


def _rule(canvas: Canvas, y: float, room: float) -> float:
    canvas.line(MARGIN, y, MARGIN + room, y, stroke=LINE)
    return y
