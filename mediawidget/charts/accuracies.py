"""Interchange accuracies: a map of layers and positions, and the network beside its controls."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from ..abstraction import IIA, Controls, Rivals
from ..errors import require
from .base import COLOURS, GREY, WIDTH, Layers, layers, numbers

CELL = 22
"""The height and width of a cell of the map, in pixels."""


def accuracies(result: IIA | Rivals | Controls) -> Layers:
    """Interchange intervention accuracy: filled squares, or dots with their intervals.

    Args:
        result: of ``mw.abstraction.iia`` or ``rivals`` a map, layers across and the other axes
            down, the more filled the more accurate, rivals below each other; without layers, and
            of ``controls``, a dot with its interval for each row.

    Raises:
        MediationError: something else.
    """
    given: object = result
    require(
        isinstance(given, IIA | Rivals | Controls),
        "This chart is one of interchange accuracies.",
        value=result,
        expected="an IIA, Rivals or Controls",
        fix="charts.accuracies(mw.abstraction.iia(lm, model, variable, render))",
    )
    table = result.to_dataframe()
    if isinstance(result, Controls):
        title = f"{result.swept.name} at {result.label}, n={result.swept.n} pairs"
        return _dots(table, "what", title, result.swept)
    each = list(result.results.values()) if isinstance(result, Rivals) else [result]
    names = [one.name for one in each]
    title = f"Interchange accuracy of {' and '.join(names)}, n={each[0].n} pairs"
    if "layer" in each[0].axes and len(each[0].axes) > 1:
        return _map(table, each[0], title, several=len(each) > 1)
    if len(each) > 1:
        table["label"] = table["hypothesis"] + " @ " + table["label"]
    return _dots(table, "label", title, each[0])


def _map(table: pd.DataFrame, one: IIA, title: str, *, several: bool) -> Layers:
    rest = [name for name in one.axes if name != "layer"]
    place = table[rest].astype(str).agg(", ".join, axis=1)
    if several:
        place = table["hypothesis"] + ": " + place
    table = table.assign(place=place)
    tips: list[Any] = ["hypothesis", "label", "n", *numbers(table, "iia", "low", "high")]
    base = alt.Chart(table.dropna(subset=["iia"])).encode(
        x=alt.X("layer:O", title="layer", axis=alt.Axis(labelAngle=0)),
        y=alt.Y("place:N", sort=None, title=None if several else ", ".join(rest)),
        tooltip=[*tips, *numbers(table, "stays", "follows")],
    )
    frame = base.mark_rect(fill=None, stroke=GREY, strokeWidth=0.5)
    # How much is filled does not depend on the page's theme, as a scale of colours would.
    legend = alt.Legend(title="IIA", format=".0%", values=[0, 0.5, 1])
    opacity = alt.Opacity("iia:Q", scale=alt.Scale(domain=[0, 1], range=[0, 1]), legend=legend)
    fill = base.mark_rect(color=COLOURS[0]).encode(opacity=opacity)
    return layers(title, frame, fill).properties(width=alt.Step(CELL), height=alt.Step(CELL))


def _dots(table: pd.DataFrame, field: str, title: str, one: IIA) -> Layers:
    """A dot and a line for each row, and the chance level."""
    base = alt.Chart(table.dropna(subset=["iia"])).encode(
        y=alt.Y(f"{field}:N", sort=None, title=None),
        tooltip=[field, "n", *numbers(table, "iia", "low", "high", "best", "accuracy")]
        if "best" in table
        else [field, "n", *numbers(table, "iia", "low", "high", "stays", "follows")],
    )
    share = alt.Scale(domain=[0, 1])
    among = "the vocabulary" if one.among == "vocabulary" else "the outputs"
    title_x = f"IIA and 95% interval (dashed: chance {one.chance:.2g} among {among})"
    lines = base.mark_rule(strokeWidth=2, color=COLOURS[0]).encode(
        x=alt.X("low:Q", scale=share, title=title_x), x2="high:Q"
    )
    dots = base.mark_point(filled=True, opacity=1, size=60, color=COLOURS[0]).encode(x="iia:Q")
    nothing: Any = alt.Chart(alt.InlineData(values=[{}]))
    chance = nothing.mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.datum(one.chance))
    return layers(title, chance, lines, dots).properties(width=WIDTH, height=alt.Step(18))
