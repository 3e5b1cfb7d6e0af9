"""Effects by location: where in an image, or when in a sequence, a network's parts matter."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..effects import SHOWN, Effect
from ..errors import MediationError
from .base import GREY, Layers, default_key, layers, quantity_title

CELL, WIDEST = 15.0, 720.0
"""Pixels of a location, at most, and of the chart."""

GAP, HEAD = 1.0, 1.6
"""Between panels, and above one, in cells."""


def maps(effect: Effect, key: str | None = None) -> Layers:
    """A heat map of every channel, or of every point, over its locations.

    Points in rows, channels beside each other; locations as they lie in the image, time steps from
    left to right. One colour scale about 0: blue is toward the clean input, red away from it. A
    location that was not run is left out.

    Args:
        effect: ``study.sweep(kind, by="position")`` of a network that is no language model.
        key: the quantity; default PIE, or the effect on the clean base.

    Raises:
        MediationError: an effect without locations.

    Example:
        >>> seen = mw.Study(network, [mw.InputPair(clean=x1, corrupt=x0, answer=3, wrong=5)])
        >>> mw.charts.maps(seen.sweep("channel", by="position"))
    """
    key = default_key(effect, key)
    table, names = _tables(effect, key)
    most = float(table["value"].abs().max()) or 1.0
    ends = ["#b2182b", "#f7f7f7", "#2166ac"]
    toward = ends if float(np.mean(effect["TE"])) >= 0 else ends[::-1]
    hidden: dict[str, Any] = {"axis": None, "scale": alt.Scale(nice=False, zero=False)}
    down: dict[str, Any] = {"axis": None, "scale": alt.Scale(nice=False, zero=False, reverse=True)}
    cells = (
        alt.Chart(table)
        .mark_rect(stroke=GREY, strokeWidth=0.25)
        .encode(
            x=alt.X("left:Q", **hidden),
            x2="right:Q",
            y=alt.Y("top:Q", **down),
            y2="bottom:Q",
            color=alt.Color(
                "value:Q",
                title=quantity_title(effect, key),
                scale=alt.Scale(domain=[-most, 0, most], range=toward, interpolate="rgb"),
                legend=alt.Legend(orient="bottom", gradientLength=160),
            ),
            tooltip=["site:N", alt.Tooltip("value:Q", title=key, format="+.3f")],
        )
    )
    words = alt.Chart(names).mark_text(align="left", baseline="bottom", fontSize=10, color=GREY)
    named = words.encode(x="left:Q", y="top:Q", text="name:N")
    width, height = float(table["right"].max()), float(table["bottom"].max())
    cell = min(CELL, WIDEST / width)
    chart: Layers = layers("Effect by location", cells, named).configure_view(stroke=None)
    return chart.properties(width=cell * width, height=cell * (height + HEAD))


def _tables(effect: Effect, key: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A row for every location, and one for every panel's name."""
    locations = effect.facts.get("locations")
    axes = list(effect.axes)
    if not isinstance(locations, Mapping) or axes not in (
        ["layer", "position"],
        ["layer", "unit", "position"],
    ):
        raise MediationError(
            "These effects are of no locations.",
            value=f"axes {', '.join(axes) or 'none'}",
            expected="a sweep of a network by position",
            fix="mw.charts.maps(study.sweep('channel', by='position'))",
        )
    n_points, n_positions = len(effect.axes["layer"]), len(effect.axes["position"])
    values = np.asarray(effect[key], dtype=np.float64).reshape(n_points, -1, n_positions)
    shown = np.isin(effect.status, SHOWN).reshape(values.shape)
    sites = np.array(effect.labels, dtype=object).reshape(values.shape)
    cells: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    top = HEAD
    for row, point in enumerate(effect.axes["layer"]):
        height, width = _folded(locations[point])
        units = np.flatnonzero(shown[row].any(axis=-1))
        for column, unit in enumerate(units.tolist()):
            left = column * (width + GAP)
            name = str(point) if "unit" not in axes else f"{point}[{unit}]" if not column else unit
            names.append({"left": left, "top": top, "name": str(name)})
            for y, x in product(range(height), range(width)):
                at = row, unit, y * width + x
                if shown[at]:
                    square = {"left": left + x, "right": left + x + 1.0}
                    square |= {"top": top + y, "bottom": top + y + 1.0}
                    cells.append({**square, "value": values[at], "site": sites[at]})
        top += height + HEAD
    return pd.DataFrame(cells), pd.DataFrame(names)


def _folded(location: Any) -> tuple[int, int]:
    """Height and width of a panel; further axes before them are stacked."""
    *more, width = location
    return int(np.prod(more, initial=1)), int(width)
