"""What the activations of another network restore, site by site."""

from __future__ import annotations

from typing import Any, Protocol

import altair as alt
import pandas as pd

from ..errors import require
from ..inference import count
from ..statistics.resampling import refuse_no_share
from .base import COLOURS, WIDTH, Layers, layers, numbers, zero_line

COLUMNS = {"label", "donor", "value", "prompt", "share", "low", "high", "n"}


class Crossed(Protocol):
    """A ``CrossPatch``, or what is like one."""

    @property
    def donors(self) -> tuple[str, ...]: ...
    @property
    def names(self) -> tuple[str, str]: ...
    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame: ...


def crossing(result: Crossed, n: int = 6, level: float = 0.95) -> Layers:
    """The ``n`` sites whose own clean value restores most, and what each donor restores there.

    Args:
        result: of ``mw.crossing.cross_patch``.
        n: how many sites.
        level: coverage of the intervals.

    Raises:
        MediationError: no such result, a number that is none.
    """
    refuse_no_share("level", level)
    # An effect has a table too, without a donor.
    tell = getattr(result, "to_dataframe", None) if hasattr(result, "donors") else None
    table = tell(level) if callable(tell) else None
    require(
        isinstance(table, pd.DataFrame) and set(table.columns) >= COLUMNS,
        "This chart is one of cross-model patching.",
        value=result,
        expected="a CrossPatch",
        fix="charts.crossing(mw.crossing.cross_patch(study, other, 'residual'))",
    )
    shares = pd.DataFrame(table)
    own = shares[shares["donor"] == result.donors[0]].sort_values("share", ascending=False)
    most = count(n, "sites", "charts.crossing(result, n=6)")
    order = own.dropna(subset=["share"]).head(most)
    require(
        len(order) > 0,
        "There is no site to draw.",
        value=f"n={n}, {int(own['share'].notna().sum())} sites with a share",
        expected="at least one of each",
        fix="charts.crossing(result, n=6)",
    )
    kept = shares[shares["label"].isin(order["label"])].reset_index(drop=True)
    title = f"{result.names[0]} into {result.names[1]}, n={int(kept['n'].iloc[0])} pairs"
    return _drawn(kept, list(order["label"]), list(result.donors), title, level)


def _drawn(
    table: pd.DataFrame, cells: list[str], donors: list[str], title: str, level: float
) -> Layers:
    """A dot and a line for each donor at each site; the controls are another shape."""
    ways = list(dict.fromkeys(table["value"]))
    colours = alt.Scale(domain=ways, range=list(COLOURS[: len(ways)]))
    colour = alt.Color("value:N", scale=colours, legend=alt.Legend(title="value", symbolOpacity=1))
    shapes = alt.Scale(domain=["clean", "corrupt"], range=["circle", "cross"])
    tips: list[Any] = ["label", "donor", "n", *numbers(table, "share", "low", "high")]
    base = alt.Chart(table).encode(
        y=alt.Y("label:N", sort=cells, title=None),
        yOffset=alt.YOffset("donor:N", sort=donors),
        color=colour,
        tooltip=tips,
    )
    x = alt.X("low:Q", title=f"share of TE restored, mean and {level:.0%} interval")
    lines = base.mark_rule(strokeWidth=2).encode(x=x, x2="high:Q")
    lines = lines.transform_filter("isValid(datum.low)")
    dots = base.mark_point(filled=True, opacity=1, size=60).encode(
        x="share:Q", shape=alt.Shape("prompt:N", scale=shapes, legend=alt.Legend(title="prompt"))
    )
    step = alt.Step(10, **{"for": "offset"})
    return layers(title, zero_line("x"), lines, dots).properties(width=WIDTH, height=step)
