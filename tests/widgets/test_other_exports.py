"""Pictures and numbers of the views that show no effects: a gate, a pair of prompts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

import mediawidget as mw

HOSTILE = "<script>\u202e&"


def texts(svg: str) -> list[str]:
    """Every text of a picture, one by one on a line; it is XML."""
    lines = ElementTree.fromstring(svg).findall(".//{*}text")
    pieces = (one for line in lines for one in line.findall("{*}tspan") or [line])
    return [(one.text or "").strip("\N{NO-BREAK SPACE}") for one in pieces]


def study(n: int = 3) -> mw.Study:
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=n))


# --- gates ---------------------------------------------------------------------------------------


def test_a_gates_picture_hides_what_was_not_predicted() -> None:
    gates = mw.GatePlayground("AND")
    told = texts(gates.snapshot().svg)
    assert told.count("?") == 5  # four runs, and what comes out of the gate
    assert "PIE" not in told
    gates.guesses = {"AND": {"y11": 1, "y10": 1}, "OR": {"y11": 1}}
    told = texts(gates.snapshot().svg)
    assert told.count("?") == 2
    assert told.count("as predicted") == 1
    assert "predicted 1" in told
    assert gates.snapshot().facts["shows"] == "2 of 3 predictions right"


@pytest.mark.parametrize(
    ("name", "effects"),
    [("AND", ["0", "+1", "+1", "+1"]), ("XOR", ["+1", "\N{MINUS SIGN}1", "\N{MINUS SIGN}2", "0"])],
)
def test_once_all_is_predicted_the_effects_stand_there(name: str, effects: list[str]) -> None:
    gates = mw.GatePlayground(name)
    gates.guesses = {name: {"y11": 0, "y10": 0, "y01": 0, "y00": 0}}
    told = texts(gates.snapshot().svg)
    assert "?" not in told
    assert [told[told.index(key) + 2] for key in ("PIE", "TIE", "INT", "TE")] == effects


def test_a_gates_numbers_and_predictions(tmp_path: Path) -> None:
    gates = mw.GatePlayground("OR", gates={HOSTILE: lambda m, b: 2.5 * m - b})
    gates.guesses = {"OR": {"y10": 1}}
    table = pd.read_csv(gates.export(tmp_path / "gates.csv"), comment="#")
    row = table[table["gate"] == "OR"].iloc[0]
    assert [row[key] for key in ("Y11", "Y10", "Y01", "Y00", "PIE", "TIE")] == [1, 1, 1, 0, 1, 0]
    assert (row["predicted Y10"], table["predicted Y10"].count()) == (1, 1)
    data = json.loads(gates.export(tmp_path / "gates.json").read_text())
    assert data["cells"][-1]["Y11"] == 1.5
    gates.gate = HOSTILE
    svg = gates.export(tmp_path / "gates.svg").read_text()
    assert "<script" not in svg
    assert "\u202e" not in "".join(texts(svg))


# --- prompts -------------------------------------------------------------------------------------


@pytest.mark.parametrize("index", [0, 2])
def test_the_editors_picture_is_the_pair_that_is_shown(index: int) -> None:
    editor = mw.PromptEditor(study())
    editor.pair = index
    pair = editor.study.contrast[index]
    taken = editor.snapshot()
    told = texts(taken.svg)
    assert taken.facts["pairs"] == f"pair {index + 1} of 3"
    assert [told[told.index(name) + 1] for name in ("answer", "wrong")] == [pair.answer, pair.wrong]
    total = float(editor.study.known_total.pair(index)["TE"])
    assert f"total effect {total:+.1f} logits" in told[told.index("logit_diff") + 1]
    assert told[told.index("corrupt") + 1] == "1 token differs, of 15"


def test_the_editors_numbers_are_the_pairs(tmp_path: Path) -> None:
    editor = mw.PromptEditor(study())
    table = pd.read_csv(editor.export(tmp_path / "pairs.csv"), comment="#")
    contrast, total = editor.study.contrast, editor.study.known_total
    assert table["clean"].tolist() == [pair.clean for pair in contrast]
    assert table["answer"].tolist() == [pair.answer for pair in contrast]
    expected = [float(total.pair(i)["TE"]) for i in range(3)]
    assert table["TE"].tolist() == pytest.approx(expected, abs=1e-9)
    assert table["shown"].tolist() == [True, False, False]
    data = json.loads(editor.export(tmp_path / "pairs.json").read_text())
    assert len(data["cells"]) == 3


@pytest.mark.parametrize("make", [mw.GatePlayground, lambda: mw.PromptEditor(study(1))])
def test_both_leave_in_every_form(make: Any, tmp_path: Path) -> None:
    view = make()
    for form in ("svg", "csv", "json", "html"):
        assert view.export(tmp_path / f"view.{form}").stat().st_size > 500
    assert view._picture() is not None
