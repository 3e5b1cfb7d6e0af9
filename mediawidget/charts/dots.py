"""Cells as dots with their intervals: the strongest, and groups side by side."""

from __future__ import annotations

from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from ..effects import Effect
from ..errors import require
from ..inference import count
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


def effects(
    effect: Effect, key: str | None = None, n: int = 20, level: float = 0.95, seed: int = 0
) -> Layers:
    """The ``n`` strongest cells, the largest on top: mean over pairs and its interval.

    Args:
        effect: of a sweep.
        key: a quantity, as in ``effect.pairs``; default PIE, or the effect on the clean base.
        n: how many cells.
        level: coverage of the intervals, which are ``effect.ci``; with fewer than three pairs
            there are none.
        seed: of the bootstrap.

    Raises:
        MediationError: the quantity does not exist; a number that is none.
    """
    key = default_key(effect, key)
    refuse_no_share("level", level)
    table = _intervals(effect, key, level, seed)
    table = _strongest(table, n)
    title = f"{_cells(len(table), effect)} by {key}, n={effect.n_pairs} pairs"
    return _dots(table, quantity_title(effect, key), title, [], level)


def groups(
    effect: Effect, key: str | None = None, n: int = 10, level: float = 0.95, seed: int = 0
) -> Layers:
    """The ``n`` strongest cells, in every group of pairs: means and intervals side by side.

    Args:
        effect: of a sweep, of pairs that have groups.
        key: a quantity, as in ``effect.pairs``; default PIE, or the effect on the clean base.
        n: how many cells, by the size of their mean over all pairs.
        level: coverage of the intervals; a group of fewer than three pairs has none.
        seed: of the bootstrap.

    Raises:
        MediationError: the pairs have no groups; the quantity does not exist.
    """
    key = default_key(effect, key)
    refuse_no_share("level", level)
    table = effect.by_group(key, level, seed=seed)
    names = list(dict.fromkeys(table["group"]))
    table["cell"] = np.repeat(cell_names(effect), len(names))
    order = _strongest(_means(effect, key), n)["cell"]
    table = table[table["cell"].isin(order)]
    table = table.set_index("cell").loc[list(order)].reset_index()
    title = f"{_cells(len(order), effect)} by {key} in {len(names)} groups"
    return _dots(table, quantity_title(effect, key), title, names, level)


def cell_names(effect: Effect) -> list[str]:
    """What the cells are called: their labels, else their coordinates."""
    if effect.labels or not effect.axes:
        return list(effect.labels) or ["effect"]
    shape = effect.shape
    return [
        ", ".join(
            f"{name} {labels[i]}" for (name, labels), i in zip(effect.axes.items(), at, strict=True)
        )
        for at in np.ndindex(*shape)
    ]


def _means(effect: Effect, key: str) -> pd.DataFrame:
    mean = np.reshape(effect[key], -1)
    return pd.DataFrame(
        {"cell": cell_names(effect), "mean": np.broadcast_to(mean, effect.status.size)}
    )


def _intervals(effect: Effect, key: str, level: float, seed: int) -> pd.DataFrame:
    table = _means(effect, key)
    ends = np.full((2, len(table)), np.nan)
    if effect.n_clusters >= FEWEST:
        ends = effect.ci(key, level, seed=seed).reshape(2, -1)
    return table.assign(low=ends[0], high=ends[1], n=effect.n_pairs)


def _strongest(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """The ``n`` rows of largest mean that have one."""
    n = count(n, "cells", "charts.effects(effect, n=20)")
    ranked = table.dropna(subset=["mean"]).sort_values(
        "mean", key=np.abs, ascending=False, kind="stable"
    )
    require(
        len(ranked) > 0 and n > 0,
        "There is no cell to draw.",
        value=f"n={n}, {len(ranked)} cells with a number",
        expected="at least one of each",
        fix="charts.effects(study.sweep('head'), n=20)",
    )
    return ranked.head(n)


def _cells(n: int, effect: Effect) -> str:
    return "All cells" if n == effect.status.size else f"The {n} strongest of {effect.status.size}"


def _dots(table: pd.DataFrame, quantity: str, title: str, names: list[str], level: float) -> Layers:
    """A dot and a line for each row, its cell beside it, groups below each other."""
    x_title = f"{quantity}, mean and {level:.0%} interval"
    place: dict[str, Any] = {"y": alt.Y("cell:N", sort=None, title=None)}
    if names:
        place["yOffset"] = alt.YOffset("group:N", sort=names)
    marks = by_name("group", names, "group")
    told = ["cell", *(["group"] if names else []), "n"]
    tips: list[Any] = [*told, *numbers(table, "mean", "low", "high")]
    base = alt.Chart(table).encode(**place, tooltip=tips)
    lines = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=x_title), x2="high:Q", **without_shape(marks)
    )
    lines = lines.transform_filter("isValid(datum.low)")
    dots = base.mark_point(filled=True, opacity=1, size=60).encode(x="mean:Q", **marks)
    step = alt.Step(18) if not names else alt.Step(10, **{"for": "offset"})
    return layers(title, zero_line("x"), lines, dots).properties(width=WIDTH, height=step)
