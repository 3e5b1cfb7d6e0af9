"""How quantities grow with the strength of an edit."""

from __future__ import annotations

from typing import Protocol

import altair as alt
import pandas as pd

from ..effects import Effect
from ..errors import MediationError, require
from .base import WIDTH, Layers, by_name, layers, metric_words, numbers, without_shape, zero_line

COLUMNS = ("alpha", "quantity", "mean", "low", "high")


class Curve(Protocol):
    """A ``DoseCurve``, or what is like one."""

    @property
    def effect(self) -> Effect: ...
    def to_dataframe(self) -> pd.DataFrame: ...


def dose(curve: Curve | pd.DataFrame, unit: str | None = None) -> Layers:
    """Quantities against the strength of an edit: lines of means, bands of their intervals.

    Args:
        curve: what ``mw.dose_curve`` gives; or a table, a row per strength and quantity, with
            columns ``alpha`` (0 changes nothing, 1 is the whole patch), ``quantity`` (PIE, TIE,
            INT ...), ``mean``, and ``low`` and ``high`` of its interval, NaN for none.
        unit: of the numbers; default the curve's, or the table's ``attrs["unit"]``.

    Raises:
        MediationError: no such curve or table.
    """
    table, known = _table(curve)
    said: object = known if unit is None else unit
    require(
        isinstance(said, str),
        "A unit is a word.",
        value=said,
        expected="a text, or None for the curve's own",
        fix="charts.dose(curve, unit='logits')",
    )
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


def _table(curve: Curve | pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The rows to draw, and what they are counted in."""
    table: object = curve
    unit = ""
    of = getattr(curve, "effect", None)
    if isinstance(of, Effect) and not isinstance(curve, pd.DataFrame):
        table, unit = curve.to_dataframe(), metric_words(of.metric)
    columns = list(table.columns) if isinstance(table, pd.DataFrame) else []
    if not isinstance(table, pd.DataFrame) or not set(COLUMNS) <= set(columns) or not len(table):
        raise MediationError(
            "A dose is a table of quantities by strength.",
            value=columns or repr(curve)[:200],
            expected="a DoseCurve, or a DataFrame with columns " + ", ".join(COLUMNS),
            fix="charts.dose(mw.dose_curve(study, site))",
        )
    return table, unit or str(table.attrs.get("unit", ""))
