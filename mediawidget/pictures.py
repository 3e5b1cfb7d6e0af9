"""Static pictures of effects: plain HTML, escaped, no script, no network.

They stand where a live view cannot: a bare effect or study in a cell, a reopened notebook.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .edits import Edit
from .effects import SHOWN, Effect, Status

Array = NDArray[np.float64]

_TABLE = "border-collapse:collapse;font:11px system-ui,sans-serif;font-variant-numeric:tabular-nums"
_CELL = "width:44px;height:26px;text-align:center;border:1px solid rgba(128,128,128,.25)"
_HATCH = (
    "background:repeating-linear-gradient(45deg,rgba(128,128,128,.3) 0 1px,transparent 1px 5px)"
)
_TOWARD_CLEAN, _AWAY = "33,102,172", "178,24,43"
_WITHOUT_NUMBER = {
    Status.NOT_RUN: (_HATCH, "not run", ""),
    Status.FAILED: ("color:#b85c00", "failed check", "\N{MULTIPLICATION SIGN}"),
    Status.IMPOSSIBLE: ("border-style:dashed", "impossible", ""),
}
_PATCHED = "blue: toward the clean run, red: away"
_SET = "blue: what is set works for the clean answer, red: against it"
_STATES = (
    "hatched: not run; dashed: impossible; "
    "\N{MIDDLE DOT}: zero by construction; \N{MULTIPLICATION SIGN}: failed check"
)
MOST_CELLS, MOST_COLUMNS = 4000, 64
"""Of a table; of a larger one the strongest cells are listed."""


def study_picture(title: str, total: Effect, grids: Mapping[str, Effect]) -> str:
    """What a study holds, as a page without a kernel shows it.

    Args:
        title: the study in words.
        total: its base runs, an effect without axes.
        grids: what was swept or clicked, by name.

    Returns:
        HTML: the title, the base values, and every grid of PIE (or of the effect on the clean
        base) in the metric's unit.
    """
    y11, y00 = signed(total["Y11"]), signed(total["Y00"])
    unit = escape(total.metric.unit)
    bases = (
        f"<div>{escape(total.metric.name)}: clean {y11}, corrupt {y00}, "
        f"total effect {signed(total['TE'])} {unit}; n={total.n_pairs}</div>"
    )
    parts = [
        f"<div><b>{escape(name)}</b>, {_quantity(grid)} in {unit}</div>{_table(grid)}"
        for name, grid in grids.items()
    ]
    edits = [grid.edit for grid in grids.values()]
    end = colours(edits) if parts else "nothing was run yet: study.sweep('head')"
    return f"<div>{escape(title)}</div>{bases}{''.join(parts)}<div>{end}</div>"


def colours(edits: Iterable[Edit]) -> str:
    """What colours and marks mean under these edits.

    A patch moves toward the clean run or away; what an edit without a partner takes away was for
    the clean prompt's answer or against it.
    """
    said = {_PATCHED if edit.corners else _SET: None for edit in edits}
    return "; ".join([*said, _STATES])


def effect_html(effect: Effect) -> str:
    """A heatmap of PIE (or the effect on the clean base) in the metric's unit, as a table."""
    title = f"<div>{escape(repr(effect))}</div>"
    if effect.axes:
        unit = escape(effect.metric.unit)
        said = f"{_quantity(effect)} in {unit}; {colours([effect.edit])}"
        return f"{title}{_table(effect)}<div>{said}</div>"
    return f"{title}<div>{numbers(effect)}</div>"


def numbers(effect: Effect) -> str:
    """The numbers of an effect without axes, after its label."""
    site = escape(effect.labels[0]) + ": " if effect.labels else ""
    status = Status(int(effect.status))
    if effect.labels and status not in SHOWN:
        return site + _WITHOUT_NUMBER[status][1]
    names = effect.quantities() if status in SHOWN else ("Y11", "Y00", "TE")
    said = ", ".join(f"{name} {signed(effect[name])}" for name in names)
    return f"{site}{said} {escape(effect.metric.unit)}"


def grid_html(
    values: Array, status: NDArray[np.uint8], rows: list[str], columns: list[str], total: float
) -> str:
    """A table of numbers coloured on one scale centred on 0.

    Args:
        values: (row, column), in the metric's unit.
        status: (row, column), how each came by its number; it says what is drawn without one.
        rows: their names.
        columns: their names.
        total: the total effect. A number of its sign goes toward the clean run and is blue.
    """
    finite = np.abs(values[np.isfinite(values)])
    scale = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    turn = -1.0 if total < 0 else 1.0
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>"
        + "".join(_cell(v, turn * v / scale, Status(int(s))) for v, s in zip(*line, strict=True))
        + "</tr>"
        for name, *line in zip(rows, values, status, strict=True)
    )
    return f'<table style="{_TABLE}"><tr><th></th>{head}</tr>{body}</table>'


def signed(value: float) -> str:
    """A number with its sign and a real minus, without where it rounds to 0; a dash for none."""
    if not np.isfinite(value):
        return "\N{EN DASH}"
    text = f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")
    return text if text.strip("+0.\N{MINUS SIGN}") else "0.00"


def _quantity(effect: Effect) -> str:
    return "PIE" if effect.edit.corners else "effect on the clean base"


def _table(effect: Effect) -> str:
    """An effect's positions, or else its last axis, across the page, what is before them down."""
    values = np.asarray(effect["PIE" if effect.edit.corners else "clean"])
    axes = list(effect.axes)
    n_down = max(1, axes.index("position") if "position" in axes else len(axes) - 1)
    down, across = _coordinates(effect, axes[:n_down]), _coordinates(effect, axes[n_down:])
    if values.size > MOST_CELLS or len(across) > MOST_COLUMNS:
        best = effect.top(10).to_html(index=False, float_format="{:+.3f}".format)
        return f"<div>the strongest 10 of {values.size:,} cells</div>{best}"
    values = values.reshape(len(down), len(across))
    named = [label.partition(" @ ") for label in effect.labels]
    if named and "sample" not in axes:
        if n_down > 1:
            down = [name for name, _, _ in named[:: len(across)]]
        if n_down < len(axes) and axes[n_down] == "position":
            across = [place for _, _, place in named[: len(across)]]
    status = effect.status.reshape(values.shape)
    return grid_html(values, status, down, across, float(effect["TE"].flat[0]))


def _coordinates(effect: Effect, axes: list[str]) -> list[str]:
    """The names of the cells of some axes in row-major order."""
    return [", ".join(map(str, at)) for at in product(*(effect.axes[name] for name in axes))]


def _cell(value: float, share: float, status: Status) -> str:
    """One cell; ``share`` of the largest number, positive toward the clean run."""
    if status not in SHOWN or not np.isfinite(value):
        style, title, mark = _WITHOUT_NUMBER.get(status, _WITHOUT_NUMBER[Status.NOT_RUN])
        return f'<td style="{_CELL};{style}" title="{title}">{mark}</td>'
    if status == Status.IMPLIED_ZERO:
        return f'<td style="{_CELL}" title="zero by construction">\N{MIDDLE DOT}</td>'
    colour = _TOWARD_CLEAN if share > 0 else _AWAY
    mark = "\N{ALMOST EQUAL TO}" if status == Status.ESTIMATE else ""
    return (
        f'<td style="{_CELL};background:rgba({colour},{0.75 * min(1.0, abs(share)):.3f})">'
        f"{mark}{signed(value)}</td>"
    )
