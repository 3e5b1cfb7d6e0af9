"""What the charts share: how they are shown, their colours, their words."""

from __future__ import annotations

import sys
from typing import Any

import altair as alt
import pandas as pd

from ..effects import Effect
from ..errors import require
from ..metrics import Metric

COLOURS = ("#3d8fd1", "#d9701a", "#1f9e77", "#a97fd6", "#d9669c", "#8c8c8c")
"""Each at least 3 : 1 against white and against the dark theme's grey."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
"""Beside the colours, for eyes that cannot tell these apart."""

GREY = "#8c8c8c"
WIDTH = 360
MIME = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.20.1.json"

_WORDS = {
    "logit_diff": "logit difference",
    "log_prob": "log probability, nats",
    "prob": "probability",
    "prob_diff": "probability difference",
    "log_odds": "log odds, nats",
    "kl": "KL divergence, nats",
}


class Layers(alt.LayerChart):
    """Layers that JupyterLab draws itself.

    Altair's own page fetches its scripts from the network, and JupyterLab brings Vega-Lite 5;
    what is used here means the same in 5 and 6. Another renderer that was enabled is left to
    do its work, as is Altair's in Colab, which has no Vega of its own.
    """

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> Any:
        if alt.renderers.active != "default" or "google.colab" in sys.modules:
            return super()._repr_mimebundle_(*args, **kwargs)
        spec = {**self.to_dict(), "$schema": SCHEMA}
        return {MIME: spec, "text/plain": repr(self)}

    def __repr__(self) -> str:
        title = self.to_dict().get("title", "chart")
        return f"<{title}>"


def layers(title: str, *charts: alt.Chart) -> Layers:
    """Charts over each other, under a title."""
    return Layers(layer=list(charts), title=title)


def quantity_title(effect: Effect, key: str) -> str:
    """What an axis says of a quantity: its name, what it is counted in, what was held frozen."""
    held = f"; {effect.held}" if effect.held else ""
    return f"{key} ({metric_words(effect.metric)}{held})"


def metric_words(metric: Metric) -> str:
    """What a metric's numbers are, in words."""
    name, unit = metric.name, metric.unit
    return _WORDS.get(name, name if name == unit else f"{name}, {unit}")


def default_key(effect: Effect, key: str | None) -> str:
    """The quantity that is asked for, or the first that a student looks for."""
    effect = as_effect(effect)
    return ("PIE" if effect.edit.corners else "clean") if key is None else key


def as_effect(effect: object) -> Effect:
    """The effect, refused if it is none."""
    require(
        isinstance(effect, Effect),
        "This chart is one of an effect.",
        value=effect,
        expected="an Effect",
        fix="charts.effects(study.sweep('head'))",
    )
    return effect  # type: ignore[return-value]


def numbers(table: pd.DataFrame, *fields: str) -> list[alt.Tooltip]:
    """What a pointer over a mark is told: each field that has numbers, with sign and digits."""
    known = [field for field in fields if table[field].notna().any()]
    return [alt.Tooltip(f"{field}:Q", format="+.3f") for field in known]


def zero_line(axis: str) -> alt.Chart:
    """Where there is no effect, on the axis ``x`` or ``y``."""
    rule: alt.Chart = alt.Chart(alt.InlineData(values=[{}])).mark_rule(color=GREY)
    return rule.encode(**{axis: alt.datum(0)})


def by_name(field: str, names: list[str], title: str) -> dict[str, Any]:
    """Colour and shape of marks by the names in ``field``; none if there is a single one."""
    if len(names) < 2:
        return {"color": alt.value(COLOURS[0])}
    turns = range(len(names))
    legend = alt.Legend(title=title, symbolOpacity=1)

    def scale(values: tuple[str, ...]) -> alt.Scale:
        return alt.Scale(domain=names, range=[values[i % len(values)] for i in turns])

    return {
        "color": alt.Color(f"{field}:N", scale=scale(COLOURS), legend=legend),
        "shape": alt.Shape(f"{field}:N", scale=scale(SHAPES), legend=legend),
    }


def without_shape(marks: dict[str, Any]) -> dict[str, Any]:
    """The same for marks that have a colour alone."""
    return {name: channel for name, channel in marks.items() if name != "shape"}
