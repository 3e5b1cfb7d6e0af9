"""What a task loses with a property, beside its controls; and how probes fade as INLP goes on."""

from __future__ import annotations

from typing import Any, Protocol

import altair as alt
import numpy as np
import pandas as pd

from ..errors import MediationError, is_one_of, require
from .base import COLOURS, GREY, WIDTH, Layers, by_name, layers, numbers, without_shape, zero_line

LOSSES = {"what", "quantity", "mean", "low", "high", "n", "moved", "smallest"}
ROUNDS = {"k", "train", "held_out", "chance"}


class Probing(Protocol):
    """An ``Amnesic``, or what is like one."""

    def to_dataframe(self) -> pd.DataFrame: ...
    def draws(self, quantity: str = ..., control: str = ...) -> np.ndarray: ...


class Tabled(Protocol):
    """An ``Inlp``, or what is like one."""

    def to_dataframe(self) -> pd.DataFrame: ...


def amnesic(result: Probing, quantity: str = "difference") -> Layers:
    """What the metric loses: mean over pairs and its interval, a faint dot per random draw.

    Args:
        result: of ``mw.erasure.amnesic``.
        quantity: "clean", "corrupt", or "difference": how much of the total effect is gone.

    Raises:
        MediationError: no such result, no such quantity.
    """
    table = _table(result, LOSSES, "charts.amnesic(mw.erasure.amnesic(study, eraser))")
    require(
        is_one_of(quantity, set(table["quantity"])),
        "There is no such quantity.",
        value=quantity,
        expected="one of " + ", ".join(dict.fromkeys(table["quantity"])),
        fix="charts.amnesic(result, 'difference')",
    )
    some = table[table["quantity"] == quantity].reset_index(drop=True)
    unit = table.attrs.get("unit", "")
    what = "TE that is gone" if quantity == "difference" else f"Y({quantity}) - Y({quantity}, do)"
    x = f"{what} ({unit}), mean and 95% interval" if unit else what
    y = alt.Y("what:N", sort=None, title=None)
    tips: list[Any] = ["what:N", "n:Q", *numbers(some, "mean", "low", "high", "moved")]
    base = alt.Chart(some[sorted(LOSSES)]).encode(y=y, tooltip=tips)
    ends = base.mark_rule(strokeWidth=2, color=COLOURS[0]).encode(
        x=alt.X("low:Q", title=x), x2="high:Q"
    )
    ends = ends.transform_filter("isValid(datum.low)")
    dots = base.mark_point(filled=True, opacity=1, size=60, color=COLOURS[0]).encode(x="mean:Q")
    random = some["what"][some["smallest"].notna()]
    draws = [pd.DataFrame({"what": c, "draw": result.draws(quantity, c)}) for c in random]
    drawn = pd.concat(draws, ignore_index=True)
    faint = alt.Chart(drawn).mark_point(filled=True, opacity=0.5, size=20, color=GREY)
    faint = faint.encode(y=y, x="draw:Q", tooltip=numbers(drawn, "draw"))
    title = f"{what} at {table.attrs.get('site', 'the site')}, n={int(some['n'].iloc[0])} pairs"
    chart = layers(title, zero_line("x"), ends, dots, faint)
    return chart.properties(width=WIDTH, height=alt.Step(24))


def rounds(eraser: Tabled) -> Layers:
    """The accuracy of INLP's probes against how many directions were removed before them.

    Args:
        eraser: of ``mw.erasure.inlp``.

    Raises:
        MediationError: no such eraser.
    """
    table = _table(eraser, ROUNDS, "charts.rounds(mw.erasure.inlp(study, site))")
    named = {"train": "fitted on", "held_out": "held out"}
    long = table.rename(columns=named).melt("k", list(named.values()), "values", "accuracy")
    marks = by_name("values", list(named.values()), "values")
    base = alt.Chart(long).encode(
        x=alt.X("k:Q", title="directions removed", axis=alt.Axis(grid=False, tickMinStep=1)),
        y=alt.Y("accuracy:Q", title="share of labels told right", scale=alt.Scale(domain=[0, 1])),
        tooltip=["k:Q", "values:N", *numbers(long, "accuracy")],
    )
    line = base.mark_line().encode(**without_shape(marks))
    dots = base.mark_point(filled=True, opacity=1, size=45).encode(**marks)
    chance = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=GREY, strokeDash=[4, 4])
    chance = chance.encode(y=alt.datum(float(table["chance"].iloc[0])))
    chart = layers("Linear probes as directions are removed; dashed: chance", chance, line, dots)
    return chart.properties(width=WIDTH, height=200)


def _table(given: object, columns: set[str], fix: str) -> pd.DataFrame:
    """The rows to draw."""
    tell = getattr(given, "to_dataframe", None)
    table = tell() if callable(tell) else None
    if not isinstance(table, pd.DataFrame) or not columns <= set(table.columns):
        raise MediationError(
            "There is nothing to draw here.",
            value=repr(given)[:200],
            expected="a result with a table of " + ", ".join(sorted(columns)),
            fix=fix,
        )
    return table
