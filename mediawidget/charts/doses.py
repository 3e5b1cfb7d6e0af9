"""How quantities grow with the strength of an edit."""

from __future__ import annotations

import altair as alt
import pandas as pd

from ..errors import require
from .base import WIDTH, Layers, by_name, layers, numbers, without_shape, zero_line

COLUMNS = ("alpha", "quantity", "mean", "low", "high")


def dose(table: pd.DataFrame, unit: str | None = None) -> Layers:
    """Quantities against the strength of an edit: lines of means, bands of their intervals.

    Args:
        table: a row per strength and quantity, with columns ``alpha`` (0 changes nothing, 1 is
            the whole patch), ``quantity`` (PIE, TIE, INT ...), ``mean``, and ``low`` and ``high``
            of its interval, NaN for none.
        unit: of the numbers; default what the table says in ``attrs["unit"]``.

    Raises:
        MediationError: no such table.
    """
    given: object = table
    columns = list(given.columns) if isinstance(given, pd.DataFrame) else []
    require(
        set(COLUMNS) <= set(columns) and len(table) > 0,
        "A dose is a table of quantities by strength.",
        value=columns or table,
        expected="a DataFrame with columns " + ", ".join(COLUMNS),
        fix="charts.dose(table.rename(columns={'strength': 'alpha'}))",
    )
    said = table.attrs.get("unit", "") if unit is None else unit
    names = list(dict.fromkeys(map(str, table["quantity"])))
    marks = by_name("quantity", names, "quantity")
    y_title = f"effect ({said})" if said else "effect"
    base = alt.Chart(table[list(COLUMNS)]).encode(
        x=alt.X(
            "alpha:Q",
            title="alpha: share of the way to the other prompt's value",
            axis=alt.Axis(grid=False),
        ),
    )
    plain = without_shape(marks)
    band = base.mark_area(opacity=0.2).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q", **plain)
    band = band.transform_filter("isValid(datum.low)")
    line = base.mark_line().encode(y="mean:Q", **plain)
    dots = base.mark_point(filled=True, opacity=1, size=45).encode(
        y="mean:Q", tooltip=["quantity:N", *numbers(table, "alpha", "mean", "low", "high")], **marks
    )
    chart = layers("Effect by strength of the edit", zero_line("y"), band, line, dots)
    return chart.properties(width=WIDTH, height=240)
