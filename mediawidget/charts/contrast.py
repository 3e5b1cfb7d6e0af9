"""An attribution beside an intervention: relevance of tokens, and what patching them does."""

from __future__ import annotations

from typing import Protocol

import altair as alt
import pandas as pd

from ..errors import require
from .base import WIDTH, Layers, by_name, layers, numbers, zero_line

COLUMNS = ("position", "token", "quantity", "unit", "mean", "low", "high", "share", "n")

_WORDS = {
    "relevance": "relevance (attribution)",
    "TIE": "TIE (intervention)",
    "PIE": "PIE (intervention)",
}


class Beside(Protocol):
    """A ``BesideTIE``, or what is like one."""

    def to_dataframe(self) -> pd.DataFrame: ...


def contrast(beside: Beside | pd.DataFrame) -> Layers:
    """Shares of relevance, and TIE and PIE as shares of TE, three dots a token.

    Args:
        beside: what ``mw.contrasting.beside_tie`` gives, or its table.

    Raises:
        MediationError: something else.
    """
    given: object = beside
    if not isinstance(beside, pd.DataFrame) and hasattr(beside, "to_dataframe"):
        given = beside.to_dataframe()
    columns = list(given.columns) if isinstance(given, pd.DataFrame) else []
    require(
        set(COLUMNS) <= set(columns),
        "This chart sets a relevance beside effects.",
        value=columns or beside,
        expected="a BesideTIE, or its table",
        fix="charts.contrast(mw.contrasting.beside_tie(study))",
    )
    assert isinstance(given, pd.DataFrame)
    # Tokens that stand twice are two rows.
    place = given["position"].astype(str) + " " + given["token"].str.strip()
    table = given.assign(place=place, reading=given["quantity"].map(_WORDS))
    names = list(_WORDS.values())
    tips = ["place", "reading", "unit", "n", *numbers(table, "share", "mean", "low", "high")]
    dots = (
        alt.Chart(table)
        .mark_point(filled=True, opacity=1, size=60)
        .encode(
            x=alt.X("share:Q", title="share of the relevance; share of TE"),
            y=alt.Y("place:N", sort=None, title=None),
            yOffset=alt.YOffset("reading:N", sort=names),
            tooltip=tips,
            **by_name("reading", names, "reading"),
        )
    )
    title = f"An attribution beside an intervention, n={table['n'].iloc[0]} pairs"
    step = alt.Step(9, **{"for": "offset"})
    return layers(title, zero_line("x"), dots).properties(width=WIDTH, height=step)
