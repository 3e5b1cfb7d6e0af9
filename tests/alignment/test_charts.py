"""Charts of alignments: what is drawn is what was found."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import mediawidget as mw
from tests.alignment.known import equality


@pytest.fixture(scope="module")
def curve() -> mw.alignment.Sizes:
    study, site = equality(n=64)
    return mw.alignment.sizes(study, site, (1, 4), epochs=2, starts=2, progress=False)


def drawn(chart: object) -> list[pd.DataFrame]:
    """The tables behind a chart's layers."""
    return [layer.data for layer in chart.layer]  # type: ignore[attr-defined]


def test_accuracy_is_drawn_by_size_beside_its_controls(curve: mw.alignment.Sizes) -> None:
    chart = mw.charts.alignment(curve)
    table = drawn(chart)[-1]
    learned = table[table["part"] == "learned (DAS)"].set_index("k")["accuracy"]
    assert learned.to_dict() == {one.k: one.iia for one in curve.found}
    assert list(table[table["part"].str.startswith("mean difference")]["k"]) == [1]
    across = {row["name"]: row["accuracy"] for t in drawn(chart)[:-2] for _, row in t.iterrows()}
    first = curve.found[0]
    assert across == {
        "whole value": first.score("whole"),
        "nothing exchanged": first.score("nothing"),
    }
    assert f"n={len(first.report_on)} pairs" in repr(chart)
    assert chart.to_dict()


def test_a_size_that_was_not_searched_for_is_named(curve: mw.alignment.Sizes) -> None:
    assert [curve[k].k for k in (1, 4)] == [1, 4]
    with pytest.raises(mw.MediationError, match="No alignment of so many") as refused:
        curve[2]
    assert (refused.value.value, refused.value.expected) == ("2", "one of 1, 4")


def test_losses_are_drawn_of_both_sets_of_pairs(curve: mw.alignment.Sizes) -> None:
    found = curve.found[0]
    chart: Any = mw.charts.losses(found)
    table = chart.data
    assert set(table["pairs"]) == {"training pairs", "held aside"}
    assert len(table) == 2 * len(found.losses)
    assert chart.to_dict()


def test_other_things_are_refused(curve: mw.alignment.Sizes) -> None:
    with pytest.raises(mw.MediationError, match="several sizes"):
        mw.charts.alignment(curve.found[0])  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="was trained"):
        mw.charts.losses(curve)  # type: ignore[arg-type]
