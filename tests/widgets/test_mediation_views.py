"""The diagram, the gates, the pairs and the trace: what Python sends, and does when asked."""

from __future__ import annotations

import json

import numpy as np
import pytest
import traitlets

import mediawidget as mw
from mediawidget.estimands import estimand
from mediawidget.widgets.gate_playground import GATES, corners_of
from tests.widgets.conftest import Page

HEAD = mw.Site("head", 3, head=1)

# --- MediationDiagram -----------------------------------------------------------------------------


def test_the_diagram_follows_the_study(several: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    heads, diagram = mw.HeadGrid(several), mw.MediationDiagram(several)
    assert diagram.view["panels"] == []
    assert "cells" not in diagram.result
    Page(heads, monkeypatch).ask("intervene", cells=[{"panel": "head", "index": 10}])
    last = several.last
    assert last is not None
    assert diagram.result["label"] == "L3H1"
    for key in ("Y11", "Y10", "Y01", "Y00"):
        assert diagram.result[key.lower()] == pytest.approx(last[key], rel=1e-6)
    several.undo()
    assert "cells" not in diagram.result


@pytest.mark.parametrize(
    ("edit", "constant"),
    [
        (mw.Zero(), True),
        (mw.Mean("clean"), True),
        (mw.Mean(), False),
        (mw.Patch("clean"), True),
        (mw.Patch("clean", alpha=0.5), False),
        (mw.Patch(), False),
        (mw.Noise(1.0), False),
        (mw.Scale(0.5), False),
        (mw.Resample(base="corrupt"), True),
    ],
)
def test_a_direct_effect_is_controlled_only_where_both_prompts_get_one_value(
    several: mw.Study, edit: mw.Edit, constant: bool
) -> None:
    diagram = mw.MediationDiagram(several)
    effect = several.intervene({HEAD: edit})
    assert diagram.result["constant"] is constant
    assert diagram.result["edit"]["corners"] is edit.corners
    json.dumps(diagram.result, allow_nan=False)
    if constant:
        # What the view derives: TE = CDE + On clean - On corrupt.
        left = diagram.result["y10"] - diagram.result["y01"]
        parts = left + effect["clean"] - effect["corrupt"]
        assert parts == pytest.approx(effect["TE"], abs=1e-5)


def test_values_that_were_captured_are_one_value(several: mw.Study) -> None:
    diagram = mw.MediationDiagram(several)
    several.intervene({HEAD: mw.Patch(several.activations(HEAD))})
    assert diagram.result["constant"] is True


def test_the_saved_diagram_has_the_numbers(study: mw.Study) -> None:
    diagram = mw.MediationDiagram(study)
    study.intervene(HEAD)
    data, _ = diagram._repr_mimebundle_()
    assert "L3H1: TE" in data["text/html"]
    assert "INT" in data["text/html"]


# --- GatePlayground -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [("ADD", (1, 1, 0)), ("AND", (0, 1, 1)), ("OR", (1, 0, -1)), ("XOR", (1, -1, -2))],
)
def test_gates_restore_break_and_interact(name: str, expected: tuple[int, ...]) -> None:
    corners = {key.upper(): np.array(v) for key, v in corners_of(GATES[name][0]).items()}
    found = [float(estimand(key, corners)) for key in ("PIE", "TIE", "INT")]
    assert found == list(expected)


def test_the_bypass_goes_with_the_input() -> None:
    assert corners_of(lambda m, b: 10 * b + m) == {"y11": 11, "y10": 10, "y01": 1, "y00": 0}


def test_predictions_are_scored() -> None:
    playground = mw.GatePlayground("OR")
    assert playground.score == (0, 0)
    playground.guesses = {"OR": {"y11": 1, "y10": 0}, "XOR": {"y11": 0}, "GONE": {"y11": 1}}
    assert playground.score == (2, 3)
    assert [gate["name"] for gate in playground.gates] == ["ADD", "AND", "OR", "XOR"]


def test_a_gate_of_ones_own() -> None:
    playground = mw.GatePlayground("<NAND>", gates={"<NAND>": lambda m, b: 1 - m * b})
    assert playground.gates[-1]["corners"] == {"y11": 0, "y10": 1, "y01": 1, "y00": 1}
    data, _ = playground._repr_mimebundle_()
    assert "<NAND>" not in data["text/html"]
    assert "&lt;NAND&gt;" in data["text/html"]


@pytest.mark.parametrize(
    "gate", [lambda m: m, lambda m, b: m / b, lambda m, b: m + b + float("nan")]
)
def test_what_is_no_gate_is_refused(gate: object) -> None:
    with pytest.raises(mw.MediationError, match="gate"):
        mw.GatePlayground(gates={"BAD": gate})  # type: ignore[dict-item]


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="no such gate"):
        mw.GatePlayground("NOR")
    playground = mw.GatePlayground()
    with pytest.raises(mw.MediationError, match="no such gate"):
        playground.gate = "NOR"
    assert playground.gate == "AND"
    with pytest.raises(traitlets.TraitError):
        playground.gates = []
