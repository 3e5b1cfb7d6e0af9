"""Charts: what they draw is what the effect says, and a drawing program can draw it."""

from dataclasses import replace
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest
import vl_convert

import mediawidget as mw
from mediawidget.charts.base import COLOURS, MIME
from mediawidget.effects import Effect, Status
from tests.engine.judging import pairs_of
from tests.small_models import random_model, tokenizer_of

DARK = "#333333"


def grid(n: int = 12, **more: Any) -> Effect:
    rng = np.random.default_rng(0)
    status = np.full((2, 3), Status.EXACT, dtype=np.uint8)
    edited = rng.normal(size=(n, 2, 2, 3, 3))
    edited[:, 1, 1, 0, 0] += 4
    edited[:, :, 1, 2] = np.nan
    status[1, 2] = Status.NOT_RUN
    return Effect(
        axes={"layer": (0, 1), "head": (0, 1, 2)},
        bases=rng.normal(size=(n, 2, 3)) + np.array([[3, 0, 9], [0, 3, 9]]),
        edited=edited,
        status=status,
        **{"labels": tuple(f"L{i}H{j}" for i in range(2) for j in range(3)), **more},
    )


def doses() -> pd.DataFrame:
    table = pd.DataFrame(
        [
            {"alpha": alpha, "quantity": name, "mean": mean, "low": mean - 0.1, "high": mean + 0.1}
            for alpha in (0.0, 0.5, 1.0)
            for name, mean in (("PIE", alpha**2), ("INT", alpha - alpha**2))
        ]
    )
    table.attrs["unit"] = "logits"
    return table


CHARTS: dict[str, Any] = {
    "effects": lambda: mw.charts.effects(grid()),
    "of one pair": lambda: mw.charts.effects(grid(1), "TIE"),
    "of a constant": lambda: mw.charts.effects(replace(grid(), edit=mw.Zero())),
    "groups": lambda: mw.charts.groups(grid(groups=("a", "b", "") * 4), "INT"),
    "strip": lambda: mw.charts.strip(grid(clusters=("s", "t", "u") * 4), (1, 0)),
    "strip of groups": lambda: mw.charts.strip(grid(groups=("a", "b") * 6).cell(1, 0), key="TIE"),
    "strip of two pairs": lambda: mw.charts.strip(grid(2), (0, 0)),
    "dose": lambda: mw.charts.dose(doses()),
    "dose without intervals": lambda: mw.charts.dose(doses().assign(low=np.nan, high=np.nan)),
}


@pytest.mark.parametrize("name", CHARTS)
def test_vega_lite_5_draws_it_in_both_themes(name: str) -> None:
    """As JupyterLab does: the specification it is sent, and its own version of Vega-Lite."""
    bundle = CHARTS[name]()._repr_mimebundle_()
    assert set(bundle) == {MIME, "text/plain"}, "nothing that loads a script"
    pictures = {
        vl_convert.vegalite_to_png(bundle[MIME], vl_version="5.20", theme=theme)
        for theme in (None, "dark")
    }
    assert len(pictures) == 2
    svg = vl_convert.vegalite_to_svg(bundle[MIME], vl_version="5.20")
    assert bundle[MIME]["title"] in svg
    assert "NaN" not in svg
    assert "null" not in svg


def svg_of(chart: alt.LayerChart) -> str:
    return vl_convert.vegalite_to_svg(chart.to_dict())


def marks(chart: alt.LayerChart, role: str) -> list[str]:
    """The descriptions of marks of one kind, as a screen reader reads them."""
    return [
        line for line in svg_of(chart).split("<path") if f'aria-roledescription="{role}"' in line
    ]


def rows(chart: alt.LayerChart, column: str) -> pd.DataFrame:
    """The chart's data that has the column."""
    data = chart.to_dict()["datasets"].values()
    return next(pd.DataFrame(d) for d in data if column in d[0])


def test_the_strongest_cells_come_first() -> None:
    effect = grid()
    chart = mw.charts.effects(effect, "PIE", n=3)
    table = rows(chart, "cell")
    top = effect.top(3)
    assert list(table["cell"]) == list(top["site"])
    np.testing.assert_allclose(table["mean"], top["PIE"])
    low, high = effect.ci("PIE").reshape(2, 6)[:, top.index]
    np.testing.assert_allclose(table[["low", "high"]], np.stack([low, high], axis=1))
    assert len(marks(chart, "point")) == 3
    assert "L1H2" not in set(rows(mw.charts.effects(effect), "cell")["cell"]), "it was not run"
    named = mw.charts.effects(replace(effect, labels=()), n=1)
    assert rows(named, "cell")["cell"].item() == "layer 1, head 0"


def test_axes_say_what_is_counted() -> None:
    assert "PIE (logit difference), mean and 95% interval" in svg_of(mw.charts.effects(grid()))
    prob = grid().rescore(mw.Prob())
    assert "TIE (probability)" in svg_of(mw.charts.strip(prob, (0, 0), "TIE"))
    mine = grid().rescore(mw.Function(lambda kept: kept["answer"], "mine", "bits"))
    assert "clean (mine, bits)" in svg_of(mw.charts.effects(replace(mine, edit=mw.Zero())))
    assert "effect (logits)" in svg_of(mw.charts.dose(doses()))
    assert "effect (nats)" in svg_of(mw.charts.dose(doses(), unit="nats"))


def test_a_curve_is_drawn_as_its_table() -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs_of("gpt2", 4), metric=mw.Prob())
    curve = mw.dose_curve(study, mw.Site("head", 1, head=0), [0.5], progress=False)
    chart = mw.charts.dose(curve)
    drawn = rows(chart, "alpha")[["mean", "low", "high"]]
    np.testing.assert_allclose(drawn, curve.to_dataframe()[["mean", "low", "high"]])
    assert "effect (probability)" in svg_of(chart)
    for name in ("PIE", "TIE", "INT"):
        assert f">{name}<" in svg_of(chart), "in the legend"


def test_every_pair_is_a_dot() -> None:
    effect = grid(groups=("a", "b") * 6)
    chart = mw.charts.strip(effect, (1, 0), "PIE")
    table = rows(chart, "value")
    np.testing.assert_allclose(table["value"], effect.pairs("PIE")[:, 1, 0])
    assert list(table["group"]) == ["a", "b"] * 6
    assert len(marks(chart, "point")) == 12 + 2
    means = rows(chart, "mean").set_index("group")["mean"]
    assert means["a"] == pytest.approx(effect.of_pairs(range(0, 12, 2))["PIE"][1, 0])


def test_groups_of_a_cell_stand_together() -> None:
    effect = grid(groups=("a", "b") * 6)
    table = rows(mw.charts.groups(effect, "PIE", n=2), "cell")
    strongest = list(effect.top(2)["site"])
    assert list(table["cell"]) == [name for name in strongest for _ in range(2)]
    assert list(table["group"]) == ["a", "b"] * 2
    expected = effect.by_group("PIE").set_index(["site", "group"])["mean"]
    np.testing.assert_allclose(
        table["mean"], [expected[at] for at in zip(table["cell"], table["group"], strict=True)]
    )


def test_a_chart_can_be_changed_and_joined() -> None:
    chart = mw.charts.effects(grid()).properties(title="mine")
    assert chart._repr_mimebundle_()[MIME]["title"] == repr(chart).strip("<>") == "mine"
    vl_convert.vegalite_to_svg((chart | mw.charts.dose(doses())).to_dict())


def test_a_renderer_that_was_chosen_is_left_alone() -> None:
    with alt.renderers.enable("mimetype"):
        bundle = mw.charts.effects(grid())._repr_mimebundle_()
    assert any("v6" in name for name in (bundle[0] if isinstance(bundle, tuple) else bundle))


@pytest.mark.parametrize("background", ["#ffffff", DARK])
def test_colours_stand_out_from_both_backgrounds(background: str) -> None:
    for colour in COLOURS:
        light, dark = sorted((luminance(colour), luminance(background)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 3, colour


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("draw", "what", "how", "words"),
    [
        (mw.charts.effects, grid(), {"key": "XYZ"}, "Unknown estimand"),
        (mw.charts.effects, grid(), {"n": 0}, "There is no cell to draw"),
        (mw.charts.effects, grid(), {"n": "all"}, "The strongest cells are counted"),
        (mw.charts.effects, grid(), {"level": 2}, "The level is a share"),
        (mw.charts.effects, "PIE", {}, "This chart is one of an effect"),
        (mw.charts.groups, grid(), {}, "These pairs have no groups"),
        (mw.charts.groups, None, {}, "This chart is one of an effect"),
        (mw.charts.strip, grid(), {}, "There is no such cell"),
        (
            mw.charts.strip,
            grid(),
            {"cell": (1, 2)},
            "There is nothing to draw: this cell was not run",
        ),
        (mw.charts.strip, grid(), {"cell": (7, 7)}, "There is no such cell"),
        (mw.charts.strip, grid(), {"cell": "L9H0"}, "There is no such cell"),
        (mw.charts.strip, grid(), {"cell": 3}, "A cell is named by its label or its coordinates"),
        (mw.charts.strip, [1, 2], {}, "This chart is one of an effect"),
        (mw.charts.dose, grid(), {}, "A dose is a table of quantities by strength"),
        (
            mw.charts.dose,
            doses().drop(columns="low"),
            {},
            "A dose is a table of quantities by strength",
        ),
        (mw.charts.dose, doses()[:0], {}, "A dose is a table of quantities by strength"),
        (mw.charts.dose, doses(), {"unit": 3}, "A unit is a word"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw: Any, what: Any, how: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        draw(what, **how)
