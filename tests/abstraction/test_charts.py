"""Charts of interchange accuracies: what they draw is what was measured."""

from typing import Any

import pytest
import vl_convert

import mediawidget as mw
from mediawidget import abstraction as ab
from tests.asking import raised

LM = mw.models.lookback()
MODEL = ab.lookback()
RENDER = mw.models.lookback_prompt
SITES = [mw.Site("residual", layer, position=7) for layer in (2, 3)]


def measured(kind: str) -> Any:
    pairs = ab.separating(ab.lookback_hypotheses(), 8)
    kinds: dict[str, Any] = {
        "map": lambda: ab.iia(LM, MODEL, "pointer", RENDER, pairs=pairs),
        "maps": lambda: ab.rivals(LM, ab.lookback_hypotheses(), RENDER, pairs=pairs),
        "heads": lambda: ab.iia(LM, MODEL, "pointer", RENDER, "head", pairs=pairs),
        "sites": lambda: ab.iia(LM, MODEL, "pointer", RENDER, SITES, pairs=pairs),
        "rivals": lambda: ab.rivals(LM, ab.lookback_hypotheses(), RENDER, SITES, pairs=pairs),
        "controls": lambda: ab.controls(LM, MODEL, "pointer", RENDER, SITES, n=8, draws=3),
    }
    return kinds[kind]()


@pytest.mark.parametrize(
    ("kind", "marks"),
    [("map", 32), ("maps", 64), ("heads", 48), ("sites", 2), ("rivals", 4), ("controls", 4)],
)
def test_every_cell_is_drawn(kind: str, marks: int) -> None:
    result = measured(kind)
    spec = mw.charts.accuracies(result).to_dict()
    (rows,) = [rows for rows in spec["datasets"].values() if len(rows) > 1]
    assert len(rows) == marks
    drawn = sorted(row["iia"] for row in rows)
    assert drawn == pytest.approx(sorted(result.to_dataframe()["iia"]))
    svg = vl_convert.vegalite_to_svg(spec)
    assert "<svg" in svg
    words = "chance" if kind in ("sites", "rivals", "controls") else "layer"
    assert words in svg


def test_other_things_are_refused() -> None:
    other: Any = LM
    assert "interchange accuracies" in str(raised(lambda: mw.charts.accuracies(other)))
