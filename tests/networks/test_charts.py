"""The chart of locations draws the effect's numbers where they lie."""

from __future__ import annotations

import numpy as np
import pytest

import mediawidget as mw
from tests.networks.oracle import asked


@pytest.mark.parametrize("key", ["PIE", "TIE"])
def test_every_location_is_where_it_lies_in_the_image(key: str) -> None:
    study, _ = asked("cnn")
    effect = study.sweep("channel", by="position")
    chart = mw.charts.maps(effect, key).to_dict()
    cells, names = (chart["datasets"][layer["data"]["name"]] for layer in chart["layer"])
    assert len(cells) == 3 * 3 * 24 + 5 * 2
    assert [name["name"] for name in names[:4]] == ["first[0]", "1", "2", "norm[0]"]
    (cell,) = [one for one in cells if one["site"] == "norm[2] @ 9"]
    panel = next(n for n in names if n["name"] == "norm[0]")
    # Position 9 of 4 x 6 is row 1, column 3; the third panel begins two panels and gaps on.
    assert (cell["left"], cell["top"]) == (2 * (6 + 1) + 3, panel["top"] + 1)
    assert cell["value"] == pytest.approx(effect[key][1, 2, 9], abs=1e-12)
    assert chart["config"]["view"]["stroke"] is None


def test_time_steps_go_from_left_to_right() -> None:
    study, _ = asked("lstm")
    effect = study.sweep("cell", by="position")
    chart = mw.charts.maps(effect).to_dict()
    cells = chart["datasets"][chart["layer"][0]["data"]["name"]]
    assert np.allclose([cell["value"] for cell in cells], effect["PIE"].ravel())
    assert [cell["left"] for cell in cells[:6]] == [0, 1, 2, 3, 4, 5]


def test_effects_without_locations_are_refused() -> None:
    for effect in (asked("cnn")[0].sweep("channel"), asked("mlp")[0].total):
        with pytest.raises(mw.MediationError, match="no locations"):
            mw.charts.maps(effect)
