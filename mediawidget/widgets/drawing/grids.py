"""Grids of cells: a colour and a number each, or the mark of how there came to be none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ...status import SHOWN, Status
from .canvas import Canvas, number, token_width
from .colours import INK, SOFT, SURFACE, cell_colour
from .marks import BLANK, MARKED, box, draw_state, style_of
from .reading import Cells, Sheet
from .text import in_cell, plain, reserved, shortened, width, xml

_NUMBER_FITS = 24
_LARGE_NUMBER_FITS = 34
_LABEL = 12
_HEAD = 92
_FEW = 40
_ONE_BY_ONE = 1200
"""Cells up to which each is an element; more are drawn as a path a colour."""


@dataclass
class Grid:
    """What is drawn in a grid.

    Attributes:
        rows: names beside it.
        columns: names over it, tokens where ``upward``.
        fills, inks: per cell the colours; numbers: what stands in it; status: how it came to that.
        over: whether it is beyond the scale.
        ringed: indices (row-major) of what is selected.
        framed: columns whose prompts differ.
        title: over it.
        upward: names of columns are tokens, written upward.
        faint: its numbers are out of date.
        beside: its rows are those of the grid on its left, so that they need no names.
        least: width of its cells at least; size: of what stands in them, 0 to fit numbers.
    """

    title: str
    rows: list[str]
    columns: list[str]
    fills: list[str]
    inks: list[str]
    numbers: list[str]
    status: list[int]
    over: list[bool]
    ringed: frozenset[int] = frozenset()
    framed: frozenset[int] = frozenset()
    upward: bool = False
    faint: bool = False
    beside: bool = False
    least: float = 0.0
    size: float = 0.0
    used: set[int] = field(default_factory=set)

    @property
    def head(self) -> float:
        """Height of the names over it."""
        if not self.upward:
            return 20.0
        return min(_HEAD, max(map(token_width, self.columns), default=0) + 14)

    def width(self, cell: float) -> float:
        """Of the names beside it and of all cells."""
        w = self.cell(cell)
        return self.rowhead + len(self.columns) * (w + gap(w)) - gap(w)

    def cell(self, wanted: float) -> float:
        """The width of its cells: few columns need not be as narrow as many."""
        n = len(self.columns)
        return max(wanted, self.least, 24.0 if n == 1 else 12.0 if n <= _FEW else 0.0)

    @property
    def rowhead(self) -> float:
        """Width of the names beside it."""
        if self.beside:
            return 0.0
        return max([16.0, *(reserved(name, 11) + 6 for name in self.rows)])


def gap(cell: float) -> float:
    """Between cells of a size: none where it would be wider than what it parts."""
    return 2.0 if cell >= 12 else 1.0 if cell >= 7 else 0.0


def grid_of(sheet: Sheet, panel: Cells, scale: float) -> Grid:
    """A panel as it is drawn under the sheet's direction, unit and palette."""
    values = np.asarray(sheet.value(sheet.base(panel.y10, panel.y01), panel.edit), float)
    prompts = sheet.view["prompts"]
    others = [token["text"] for token in prompts["corrupt"]]
    differ = {
        i
        for i, token in enumerate(prompts["clean"])
        if token["partner"] < 0 or others[token["partner"]] != token["text"]
    }
    upward = panel.key in ("tokens", "lens")
    rows, columns = panel.axes
    share = sheet.unit == "percent"
    grid = grid_from(
        (rows, columns),
        values,
        panel.status,
        scale,
        turn=float(sheet.blue(1.0)),
        share=share,
        palette=sheet.palette,
    )
    grid.faint = panel.stale
    tokens = " \N{MULTIPLICATION SIGN} token" if panel.key == "tokens" else ""
    grid.title = plain(panel.title) + tokens
    grid.rows = [f"L{plain(name)}" if name.isdecimal() else plain(name) for name in rows]
    grid.beside = columns == [""]
    grid.upward = upward or any(len(name.strip()) > 3 for name in columns)
    grid.framed = frozenset(differ if upward else ())
    mine = (cell["index"] for cell in sheet.selected if cell["panel"] == panel.key)
    grid.ringed = frozenset(mine)
    return grid


def grid_from(
    names: tuple[Sequence[str], Sequence[str]],
    values: NDArray[np.float64],
    status: NDArray[np.uint8],
    scale: float,
    *,
    turn: float = 1.0,
    share: bool = False,
    palette: str = "rdbu",
) -> Grid:
    """Numbers (row, column) in colours that end at ``scale``.

    ``turn`` times a number is positive where it goes toward the clean run, and then it is blue;
    ``share``: they are percent.
    """
    codes = [int(code) for code in status.flat]
    fills, inks, told, over = [], [], [], []
    for code, value in zip(codes, values.flat, strict=True):
        if code not in SHOWN or not np.isfinite(value):
            fill, ink, text, beyond = SURFACE, INK, "", False
        else:
            zero = code == Status.IMPLIED_ZERO
            size = 0 if zero else round(1000 * min(1.0, abs(float(value)) / scale))
            fill, ink = cell_colour(size, bool(turn * value < 0), palette)
            text = "" if zero else in_cell(float(value), share=share)
            text = f"\N{ALMOST EQUAL TO}{text}" if code == Status.ESTIMATE else text
            beyond = not zero and abs(float(value)) > scale * 1.0001
        fills.append(fill)
        inks.append(ink)
        told.append(text)
        over.append(beyond)
    rows, columns = ([plain(name) for name in side] for side in names)
    return Grid("", rows, columns, fills, inks, told, codes, over, used=set(codes))


# --- drawing -------------------------------------------------------------------------------------


def draw_grid(canvas: Canvas, grid: Grid, x: float, y: float, cell: float, height: float) -> float:
    """A grid whose first row of cells begins at y; where the last one ends."""
    left, cell = x + grid.rowhead, grid.cell(cell)
    right, down = cell + gap(cell), height + gap(height)
    _row_names(canvas, grid, x, y, height)
    _column_names(canvas, grid, left, y - 6, cell)
    if grid.faint:
        canvas.begin(opacity="0.35")
    n_columns = max(1, len(grid.columns))
    places = [
        (left + (i % n_columns) * right, y + (i // n_columns) * down)
        for i in range(len(grid.status))
    ]
    painter = _Painter(canvas, grid, cell, height)
    if len(places) <= _ONE_BY_ONE and cell >= _LABEL:
        painter.one_by_one(places)
    else:
        painter.by_colour(places)
    painter.zeros(places)
    painter.numbers(places)
    if grid.faint:
        canvas.end()
    for i in grid.ringed:
        if i < len(places):
            _ring(canvas, *places[i], cell, height)
    return y + len(grid.rows) * down - gap(height)


@dataclass
class _Painter:
    canvas: Canvas
    grid: Grid
    w: float
    h: float

    def one_by_one(self, places: list[tuple[float, float]]) -> None:
        """An element a cell."""
        for i, (x, y) in enumerate(places):
            draw_state(self.canvas, self.grid.status[i], self.grid.fills[i], x, y, self.w, self.h)
            if self.grid.over[i]:
                d = f"M{number(x + self.w)} {number(y)}v7l-7 -7z"
                self.canvas.path(d, fill=self.grid.inks[i])

    def by_colour(self, places: list[tuple[float, float]]) -> None:
        """A path a colour: what many cells cost is their places alone."""
        paths: dict[tuple[int, str], list[str]] = defaultdict(list)
        for i, (x, y) in enumerate(places):
            status = self.grid.status[i]
            if status == BLANK:
                continue
            kind = status if status in MARKED else int(Status.EXACT)
            paths[kind, self.grid.fills[i]].append(box(x, y, self.w, self.h))
        for (status, fill), boxes in paths.items():
            style = style_of(status, fill)
            if gap(self.w) < 2:
                style.pop("stroke", None)  # lines would be most of what is seen
            self.canvas.path("".join(boxes), **style)

    def numbers(self, places: list[tuple[float, float]]) -> None:
        """What stands in the cells, where it fits."""
        if self.w < _NUMBER_FITS or self.h < 14:
            return
        fits = 12 if self.w >= _LARGE_NUMBER_FITS else max(8.5, 0.36 * self.w)
        size = self.grid.size or fits
        self.canvas.begin(text_anchor="middle", font_size=number(size))
        for i, (x, y) in enumerate(places):
            text = self.grid.numbers[i]
            if not text:
                continue
            at = f'x="{number(x + self.w / 2)}" y="{number(y + self.h / 2 + size * 0.35)}"'
            at += f' fill="{self.grid.inks[i]}"{self._fitted(text, size)}'
            self.canvas.parts.append(f"<text {at}>{xml(text)}</text>")
        self.canvas.end()

    def _fitted(self, text: str, size: float) -> str:
        """The width of a number that in a wider font would leave its cell."""
        if reserved(text, size) <= self.w - 3:
            return ""
        fits = number(min(width(text, size), self.w - 3))
        return f' textLength="{fits}" lengthAdjust="spacingAndGlyphs"'

    def zeros(self, places: list[tuple[float, float]]) -> None:
        """Zeros by construction: a dot each, the quietest cells."""
        r = min(1.0, self.w / 8)
        zero = (i for i, status in enumerate(self.grid.status) if status == Status.IMPLIED_ZERO)
        middles = [(places[i][0] + self.w / 2 - r, places[i][1] + self.h / 2) for i in zero]
        if middles:
            around = f"a{r:g} {r:g} 0 1 0 {2 * r:g} 0a{r:g} {r:g} 0 1 0 {-2 * r:g} 0z"
            dots = (f"M{number(x)} {number(y)}{around}" for x, y in middles)
            self.canvas.path("".join(dots), fill=SOFT)


def _ring(canvas: Canvas, x: float, y: float, w: float, h: float) -> None:
    """Ink, and surface within it, so that it shows on every colour."""
    canvas.rect(x + 2, y + 2, w - 4, h - 4, fill="none", stroke=SURFACE, stroke_width="1.5")
    canvas.rect(x, y, w, h, rx="2", fill="none", stroke=INK, stroke_width="2.5")


def _row_names(canvas: Canvas, grid: Grid, x: float, y: float, height: float) -> None:
    down = height + gap(height)
    step = max(1, int(np.ceil(_LABEL / down)))
    for row in range(0, 0 if grid.beside else len(grid.rows), step):
        middle = y + row * down + height / 2 + 4
        canvas.text(x, middle, grid.rows[row], size=11, fill=SOFT)


def _column_names(canvas: Canvas, grid: Grid, x: float, y: float, cell: float) -> None:
    for column in _named_columns(grid, cell):
        middle = x + column * (cell + gap(cell)) + cell / 2
        name = grid.columns[column]
        if not grid.upward:
            canvas.text(middle, y, name, size=11, fill=SOFT, anchor="middle")
            continue
        framed = column in grid.framed
        name = shortened(name, _HEAD - 14, 12, mono=True)
        turn = f"translate({number(middle + 4)} {number(y - 2)}) rotate(-90)"
        canvas.begin(transform=turn, fill=INK if framed else SOFT)
        if framed:
            canvas.rect(-4, -13, token_width(name, 12) + 8, 18, rx="4", fill="none", stroke=INK)
        canvas.parts.append(_bare(name, bold=framed))
        canvas.end()


def _bare(name: str, *, bold: bool) -> str:
    """A token without a colour of its own: it takes that of its group."""
    inner = Canvas()
    inner.token(0, 0, name, size=12, bold=bold)
    return "".join(inner.parts)


def _named_columns(grid: Grid, cell: float) -> list[int]:
    """Columns whose names fit without overlap; those of tokens that differ come first."""
    n, room = len(grid.columns), cell + gap(cell)
    widest = max((width(name, 11) + 4 for name in grid.columns), default=0.0)
    step = max(1, int(np.ceil((16 if grid.upward and grid.framed else _LABEL) / room)))
    step = step if grid.upward else max(1, int(np.ceil(widest / room)))
    kept: list[int] = []
    for column in [*sorted(grid.framed), *range(0, n, step), *range(n)]:
        if column < n and all(abs(column - other) >= step for other in kept):
            kept.append(column)
    return kept
