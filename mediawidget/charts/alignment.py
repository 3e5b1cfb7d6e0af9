"""Searches for a subspace: accuracy by number of directions, and how training went."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from ..alignment.result import Aligned, Sizes
from ..errors import require
from .base import GREY, WIDTH, Layers, by_name, layers, numbers, without_shape

_LINES = {
    "learned": "learned (DAS)",
    "principal": "principal directions",
    "mean difference": "mean difference, k = 1",
    "random": "random, mean of 5",
}
LEAST = 1e-8
"""Nats; what is smaller, or 0, is drawn as that."""

_RULES = {"whole": "whole value", "nothing": "nothing exchanged"}


def alignment(curve: Sizes) -> Layers:
    """Interchange accuracy on held-out pairs by how many directions are exchanged.

    Beside the learned subspaces their controls of the same size, and as lines across what is
    reached when the whole value is exchanged, and when nothing is.

    Args:
        curve: what ``mw.alignment.sizes`` gives.

    Raises:
        MediationError: something else.
    """
    given: object = curve
    require(
        isinstance(given, Sizes),
        "This chart is of alignments of several sizes.",
        value=curve,
        expected="what mw.alignment.sizes gives",
        fix="charts.alignment(mw.alignment.sizes(study, site))",
    )
    first = curve.found[0]
    title = f"{first.label}: accuracy by directions, n={len(first.report_on)} pairs"
    table = curve.to_dataframe()
    table = table[table["pairs"] == "held-out"].copy()
    column = "iia" if first.over == "vocabulary" else "iia_alternatives"
    table["accuracy"] = table[column]
    drawn = table[table["part"].isin(_LINES)].copy()
    drawn["part"] = drawn["part"].map(_LINES)
    once = drawn["part"] == _LINES["mean difference"]
    drawn = drawn[~once | (drawn["k"] == drawn["k"].min())]
    names = [name for name in _LINES.values() if name in set(drawn["part"])]
    # What was learned comes last, and so on top.
    drawn = drawn.sort_values("part", key=lambda part: -part.map(names.index))
    marks = by_name("part", names, "exchanged")
    sizes = sorted({int(k) for k in table["k"]})
    base = alt.Chart(drawn[["k", "part", "accuracy", "share", "n"]]).encode(
        x=alt.X(
            "k:Q",
            title="directions exchanged",
            scale=alt.Scale(type="log", base=2),
            axis=alt.Axis(values=sizes, format="d", grid=False),
        ),
        y=alt.Y(
            "accuracy:Q", title="interchange accuracy", scale=alt.Scale(domain=[0, 1], clamp=True)
        ),
    )
    line = base.mark_line().encode(**without_shape(marks))
    dots = base.mark_point(filled=True, opacity=1, size=55).encode(
        tooltip=["part:N", "k:Q", "n:Q", *numbers(drawn, "accuracy", "share")], **marks
    )
    chart = layers(title, *_across(table), line, dots)
    return chart.properties(width=WIDTH, height=240)


def _across(table: pd.DataFrame) -> list[alt.Chart]:
    """A dashed line and its name for each of what does not depend on the size."""
    found = []
    for part, name in _RULES.items():
        level = float(table.loc[table["part"] == part, "accuracy"].iloc[0])
        # On its own side of the line, unless the frame is there.
        below = level > 0.9 if part == "whole" else level > 0.1
        row = pd.DataFrame({"accuracy": [level], "name": [name]})
        rule = alt.Chart(row).mark_rule(color=GREY, strokeDash=[4, 4]).encode(y="accuracy:Q")
        text = (
            alt.Chart(row)
            .mark_text(color=GREY, align="right", dx=-4, dy=10 if below else -8)
            .encode(x=alt.value(WIDTH), y="accuracy:Q", text="name:N")
        )
        found += [rule, text]
    return found


def losses(found: Aligned) -> Layers:
    """How training went: the loss by epoch, of the pairs that train and of those held aside.

    Args:
        found: what ``mw.alignment.das`` or another search gives; each start is lines of its own.

    Raises:
        MediationError: something else, or a search cancelled before its first epoch.
    """
    given: object = found
    require(
        isinstance(given, Aligned) and len(given.losses) > 0,
        "This chart is of an alignment that was trained.",
        value=found,
        expected="what mw.alignment.das gives, an epoch of it at least",
        fix="charts.losses(mw.alignment.das(study, site))",
    )
    columns = {"loss": "training pairs", "stop_loss": "held aside"}
    table = found.losses.melt(
        ["start", "epoch"], list(columns), var_name="pairs", value_name="nats"
    ).dropna()
    table["pairs"] = table["pairs"].map(columns)
    table["nats"] = table["nats"].clip(lower=LEAST)
    marks = by_name("pairs", [name for name in columns.values() if name in set(table["pairs"])], "")
    base = alt.Chart(table).encode(
        x=alt.X("epoch:Q", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y(
            "nats:Q",
            title="cross-entropy of the answer, nats",
            scale=alt.Scale(type="log"),
            axis=alt.Axis(tickCount=5, format="~g", grid=False),
        ),
        detail="start:N",
        tooltip=["pairs:N", "start:Q", "epoch:Q", *numbers(table, "nats")],
    )
    starts = int(table["start"].nunique())
    said = f"{starts} start{'s' if starts > 1 else ''}, {found.ended}"
    drawn: Any = without_shape(marks)
    chart = layers(f"{found.label}: training, {said}", base.mark_line().encode(**drawn))
    return chart.properties(width=WIDTH, height=200)
