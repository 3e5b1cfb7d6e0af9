"""The diagram, the gates, the pairs and the trace: what Python sends, and does when asked."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import traitlets
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.estimands import estimand
from mediawidget.validity import Check
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


def test_what_was_held_is_said(several: mw.Study) -> None:
    diagram = mw.MediationDiagram(several)
    several.intervene(HEAD)
    held = [diagram.result["held"]]
    several.intervene(HEAD, freeze=[mw.Site("head", 3, head=0)])
    held.append(diagram.result["held"])
    assert held == ["", "L3H0"]


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


@pytest.mark.parametrize("name", GATES)
def test_gates_are_what_the_engine_finds_in_a_network_of_that_gate(name: str) -> None:
    study = mw.Study(mw.models.gate(name), mw.models.gate_pair())
    effect = study.intervene(mw.Site("head", 0, head=0))
    corners = corners_of(GATES[name][0])
    # The network's logit is the gate's value less a half.
    found = {key: effect[key.upper()] + 0.5 for key in corners}
    assert found == pytest.approx(corners, abs=1e-9)


def test_the_bypass_goes_with_the_input() -> None:
    assert corners_of(lambda m, b: 10 * b + m) == {"y11": 11, "y10": 10, "y01": 1, "y00": 0}


def test_predictions_are_scored() -> None:
    playground = mw.GatePlayground("OR")
    assert playground.score == (0, 0)
    playground.guesses = {"OR": {"y11": 1, "y10": 0}, "XOR": {"y11": 0}}
    assert playground.score == (2, 3)
    assert [gate["name"] for gate in playground.gates] == ["ADD", "AND", "OR", "XOR"]


@pytest.mark.parametrize(
    "guesses",
    [
        {"AND": 3},
        {"AND": None},
        {"AND": {"y99": 1}},
        {"AND": {11: 1}},
        {"AND": {"y11": None}},
        {"AND": {"y11": "1"}},
        {"AND": {"y11": True}},
        {"AND": {"y11": float("nan")}},
        {"GONE": {"y11": 1}},
        {("AND",): {"y11": 1}},
    ],
)
def test_what_is_no_prediction_is_refused(guesses: Any) -> None:
    playground = mw.GatePlayground()
    playground.guesses = {"AND": {"y11": 1}}
    with pytest.raises(mw.MediationError, match="no predictions"):
        playground.guesses = guesses
    # What a page sends is held back meanwhile, and is refused all the same.
    with pytest.raises(mw.MediationError, match="no predictions"):
        playground.set_state({"guesses": guesses})
    assert playground.guesses == {"AND": {"y11": 1}}
    assert playground.score == (1, 1)


def test_what_the_page_sends_of_predictions_is_kept() -> None:
    playground = mw.GatePlayground(gates={"<MINE>": lambda m, b: m - 0.5 * b})
    sent: list[dict[str, Any]] = [{"<MINE>": {"y11": 0.5, "y00": 0}}, {"AND": {}}, {}]
    for guesses in sent:
        playground.set_state({"guesses": guesses})
        assert playground.guesses == guesses


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


# --- InteractionGrid ------------------------------------------------------------------------------

HEADS = [mw.Site("head", layer, head=head) for layer, head in ((0, 1), (2, 0), (3, 1))]


def floats(data: bytes, *shape: int) -> NDArray[np.float64]:
    return np.frombuffer(data, "<f4").astype(float).reshape(shape)


@pytest.mark.parametrize("game", ["recomputed", "frozen"])
def test_both_directions_of_a_game_are_sent(several: mw.Study, game: Any) -> None:
    found = mw.interactions(several, HEADS, game=game, order=2, progress=False)
    grid = mw.InteractionGrid(found)
    assert grid.direction == "restore"
    for verb, direction in (("restore", "denoising"), ("break", "noising")):
        own = mw.interactions(
            several,
            HEADS,
            game=game,
            direction=direction,  # type: ignore[arg-type]
            order=2,
            progress=False,
        )
        side = grid.game["sides"][verb]
        assert side["title"] == own.title
        assert side["base"] == pytest.approx(own.values(()).mean())
        alone, joint = floats(side["alone"], 3), floats(side["joint"], 3, 3)
        sums = joint - alone[:, None] - alone
        np.testing.assert_allclose(sums, own.matrix, atol=1e-5)
        np.testing.assert_allclose(floats(side["low"], 3, 3), own.matrix_ci()[0], atol=1e-5)
        assert np.isnan(np.diag(joint)).all()
        assert joint[0, 2] == pytest.approx(own.worth((0, 2)).mean(), rel=1e-5)


@pytest.mark.parametrize("game", ["recomputed", "frozen"])
def test_a_click_runs_the_pair_as_the_game_did(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch, game: Any
) -> None:
    found = mw.interactions(several, HEADS, game=game, order=2, progress=False)
    grid, heads = mw.InteractionGrid(found), mw.HeadGrid(several)
    page = Page(grid, monkeypatch)
    reply = page.ask("intervene", cells=[{"panel": "players", "index": i} for i in (2, 0)])
    assert reply["ok"]
    held = " (frozen: L2H0)" if game == "frozen" else ""
    assert heads.result["label"] == f"L3H1 + L0H1{held}"
    assert sorted(grid.result["players"]) == [0, 2]
    assert several.last is not None
    worth = found.worth((0, 2)).mean()
    assert several.last["PIE"] == pytest.approx(worth, abs=1e-5)
    several.intervene(HEADS[1])
    assert grid.result["players"] == [1]
    several.intervene({HEADS[0]: mw.Zero(), HEADS[2]: mw.Zero()})
    assert grid.result["players"] == []
    several.intervene([HEADS[0], mw.Site("head", 4, head=2)])
    assert grid.result["players"] == []


def test_players_of_several_sites_are_run_whole(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    players = [HEADS[:2], [HEADS[2]]]
    grid = mw.InteractionGrid(study, players)
    page = Page(grid, monkeypatch)
    assert page.ask("intervene", cells=[{"panel": "players", "index": 0}])["ok"]
    assert list(study.selection) == HEADS[:2]
    assert grid.result["players"] == [0]


@pytest.mark.parametrize("cells", [[], None, [{"index": 3}], [{"index": -1}], ["L0H1"]])
def test_a_pair_that_there_is_not_is_refused(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, cells: object
) -> None:
    page = Page(mw.InteractionGrid(study, HEADS), monkeypatch)
    assert page.ask("intervene", cells=cells)["ok"] is False
    assert study.selection == ()


def test_a_game_of_other_prompts_is_old(several: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    grid = mw.InteractionGrid(several, HEADS)
    page = Page(grid, monkeypatch)
    seen = []
    several.edit = mw.Zero()
    seen.append(grid.game["stale"])
    several.swap()
    seen.append(grid.game["stale"])
    reply = page.ask("intervene", cells=[{"panel": "players", "index": 0}])
    assert "cannot be run" in reply["error"]["message"]
    several.swap()
    seen.append(grid.game["stale"])
    assert seen == [False, True, False]


def test_a_game_of_another_metric_is_old(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = mw.InteractionGrid(several, HEADS)
    page = Page(grid, monkeypatch)
    before = dict(grid.game)
    several.metric = mw.Logit()
    assert grid.game == {**before, "stale": True}
    reply = page.ask("intervene", cells=[{"panel": "players", "index": 0}])
    assert "metric" in reply["error"]["expected"]
    several.metric = mw.LogitDiff()
    assert grid.game == before


def test_a_game_whose_bases_are_alike_under_another_metric_is_old(several: mw.Study) -> None:
    """Metrics of the same columns: only the metric itself tells them apart."""
    several.metric = mw.Logit()
    grid = mw.InteractionGrid(several, HEADS)
    total = several.known_total
    several.metric = mw.LogitDiff()
    assert several.known_total.columns == total.columns
    assert grid.stale


def test_the_game_is_written_by_the_view_alone(study: mw.Study) -> None:
    grid = mw.InteractionGrid(study, HEADS)
    with pytest.raises(traitlets.TraitError, match="written by the view"):
        grid.game = {}
    assert grid.game["labels"]


def test_a_study_alone_gives_its_strongest_heads(study: mw.Study) -> None:
    grid = mw.InteractionGrid(study)
    effect = study.grids["head"]
    size = np.maximum(np.abs(effect["PIE"]), np.abs(effect["TIE"])).reshape(-1)
    best = {effect.labels[i] for i in np.argsort(-size)[:12]}
    assert set(grid.game["labels"]) == best
    with pytest.raises(mw.MediationError, match="shows a game"):
        mw.InteractionGrid(study.lm)  # type: ignore[arg-type]


def test_the_saved_pairs_name_game_and_direction(study: mw.Study) -> None:
    grid = mw.InteractionGrid(study, HEADS, direction="break")
    html = grid._repr_mimebundle_()[0]["text/html"]
    assert "Breaking sites in the clean run" in html
    assert html.count('title="not run"') == 3
    assert html.count("<td") == 9


# --- CausalTrace ----------------------------------------------------------------------------------


@pytest.fixture
def tracing(several: mw.Study) -> mw.Tracing:
    return mw.causal_tracing(
        several, subject="S", corruption=mw.Noise(3.0, samples=4), window=3, progress=False
    )


def test_the_trace_is_sent_as_it_was_found(tracing: mw.Tracing) -> None:
    view = mw.CausalTrace(tracing, kind="mlp_out")
    assert view.trace["subject"] == [2]
    assert view.trace["clean"] - view.trace["corrupted"] == pytest.approx(tracing.total)
    for sent in view.trace["kinds"]:
        kind = sent["kind"]
        shape = tracing.restored(kind).shape
        restored = floats(sent["restored"], *shape)
        np.testing.assert_allclose(restored, tracing.restored(kind), rtol=1e-5)
        np.testing.assert_allclose(floats(sent["high"], *shape), tracing.ci(kind)[1], atol=1e-4)
        draws = floats(sent["dots"], sent["n_dots"], *shape)
        assert sent["n_dots"] == 4
        np.testing.assert_allclose(draws.mean(axis=0), tracing.indirect(kind), atol=1e-4)
        assert sent["spans"][0] == [0, 1]
        assert sent["spans"][2] == [1, 3]
        assert len(sent["spans"]) == len(sent["layers"]) == len(sent["names"]) == shape[0]


def test_a_replacement_has_a_dot_a_pair(several: mw.Study) -> None:
    tracing = mw.causal_tracing(several, kinds=("attn_out",), progress=False)
    (sent,) = mw.CausalTrace(tracing).trace["kinds"]
    found = floats(sent["dots"], 3, *tracing.restored("attn_out").shape)
    np.testing.assert_allclose(found, tracing.pairs("attn_out"), atol=1e-4)


def test_the_saved_trace_is_that_of_its_kind(tracing: mw.Tracing) -> None:
    view = mw.CausalTrace(tracing)
    view.kind = "attn_out"
    html = view._repr_mimebundle_()[0]["text/html"]
    assert "Attention, window 3" in html
    strongest = tracing.indirect("attn_out").max()
    assert f"{strongest:+.2f}".replace("-", "\N{MINUS SIGN}") in html
    with pytest.raises(mw.MediationError, match="was not traced"):
        view.kind = "query"
    with pytest.raises(mw.MediationError, match="shows a causal trace"):
        mw.CausalTrace(tracing.study)  # type: ignore[arg-type]


def test_a_failed_check_stands_in_the_title(several: mw.Study, tracing: mw.Tracing) -> None:
    """There are no numbers then, and the empty grid must say why."""
    failure = Check("plain forward", ok=False, words="It differs by 0.3.")
    broken = replace(tracing, checks=(failure,))
    shown = mw.CausalTrace(broken).trace["title"]
    assert shown == f"{tracing.title} Check failed: It differs by 0.3."
    assert "Check failed" not in mw.CausalTrace(replace(tracing, checks=())).trace["title"]
    game = mw.interactions(several, [mw.Site("head", 0, head=h) for h in (0, 1)], progress=False)
    assert "Check failed" not in game.title
    failed = replace(game, effect=replace(game.effect, checks=(failure,)))
    view = mw.InteractionGrid(failed)
    assert "It differs by 0.3." in str(view.game)
