"""Directions: what each kind carries at each size, and one of them among placebos."""

from __future__ import annotations

from typing import Protocol

import altair as alt
import numpy as np
import pandas as pd

from ..effects import Effect
from ..errors import is_one_of, require
from ..statistics.resampling import whole
from .base import (
    GREY,
    WIDTH,
    Layers,
    by_name,
    layers,
    metric_words,
    numbers,
    without_shape,
    zero_line,
)

KEYS = ("PIE", "TIE")
_MOST_BINS = 1000
_WHOLE = "whole site"
_SHARE = "share of TE"


class Compared(Protocol):
    """A ``Comparison`` of directions."""

    def to_dataframe(self) -> pd.DataFrame: ...


class Held(Protocol):
    """``Placebos``: a subspace's patch, and random ones of the same displacement."""

    @property
    def effect(self) -> Effect: ...
    @property
    def k(self) -> int: ...
    def percentile(self, key: str = "PIE") -> float: ...


def directions(comparison: Compared | pd.DataFrame, key: str = "PIE") -> Layers:
    """The share of TE that each kind of direction carries, by its size, with intervals.

    Kinds of one size stand side by side. The line is the whole site's share.

    Args:
        comparison: what ``mw.directions.compare`` gives, or a table like its own.
        key: "PIE" or "TIE".

    Raises:
        MediationError: no comparison; no total effect that there could be shares of.
    """
    table = _compared(comparison, key)
    whole, rows = table[table["made"] == _WHOLE], table[table["made"] != _WHOLE]
    names = list(dict.fromkeys(rows["made"]))
    marks = by_name("made", names, "made by")
    n = int(table["n"].iloc[0])
    base = alt.Chart(rows).encode(
        x=alt.X("k:O", title="k: dimensions", axis=alt.Axis(labelAngle=0, grid=False)),
        xOffset=alt.XOffset("made:N", sort=names),
        tooltip=["direction:N", "k:O", "n:Q", *numbers(rows, _SHARE, "low", "high")],
    )
    y_title = f"{key} / TE, mean over pairs and 95% interval"
    ends = base.mark_rule(strokeWidth=2).encode(
        y=alt.Y("low:Q", title=y_title, axis=alt.Axis(format="%")),
        y2="high:Q",
        **without_shape(marks),
    )
    dots = base.mark_point(filled=True, opacity=1, size=60).encode(
        y=alt.Y(f"{_SHARE}:Q", title=y_title), **marks
    )
    return layers(
        f"{key} by kind of direction, n={n} pairs",
        zero_line("y"),
        *(part for share in whole[_SHARE].dropna() for part in _whole(float(share))),
        ends.transform_filter("isValid(datum.low)"),
        dots,
    ).properties(width=WIDTH, height=240)


def placebos(held: Held, key: str = "PIE", bins: int = 20) -> Layers:
    """Means of placebos as a histogram, and a line where the true subspace's is.

    Args:
        held: what ``mw.directions.placebo`` gives.
        key: "PIE" or "TIE".
        bins: at most so many.

    Raises:
        MediationError: no placebos, another quantity, no number of bins.
    """
    effect: object = getattr(held, "effect", None)
    require(
        isinstance(effect, Effect) and "subspace" in effect.axes and is_one_of(key, KEYS),
        "This histogram is one of placebos.",
        value=(held, key),
        expected="Placebos, and 'PIE' or 'TIE'",
        fix="charts.placebos(mw.directions.placebo(study, site, found))",
    )
    require(
        whole(bins, 1) and bins <= _MOST_BINS,
        "Bins are counted.",
        value=bins,
        expected=f"an int from 1 to {_MOST_BINS}",
        fix="charts.placebos(held, bins=20)",
    )
    means = np.asarray(held.effect[key])
    # Counted here, so that the axis is one of numbers and not of bins.
    counts, edges = np.histogram(means[1:], bins=bins)
    table = pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts, "none": 0})
    title = f"{key} ({metric_words(held.effect.metric)}), mean over n={held.effect.n_pairs} pairs"
    bars = (
        alt.Chart(table[table["count"] > 0])
        .mark_bar(color=GREY)
        .encode(
            x=alt.X("low:Q", title=title, scale=alt.Scale(zero=False, nice=True)),
            x2="high:Q",
            y=alt.Y("count:Q", title="placebos", axis=alt.Axis(tickMinStep=1, format="d")),
            y2="none:Q",
            tooltip=["count:Q", *numbers(table, "low", "high")],
        )
    )
    words = f"k={held.k}: above {held.percentile(key):.0%} of {len(means) - 1} placebos, in size"
    true = _true(float(means[0]), float(means[1:].mean()), title)
    return layers(words, zero_line("x"), bars, *true).properties(width=WIDTH, height=180)


def _true(mean: float, others: float, title: str) -> list[alt.Chart]:
    """A line at the true subspace's mean, and the number on the side where the placebos are."""
    table = pd.DataFrame({"mean": [mean], "name": f"true {mean:+.3g}"})
    one = alt.Chart(table).encode(x=alt.X("mean:Q", title=title))
    colour = by_name("", [], "")["color"]
    rule = one.mark_rule(strokeWidth=3).encode(color=colour, tooltip=numbers(table, "mean"))
    left = mean >= others
    word = one.mark_text(
        align="right" if left else "left", dx=-6 if left else 6, y=8, fontSize=12
    ).encode(text="name:N", color=colour)
    return [rule, word]


def _whole(share: float) -> list[alt.Chart]:
    """A dashed line at the whole site's share, and its name."""
    at = alt.Chart(pd.DataFrame({"share": [share], "name": _WHOLE}))
    line = at.mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="share:Q")
    name = at.mark_text(align="right", x=WIDTH - 4, dy=-7, color=GREY).encode(
        y="share:Q", text="name:N"
    )
    return [line, name]


def _compared(comparison: Compared | pd.DataFrame, key: str) -> pd.DataFrame:
    """The rows to draw: direction, made, k, n, the share and its interval."""
    table: object = comparison
    if not isinstance(comparison, pd.DataFrame) and hasattr(comparison, "to_dataframe"):
        table = comparison.to_dataframe()
    share = f"{key} share"
    wanted = ["direction", "made", "k", "n", share, f"{share} low", f"{share} high"]
    columns = list(table.columns) if isinstance(table, pd.DataFrame) else []
    require(
        is_one_of(key, KEYS) and set(wanted) <= set(columns),
        "This chart is one of directions that were compared.",
        value=(columns or comparison, key),
        expected="a Comparison, and 'PIE' or 'TIE'",
        fix="charts.directions(mw.directions.compare(study, site))",
    )
    assert isinstance(table, pd.DataFrame)
    found = table[wanted].set_axis([*wanted[:4], _SHARE, "low", "high"], axis=1)
    require(
        bool(found[_SHARE].notna().any()),
        "There is no total effect that these could be shares of.",
        value=f"TE near 0 on n={len(found)} rows",
        expected="pairs on which the metric differs between the prompts",
        fix="read the effects themselves: comparison.to_dataframe()",
    )
    return found
