"""Grids whose ink is a probability: a head's attention, and what the model would say next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...effects import Status
from .canvas import Canvas
from .colours import LINE, SOFT, ink_colour
from .grids import Grid
from .marks import BLANK
from .text import fixed, plain, reserved, shortened

_WORD = 64.0
"""Width of a cell with a word in it, in pixels."""
_WORD_SIZE = 9.5


@dataclass(frozen=True)
class Inked:
    """Grids of probabilities, drawn one beneath the other in place of a view's effects.

    Attributes:
        title: what they are.
        of: what the ink is.
    """

    title: str
    of: str
    grids: list[Grid]


def attention(part: Mapping[str, Any]) -> Inked:
    """The attention of one head on both prompts, query by key; weights in percent."""
    grids = []
    for base in ("clean", "corrupt"):
        tokens = part["tokens"][base]
        n = len(tokens)
        weights = np.frombuffer(part["weights"][base], "<f4").reshape(n, n).astype(float)
        seen = np.tri(n, dtype=bool)
        told = [fixed(100 * w, 0, sign=False) if w >= 0.005 else "" for w in weights.flat]
        grids.append(_grid(base, (list(tokens), list(tokens)), weights, told, seen))
    name = f"Attention of L{part['layer']}H{part['head']}, query by key"
    return Inked(name, "attention weight, numbers in percent", grids)


def lens(part: Mapping[str, Any]) -> Inked:
    """The likeliest next token after every layer, on each of the runs; ink is its probability."""
    words, grids = [plain(word) for word in part["words"]], []
    for run in part["runs"]:
        shape = len(part["layers"]), len(run["tokens"]), run["k"]
        top = np.frombuffer(run["top"], "<i4").reshape(shape)[:, :, 0]
        p = np.frombuffer(run["p"], "<f4").reshape(shape)[:, :, 0].astype(float)
        told = [shortened(words[i].strip(), _WORD - 6, _WORD_SIZE) for i in top.flat]
        names = ([f"L{x}" if x.isdecimal() else x for x in part["layers"]], list(run["tokens"]))
        grid = _grid(run["name"], names, p, told, np.ones(p.shape, bool))
        grid.least, grid.size = _WORD, _WORD_SIZE
        grids.append(grid)
    return Inked("Logit lens: the likeliest next token after each layer", "its probability", grids)


def draw_ink_line(canvas: Canvas, inked: Inked, x: float, y: float, room: float) -> float:
    """Title and scale from y on; where the grids begin."""
    canvas.text(x, y, plain(inked.title, 120), bold=True)
    right = x + room
    canvas.text(right, y, f"1 {inked.of}", size=11, fill=SOFT, anchor="end")
    right -= reserved(f"1 {inked.of}", 11) + 8
    canvas.rect(right - 120, y - 11, 120, 14, rx="2", fill="url(#mw-ink)", stroke=LINE)
    canvas.text(right - 128, y, "0", size=11, fill=SOFT, anchor="end")
    return y + 12


def ink_gradient() -> str:
    """The scale from 0 to 1, as it is mixed for the cells."""
    stops = ((i / 8, ink_colour(i / 8)[0]) for i in range(9))
    inner = "".join(f'<stop offset="{at:g}" stop-color="{fill}"/>' for at, fill in stops)
    return f'<linearGradient id="mw-ink">{inner}</linearGradient>'


def _grid(
    title: str,
    names: tuple[list[str], list[str]],
    values: NDArray[np.float64],
    told: list[str],
    seen: NDArray[np.bool_],
) -> Grid:
    colours = [ink_colour(min(1.0, max(0.0, float(value)))) for value in values.flat]
    rows, columns = ([plain(name) for name in side] for side in names)
    status = [int(Status.EXACT) if one else BLANK for one in seen.flat]
    return Grid(
        title=plain(title).capitalize(),
        rows=[row.strip() or row for row in rows],
        columns=columns,
        fills=[fill for fill, _ in colours],
        inks=[ink for _, ink in colours],
        numbers=[text if one else "" for text, one in zip(told, seen.flat, strict=True)],
        status=status,
        over=[False] * len(status),
        upward=True,
    )
