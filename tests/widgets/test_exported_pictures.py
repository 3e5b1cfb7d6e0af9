"""Pictures that leave a view: they parse, and hold the numbers that the view shows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.widgets.drawing.colours import cell_colour
from mediawidget.widgets.drawing.reading import Corners, Sheet
from mediawidget.widgets.drawing.sentences import sentence
from mediawidget.widgets.drawing.text import (
    MINUS,
    fixed,
    in_cell,
    percent,
    plain,
    raw,
    width,
    wrapped,
)
from mediawidget.widgets.exports.pictures import Look, sheet_of
from tests.widgets.conftest import PAIRS, SVG, texts
from tests.widgets.hostile import HOSTILE


def test_a_picture_has_the_numbers_and_says_what_they_are_of(swept: mw.Study) -> None:
    view = mw.Explorer(swept)
    taken = view.snapshot()
    shown = texts(taken.svg)
    grid = swept.grids["head"]
    shares = 100 * grid["PIE"] / grid["TE"]
    for share in np.asarray(shares, np.float32).astype(float).flat:
        assert in_cell(float(share), share=True) in shown
    facts = json.loads(next(ET.fromstring(taken.svg).iter(f"{SVG}metadata")).text or "")
    assert facts == taken.facts
    assert facts["model"] == swept.lm.name
    assert facts["metric"] == "logit(hen) \N{MINUS SIGN} logit(ibis)"
    assert facts["edit"].startswith("patch")
    assert facts["n"] == 1
    assert facts["version"] == f"mediawidget {mw.__version__}"
    assert facts["clean"].split()[2] == "cat"
    assert mw.__version__ in shown[1] + shown[2]


def test_the_rail_and_the_sentence_tell_the_result(swept: mw.Study) -> None:
    view = mw.Explorer(swept, direction="break")
    shown = texts(view.snapshot().svg)
    last = swept.last
    assert last is not None
    share = 100 * last["TIE"] / last["TE"]
    assert f"{percent(share)}%" in shown
    said = " ".join(shown)
    assert f"from {raw(last['Y11'])} to {raw(last['Y10'])}" in said
    assert "L3H1 + L1H0" in said
    single = sum(float(swept.grids["head"].cell(*at)["TIE"]) for at in ((3, 1), (1, 0)))
    assert f"{fixed(100 * single / last['TE'], 1)}%" in shown


@pytest.mark.parametrize("direction", ["restore", "break"])
def test_what_rounds_to_nothing_is_no_step_in_a_direction(study: mw.Study, direction: str) -> None:
    view = mw.Explorer(study, direction=direction)
    key = ("Y01", "Y00") if direction == "restore" else ("Y10", "Y11")
    site, signs = mw.Site("head", 3, head=1), set()
    for edit in (mw.Patch(alpha=1e-4), mw.Scale(1 - 1e-4), mw.Scale(1 + 1e-4)):
        effect = study.intervene({site: edit})
        moved = float(effect.corners()[key[0]][0] - effect.corners()[key[1]][0])
        signs.add(moved > 0)
        assert 0 < abs(100 * moved / study.total["TE"]) < 0.05
        said = " ".join(texts(view.snapshot().svg))
        assert "0.0% of the total effect" in said
        assert "further from" not in said
        assert "opposes" not in said
    assert signs == {True, False}


@pytest.mark.parametrize(
    ("y01", "told"),
    [
        (-8.0, "17% further from the clean answer. Mean of 64 pairs, 95% CI 10% to 20%."),
        (-2.0, "20% of the total effect toward the clean answer. Mean of 64 pairs, 95% CI -20% to"),
        (-5.2, "0% of the total effect toward the clean answer. Mean of 64 pairs, 95% CI -20% to"),
    ],
)
def test_a_constants_interval_goes_the_way_of_its_words(
    study: mw.Study, y01: float, told: str
) -> None:
    study.intervene({mw.Site("head", 3, head=1): mw.Zero()})
    sheet = sheet_of(mw.HeadGrid(study), Look("percent"))
    assert sheet.reading is not None
    corners, ci = Corners(11.0, -5.2, 2.0, y01), {"corrupt%": [10.0, 20.0]}
    reading = replace(sheet.reading, corners=corners, n=64, ci=ci)
    assert told.replace("-", MINUS) in sentence(sheet, reading)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (mw.Patch(), "L3H1 has no partner in the other prompt."),
        (mw.Zero(), "L3H1 cannot be set to this value."),
    ],
)
def test_what_cannot_be_set_says_why(study: mw.Study, edit: mw.edits.Edit, told: str) -> None:
    study.intervene({mw.Site("head", 3, head=1): edit})
    sheet = sheet_of(mw.HeadGrid(study), Look("percent"))
    assert sheet.reading is not None
    assert sentence(sheet, replace(sheet.reading, status=Status.IMPOSSIBLE)) == told


def test_the_rails_ends_stand_still_and_what_is_beyond_is_a_number(study: mw.Study) -> None:
    view = mw.Explorer(study)

    def ends() -> list[str]:
        circles = ET.fromstring(view.snapshot().svg).iter(f"{SVG}circle")
        return [one.get("cx", "") for one in circles if one.get("r") == "4.5"]

    nothing, total = ends(), study.total
    assert len(nothing) == 2
    beyond = []
    for factor in (1.1, 30.0, -30.0):
        edit = {mw.Site("residual", 4): mw.Scale(factor)}
        effect = study.intervene(edit)
        assert ends() == nothing
        along = (float(effect.corners()["Y01"][0]) - total["Y00"]) / total["TE"]
        told = [text for text in texts(view.snapshot().svg) if "»" in text or "«" in text]
        number = raw(float(effect.corners()["Y01"][0]))
        assert told == (
            [f"{number} »"] if along > 1.15 else [f"« {number}"] if along < -0.15 else []
        )
        beyond.append(bool(told))
    assert any(beyond)


def figures(study: mw.Study) -> dict[str, str]:
    """What stands beneath the sentence of a selection of several sites."""
    shown = texts(mw.HeadGrid(study).snapshot(unit="raw").svg)
    names = ("together", "sum", "gap")
    told = {name: shown[shown.index(name) + 1] for name in names if name in shown}
    return told | {"hint": "".join(t for t in shown if t.startswith("sum needs "))}


def test_a_sum_is_of_cells_that_were_run_under_the_same_edit(study: mw.Study) -> None:
    both = [mw.Site("head", 2, head=1), mw.Site("head", 2, head=2)]
    study.estimate("head")
    study.intervene(both)
    together = fixed(float(study.history.current.effect["PIE"]), 1)  # type: ignore[union-attr]
    assert figures(study) == {"together": together, "hint": "sum needs L2H1, L2H2 alone"}
    alone = sum(float(study.intervene(site)["PIE"]) for site in both)
    study.intervene(both)
    assert figures(study) | {"gap": ""} == {
        "together": together,
        "sum": fixed(alone, 1),
        "gap": "",
        "hint": "",
    }
    study.intervene(dict.fromkeys(both, mw.Patch(alpha=0.5)))
    assert figures(study)["hint"] == "sum needs L2H1, L2H2 alone"
    study.intervene(both, freeze=("mlp_out",))
    assert set(figures(study)) == {"together", "hint"}


def test_a_sum_counts_sites_that_no_panel_shows(study: mw.Study) -> None:
    head, neuron = mw.Site("head", 2, head=1), mw.Site("neuron", 1, unit=3)
    joint = study.intervene([head, neuron])
    assert figures(study)["hint"] == "sum needs L2H1, L1N3 alone"
    one = study.intervene(head)
    study.undo()
    assert figures(study)["hint"] == "sum needs L1N3 alone"
    study.redo()
    other = study.intervene(neuron)
    study.intervene([head, neuron])
    total = float(one["PIE"]) + float(other["PIE"])
    assert figures(study) == {
        "together": fixed(float(joint["PIE"]), 1),
        "sum": fixed(total, 1),
        "gap": fixed(float(joint["PIE"]) - total, 1),
        "hint": "",
    }


def test_states_look_like_no_other(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    effect = study.sweep("head", progress=False)
    status = np.array(effect.status)
    status[0] = Status.NOT_RUN, Status.FAILED, Status.IMPLIED_ZERO
    status[1] = Status.IMPOSSIBLE, Status.ESTIMATE, Status.EXACT
    marked = replace(effect, status=status)
    monkeypatch.setattr(type(study), "held", lambda *_: (marked, None))
    svg = mw.HeadGrid(study).snapshot().svg
    shown = texts(svg)
    for words in ("not run", "failed check", "zero by construction", "impossible"):
        assert words in shown
    assert any(text.startswith("\N{ALMOST EQUAL TO}") for text in shown)
    # Hatch, cross, dots and dashes: each state in the grid and in the key, told without colour.
    assert svg.count('fill="url(#mw-hatch)"') == 2
    assert svg.count('stroke-dasharray="4 3"') == 2
    assert svg.count('stroke-linecap="round"') == 2
    crosses = [one for one in ET.fromstring(svg).iter(f"{SVG}path") if _is_cross(one)]
    assert len(crosses) == 2


def _is_cross(path: ET.Element) -> bool:
    return path.get("d", "").count("M") == 2 and path.get("stroke") == "#8a5a00"


def test_colours_are_those_of_the_page() -> None:
    # color-mix(in oklab, #2166ac 48.1%, #fff) and its ink, as Chromium computes them.
    assert cell_colour(1000, away=False, palette="rdbu") == ("#2166ac", "#ffffff")
    assert cell_colour(1000, away=True, palette="puor")[0] == "#b35806"
    assert cell_colour(0, away=True, palette="rdbu") == ("#ffffff", "#000000")
    assert cell_colour(481, away=False, palette="rdbu") == ("#95b5d9", "#000000")
    assert cell_colour(518, away=True, palette="puor") == ("#dba98a", "#000000")


@pytest.mark.parametrize("turned", [False, True])
def test_the_legend_has_the_numbers_of_its_colours(lm: mw.LM, turned: bool) -> None:
    pair = PAIRS[0]
    if turned:
        pair = replace(pair, answer=pair.wrong, wrong=pair.answer)
    study = mw.Study(lm, pair)
    study.sweep("head", progress=False)
    below = study.total["TE"] < 0
    shown = texts(mw.HeadGrid(study).snapshot(unit="raw").svg)
    (clean,) = (text for text in shown if text.endswith("toward clean"))
    (away,) = (text for text in shown if text.startswith("away "))
    assert clean.startswith("\N{MINUS SIGN}") is bool(below)
    assert away.startswith("away +") is bool(below)
    share = texts(mw.HeadGrid(study).snapshot().svg)
    assert any(text.startswith("+") and text.endswith("toward clean") for text in share)


@pytest.mark.parametrize("room", [300.0, 500.0, 728.0])
def test_lines_fit_keep_all_words_and_part_no_difference(room: float) -> None:
    words = f"Patching L3H0 from clean into corrupt moves logit(a) {MINUS} logit(b) from {MINUS}4.1"
    words = f"{words} to +8.5: 112% of the total effect lost."
    lines = wrapped(words, room, 13)
    assert " ".join(lines) == words
    assert all(1.15 * width(line, 13) <= room for line in lines)
    assert sum(f"logit(a) {MINUS} logit(b)" in line for line in lines) == 1
    assert len(lines) == 1 or width(lines[-1], 13) > 0.15 * room


def test_a_base_without_a_number_is_a_dash(lm: mw.LM, tmp_path: Path) -> None:
    log = mw.Function(lambda kept: np.log(-np.exp(kept["answer"])), name="log")
    with np.errstate(invalid="ignore"):
        study = mw.Study(lm, PAIRS[0], log)
        view = mw.Explorer(study)
        study.intervene(mw.Site("head", 1, head=1))
        assert view.view["base"] == {"y11": None, "y00": None}
        svg = view.snapshot().svg
        assert {"corrupt \N{EN DASH}", "\N{EN DASH} clean"} <= set(texts(svg))
        assert "nan" not in svg
        for ending in ("csv", "json", "html", "svg"):
            assert view.export(tmp_path / f"a.{ending}").stat().st_size > 500


def test_blue_is_toward_clean_whichever_way_the_metric_runs(lm: mw.LM) -> None:
    for pair in (PAIRS[0], replace(PAIRS[0], answer=PAIRS[0].wrong, wrong=PAIRS[0].answer)):
        study = mw.Study(lm, pair)
        grid = study.sweep("head", progress=False)
        sheet = sheet_of(mw.HeadGrid(study), Look("raw"))
        (panel,) = sheet.panels
        blue = sheet.blue(sheet.value(sheet.base(panel.y10, panel.y01), panel.edit))
        toward = np.asarray(grid["PIE"]) * float(grid["TE"].flat[0]) > 0
        assert ((blue > 0) == toward).all()


def test_a_part_of_a_value_is_named_in_the_sentence(lm: mw.LM) -> None:
    study = mw.Study(lm, PAIRS[0], edit=mw.Within(mw.Subspace.random(1, lm.d_head, 0)))
    view = mw.HeadGrid(study)
    study.intervene(mw.Site("head", 1, head=1))
    said = " ".join(texts(view.snapshot().svg))
    assert "Patching 1 direction of L1H1 from clean into corrupt" in said


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_text(text: str) -> None:
    view: dict[str, Any] = {
        "revision": 1,
        "model": {"name": text},
        "metric": {"name": "m", "unit": text, "label": text},
        "edit": {"kind": text, "corners": True, "goal": text},
        "pairs": {"n": 2, "index": None, "name": text},
        "prompts": {
            "clean": [{"text": text, "partner": 0}, {"text": "a", "partner": 1}],
            "corrupt": [{"text": "b"}, {"text": "a"}],
            "answer": text,
            "wrong": "w",
            "clean_top": [{"token": text, "p": 0.5}],
            "corrupt_top": [],
        },
        "base": {"y11": 1.0, "y00": 0.0},
        "panels": [_panel(text)],
    }
    from mediawidget.widgets.drawing.sheet import draw_sheet

    svg = draw_sheet(Sheet(view, {}), {"model": text, "name": text, "version": "v"})
    root = ET.fromstring(svg.encode("utf-8"))
    assert {one.tag.removeprefix(SVG) for one in root.iter()} <= {
        *("svg", "title", "metadata", "defs", "pattern", "path", "linearGradient", "stop"),
        *("rect", "g", "text", "tspan", "circle"),
    }
    assert plain(text, 20)[:5] in "".join(root.itertext())


def _panel(label: str) -> dict[str, Any]:
    numbers = np.zeros(2, "<f4").tobytes()
    return {
        "key": "tokens",
        "title": label,
        "axes": [{"name": "layer", "labels": ["0"]}, {"name": "token", "labels": [label, "a"]}],
        "shape": [1, 2],
        "y01": numbers,
        "y10": numbers,
        "status": bytes([1, 0]),
        "labels": [label, "b"],
    }


def test_a_large_grid_is_drawn_small_and_fast() -> None:
    shape, rng = (80, 64), np.random.default_rng(0)
    cells = rng.normal(size=shape).astype("<f4")
    panel = _panel("a") | {
        "key": "head",
        "axes": [{"labels": [str(i) for i in range(n)]} for n in shape],
        "shape": list(shape),
        "y01": cells.tobytes(),
        "y10": cells.tobytes(),
        "status": bytes([1] * cells.size),
        "labels": ["x"] * cells.size,
    }
    from mediawidget.widgets.drawing.sheet import draw_sheet

    prompts = {"clean": [], "corrupt": [], "answer": "a", "wrong": "b", "clean_top": []}
    view: dict[str, Any] = {
        "revision": 1,
        "metric": {"unit": "logits", "label": "m"},
        "edit": {"kind": "patch", "corners": True, "goal": "g"},
        "pairs": {"n": 1, "index": 0},
        "prompts": prompts | {"corrupt_top": []},
        "base": {"y11": 3.0, "y00": 0.0},
        "panels": [panel],
    }
    svg = draw_sheet(Sheet(view, {}), {"model": "m", "version": "v"})
    ET.fromstring(svg)
    assert len(svg) < 300_000


def test_attention_and_the_lens_are_drawn_in_ink(study: mw.Study) -> None:
    study.intervene(mw.Site("head", 2, head=1))
    view = mw.AttentionPattern(study)
    shown = texts(view.snapshot().svg)
    assert "Attention of L2H1, query by key" in shown
    weights = np.frombuffer(view.attention["weights"]["clean"], "<f4")
    strongest = fixed(100 * float(weights.max()), 0, sign=False)
    assert strongest in shown
    lens = mw.LogitLens(study)
    shown = texts(lens.snapshot().svg)
    run = lens.lens["runs"][2]
    assert "Restored" in shown
    last = np.frombuffer(run["top"], "<i4").reshape(6, 7, run["k"])[-1, -1, 0]
    assert plain(lens.lens["words"][last]).strip() in shown
