"""One cell, every pair: what a mean hides."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..effects import Effect
from ..errors import require
from ..inference.samples import NO_GROUP
from ..statistics import FEWEST
from ..statistics.resampling import refuse_no_share
from .base import (
    WIDTH,
    Layers,
    by_name,
    default_key,
    layers,
    numbers,
    quantity_title,
    without_shape,
    zero_line,
)

_ROW, _GOLDEN = 76, (5**0.5 - 1) / 2
_LANE, _BELOW = [-0.3, 1.7], 1.35
"""A row's heights: dots lie between 0 and 1, their mean below them."""


def strip(
    effect: Effect,
    cell: tuple[int | str, ...] | str = (),
    key: str | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Layers:
    """Every pair of one cell as a dot; below the dots their mean and its interval.

    Pairs with groups have a row, a colour and a mean for each group.

    Args:
        effect: without axes, or of a sweep.
        cell: its coordinates in a sweep, or its label, as ``effect.cell`` takes them.
        key: a quantity, as in ``effect.pairs``; default PIE, or the effect on the clean base.
        level: coverage of the interval; with fewer than three pairs there is none.
        seed: of the bootstrap.

    Raises:
        MediationError: no such cell, or one that was not run; the quantity does not exist.
    """
    key = default_key(effect, key)
    refuse_no_share("level", level)
    at: object = cell
    require(
        isinstance(at, tuple | list | str),
        "A cell is named by its label or its coordinates.",
        value=cell,
        expected="a label, or a tuple of a coordinate for each axis",
        fix="charts.strip(effect, (9, 6))",
    )
    named = (cell,) if isinstance(cell, str) else cell
    one = effect.cell(*named) if effect.axes or named else effect
    values = np.asarray(one.pairs(key))
    require(
        bool(np.isfinite(values).all()),
        "There is nothing to draw: this cell was not run.",
        value=cell,
        expected="a cell with a number for every pair",
        fix="effect.to_dataframe() has a column of status",
    )
    table = _pairs(one, values)
    means = _means(one, key, level, seed)
    names = list(means["group"])
    site = one.labels[0] if one.labels else ", ".join(map(str, cell)) or "effect"
    height = alt.Step(_ROW, **{"for": "position"})
    x_title = f"{quantity_title(one, key)}; under the dots mean and {level:.0%} interval"
    chart = layers(
        f"{site}: {key} of every pair, n={one.n_pairs}",
        zero_line("x"),
        _dots(table, names, x_title),
        *_summary(means),
    )
    return chart.properties(width=WIDTH, height=height)


def _pairs(one: Effect, values: np.ndarray) -> pd.DataFrame:
    """A row per pair, with a height that keeps equal values apart."""
    pair = np.arange(one.n_pairs)
    return pd.DataFrame(
        {
            "pair": pair,
            "group": [name or NO_GROUP for name in one.groups] or "all pairs",
            "template": [name or "" for name in one.clusters] or "",
            "value": values,
            # Multiples of the golden ratio fill the row evenly, however many there are.
            "height": pair * _GOLDEN % 1,
        }
    )


def _means(one: Effect, key: str, level: float, seed: int) -> pd.DataFrame:
    if one.groups:
        return one.by_group(key, level, seed=seed)
    low, high = one.ci(key, level, seed=seed) if one.n_clusters >= FEWEST else (float("nan"),) * 2
    return pd.DataFrame(
        {"group": ["all pairs"], "n": one.n_pairs, "mean": one[key], "low": low, "high": high}
    )


def _dots(table: pd.DataFrame, names: list[str], title: str) -> alt.Chart:
    told: list[Any] = ["pair", "group", *(["template"] if table["template"].any() else [])]
    chart: alt.Chart = (
        alt.Chart(table)
        .mark_point(filled=True, opacity=0.6, size=40)
        .encode(
            x=alt.X("value:Q", title=title),
            y=_row(names),
            yOffset=alt.YOffset("height:Q", scale=alt.Scale(domain=_LANE)),
            tooltip=[*told, *numbers(table, "value")],
            **_marks(names),
        )
    )
    return chart


def _summary(means: pd.DataFrame) -> list[alt.Chart]:
    """Below a row's dots its mean, and its interval as a line."""
    names = list(means["group"])
    base = alt.Chart(means).encode(
        y=_row(names),
        yOffset=alt.datum(_BELOW),
        tooltip=["group", "n", *numbers(means, "mean", "low", "high")],
    )
    marks = _marks(names)
    line = base.mark_rule(strokeWidth=3).encode(x="low:Q", x2="high:Q", **without_shape(marks))
    dot = base.mark_point(filled=True, opacity=1, size=90).encode(x="mean:Q", **marks)
    return [line.transform_filter("isValid(datum.low)"), dot]


def _row(names: list[str]) -> alt.Y:
    return alt.Y("group:N", sort=names, title=None, axis=alt.Axis(ticks=False, domain=False))


def _marks(names: list[str]) -> dict[str, Any]:
    """Colours and shapes that need no legend, for the rows are named."""
    marks = by_name("group", names, "group")
    return {
        channel: marks[channel].legend(None) if len(names) > 1 else marks[channel]
        for channel in marks
    }
