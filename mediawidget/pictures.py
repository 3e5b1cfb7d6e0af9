"""Static pictures of effects: plain HTML, escaped, no script, no network.

They stand where a live view cannot: a bare effect in a cell, a reopened notebook.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .effects import Effect

Array = NDArray[np.float64]

_STYLE = {
    "table": "border-collapse:collapse;font:11px system-ui,sans-serif;"
    "font-variant-numeric:tabular-nums",
    "cell": "width:44px;height:26px;text-align:center;border:1px solid rgba(128,128,128,.25)",
    "hatch": "background:repeating-linear-gradient(45deg,rgba(128,128,128,.3) 0 1px,"
    "transparent 1px 5px)",
}
_TOWARD_CLEAN, _AWAY = "33,102,172", "178,24,43"


def effect_html(effect: Effect) -> str:
    """A heatmap of PIE (or the effect on the clean base) in the metric's unit, as a table."""
    key = "PIE" if effect.edit.corners else "clean"
    title = f"<div>{escape(repr(effect))}</div>"
    if not effect.axes:
        numbers = ", ".join(f"{name} {signed(effect[name])}" for name in effect.quantities())
        site = escape(effect.labels[0]) + ": " if effect.labels else ""
        return f"{title}<div>{site}{numbers} {effect.metric.unit}</div>"
    values = np.asarray(effect[key]).reshape(len(next(iter(effect.axes.values()))), -1)
    caption = f"<div>{key} in {escape(effect.metric.unit)}; hatched cells were not run</div>"
    names = list(effect.axes)
    columns = [""] if len(names) == 1 else [str(c) for c in range(values.shape[1])]
    rows = [str(layer) for layer in effect.axes[names[0]]]
    return title + grid_html(values, rows, columns) + caption


def grid_html(values: Array, rows: list[str], columns: list[str]) -> str:
    """A table of (row, column) numbers coloured on one scale centred on 0; NaN is hatched."""
    finite = np.abs(values[np.isfinite(values)])
    scale = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(
        f"<tr><th>{escape(name)}</th>" + "".join(_cell(v, scale) for v in line) + "</tr>"
        for name, line in zip(rows, values, strict=True)
    )
    return f'<table style="{_STYLE["table"]}"><tr><th></th>{head}</tr>{body}</table>'


def signed(value: float) -> str:
    """A number with its sign and a real minus; a dash where there is none."""
    if not np.isfinite(value):
        return "\N{EN DASH}"
    return f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def _cell(value: float, scale: float) -> str:
    if not np.isfinite(value):
        return f'<td style="{_STYLE["cell"]};{_STYLE["hatch"]}" title="not run"></td>'
    colour = _TOWARD_CLEAN if value > 0 else _AWAY
    strength = min(1.0, abs(value) / scale)
    return (
        f'<td style="{_STYLE["cell"]};background:rgba({colour},{0.75 * strength:.3f})">'
        f"{signed(value)}</td>"
    )
