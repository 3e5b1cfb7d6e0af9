"""Pictures of views that are one grid of numbers of their own: pairs of sites, causal traces."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .canvas import Canvas
from .colours import INK, SURFACE
from .grids import draw_grid, grid_from
from .marks import DEFS
from .reading import round_up
from .sheet import (
    AWAY,
    MARGIN,
    NARROWEST,
    cell_size,
    describe,
    draw_key,
    draw_legend,
    draw_title,
    gradient,
)
from .text import plain, raw, wrapped


@dataclass(frozen=True)
class Matrix:
    """A grid of numbers in the metric's unit.

    Attributes:
        title: over it.
        names: of its rows and of its columns.
        values: (row, column). status: how each came by its number.
        words: a sentence or two over it.
        ringed: cells (row-major) that are selected. framed: columns with a frame.
        apart: cells with a number of another kind: they have no colour, and no say in the scale.
        sides: what red and blue say.
    """

    title: str
    names: tuple[list[str], list[str]]
    values: NDArray[np.float64]
    status: NDArray[np.uint8]
    words: str
    ringed: frozenset[int] = frozenset()
    framed: frozenset[int] = frozenset()
    apart: frozenset[int] = frozenset()
    sides: tuple[str, str] = AWAY


def draw_matrix(matrix: Matrix, facts: Mapping[str, Any], total: float, palette: str) -> str:
    """The SVG of one grid; numbers of the sign of ``total`` are blue."""
    coloured = np.delete(matrix.values.reshape(-1), sorted(matrix.apart))
    finite = np.abs(coloured[np.isfinite(coloured)])
    scale = round_up(float(finite.max(initial=0.0)))
    turn = -1.0 if total < 0 else 1.0
    grid = grid_from(
        matrix.names,
        matrix.values,
        matrix.status,
        scale,
        turn=turn,
        palette=palette,
    )
    grid.upward = any(len(name.strip()) > 3 for name in matrix.names[1])
    grid.title = plain(matrix.title)
    for at in matrix.apart:
        grid.fills[at], grid.inks[at], grid.over[at] = SURFACE, INK, False
    grid.ringed, grid.framed = matrix.ringed, matrix.framed
    grid.rows = [f"L{name}" if name.isdecimal() else name for name in grid.rows]
    cell, height = cell_size([grid])
    full = max(float(NARROWEST), grid.width(cell) + 2 * MARGIN)
    room = full - 2 * MARGIN
    canvas = Canvas()
    y = draw_title(canvas, facts, MARGIN, MARGIN, room) + 28
    for line in wrapped(plain(matrix.words, 1000), room, 13):
        canvas.text(MARGIN, y, line)
        y += 18
    draw_legend(canvas, raw(scale), palette, MARGIN + room, y + 8, matrix.sides, turn)
    canvas.text(MARGIN, y + 8, grid.title, bold=True)
    y = draw_grid(canvas, grid, MARGIN, y + 20 + grid.head, cell, height)
    y = draw_key(canvas, [grid], MARGIN, y + 20)
    defs = DEFS + gradient(palette)
    return canvas.svg(
        full, y + MARGIN, title=describe(facts), metadata=json.dumps(facts), defs=defs
    )
