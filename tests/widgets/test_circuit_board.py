"""A circuit on its board: rules, numbers, steps, scores, searches, files."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import traitlets

import mediawidget as mw
from mediawidget.circuit import NODES
from mediawidget.evaluation import EdgeValues, NodeValues, Rest, faithfulness
from mediawidget.widgets.boards.graph import in_mode, links, with_or_without
from tests.small_models import random_model, tokenizer_of
from tests.widgets.conftest import Page

HEAD, LATE, MLP = mw.Site("head", 1, head=2), mw.Site("head", 3, head=0), mw.Site("mlp_out", 2)
THREE = mw.Circuit([HEAD, LATE, MLP], name="three")


@pytest.fixture
def board(study: mw.Study) -> mw.CircuitBoard:
    return mw.CircuitBoard(study, THREE, mode="edge")


def page_of(board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch) -> Page:
    view: Any = board
    return Page(view, monkeypatch)


# --- rules ----------------------------------------------------------------------------------------


def test_a_circuit_without_edges_is_drawn_with_those_that_edge_mode_keeps(
    several: mw.Study,
) -> None:
    values, wiring = EdgeValues(several), several.lm.wiring
    drawn = [link.edge for link in links(THREE, wiring)]
    assert len(drawn) == len(set(drawn)) == 18
    assert values([THREE]) == pytest.approx(values([mw.Circuit([], drawn)]))


def test_nodes_at_positions_are_drawn_with_the_edges_that_edge_mode_keeps(
    several: mw.Study,
) -> None:
    placed = mw.Circuit([HEAD, mw.Site("head", 3, head=0, position="END"), MLP])
    drawn = [link.edge for link in links(placed, several.lm.wiring)]
    ends = {edge.receiver.position for edge in drawn}
    assert ends == {None, "END"}
    values = EdgeValues(several)
    assert values([placed]) == pytest.approx(values([mw.Circuit([], drawn)]))


def test_a_node_comes_and_goes_with_its_edges(several: mw.Study) -> None:
    wiring = several.lm.wiring
    edges = [link.edge for link in links(THREE, wiring)]
    told = mw.Circuit([], edges)
    less = with_or_without(told, LATE, wiring)
    assert less.nodes == {HEAD, MLP}
    ends = [site.label() for edge in less.edges or () for site in (edge.sender, edge.receiver)]
    assert not [end for end in ends if end.startswith("L3H0")]
    assert with_or_without(less, LATE, wiring) == told


def test_the_newest_word_says_where_a_component_is(several: mw.Study) -> None:
    placed = mw.Site("head", 1, head=2, position="END")
    wiring = several.lm.wiring
    at_end = with_or_without(THREE, placed, wiring)
    assert at_end.nodes == {placed, LATE, MLP}
    assert with_or_without(at_end, HEAD, wiring).nodes == THREE.nodes


# --- numbers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["edge", "node"])
def test_what_is_shown_is_what_python_evaluates(
    study: mw.Study, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = mw.CircuitBoard(study, THREE, mode=mode)
    page = page_of(board, monkeypatch)
    reply = page.ask("set", items=[{"id": "L0H1", "on": True}, {"id": "mlp2", "on": False}])
    assert reply["ok"], reply
    assert board.circuit.nodes == {HEAD, LATE, mw.Site("head", 0, head=1)}
    values = EdgeValues(study) if mode == "edge" else NodeValues(study)
    told = faithfulness(study, board.circuit, values=values)
    numbers = page.sent("graph")[-1]["numbers"]
    assert numbers["f"] == pytest.approx(told.normalized, abs=1e-5)
    assert numbers["low"] is None
    assert numbers["kept"] == pytest.approx(told.kept.mean(), abs=1e-5)
    (rest,) = values([Rest(board.circuit.nodes)])
    late = page.sent("late")[-1]
    assert late["gap"] == pytest.approx(abs((told.empty - rest).mean()), abs=1e-5)
    less = with_or_without(board.circuit, HEAD, study.lm.wiring)
    change = faithfulness(study, less, values=values).normalized - told.normalized
    assert late["left"]["L1H2"] == pytest.approx(change, abs=1e-5)
    json.dumps(page.sent("graph"), allow_nan=False)


def test_an_edge_is_taken_out_by_its_name_and_put_back(
    board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, name = page_of(board, monkeypatch), "L1H2 → L3H0.k"
    before = board.result
    for on in (False, False, True):
        assert page.ask("set", items=[{"id": name, "on": on}])["ok"]
        names = [edge["id"] for edge in page.sent("graph")[-1]["edges"]]
        assert (name in names) is on
        assert board.result.n_edges == 18 - (not on)
        assert board.circuit.nodes == THREE.nodes
    assert board.result.normalized == pytest.approx(before.normalized, abs=1e-5)
    edge = mw.Edge(HEAD, mw.Site("key", 3, head=0))
    less = board.toggle(edge)
    assert before.change(edge) == pytest.approx(
        (less.normalized or 0) - (before.normalized or 0), abs=1e-5
    )


def test_a_denominator_that_may_be_nothing_is_refused_in_words(several: mw.Study) -> None:
    board = mw.CircuitBoard(several, THREE, mode="edge")
    result, numbers = board.result, board.graph["numbers"]
    assert (result.normalized, result.interval, numbers["f"]) == (None, None, None)
    assert "m(M) - m(empty)" in numbers["refused"]
    without = EdgeValues(several)([with_or_without(THREE, HEAD, several.lm.wiring)]).mean()
    assert result.change(HEAD) == pytest.approx(without - numbers["kept"], abs=1e-5)


def test_a_board_opens_in_the_mode_that_the_circuit_is_evaluated_in(several: mw.Study) -> None:
    edges = [link.edge for link in links(THREE, several.lm.wiring)]
    for circuit, mode in ((THREE, "node"), (mw.Circuit([], edges), "edge"), (None, "edge")):
        board = mw.CircuitBoard(several, circuit)
        assert (board.mode, board.note) == (mode, "")
        if circuit is not None:
            told = faithfulness(several, circuit)
            assert told.terms == board.result.faithfulness.terms
            assert board.result.faithfulness.kept == pytest.approx(told.kept)


def test_what_is_no_candidate_is_always_computed(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads = mw.Circuit([HEAD, LATE])
    for over, own in ((("head",), heads), ("mlp_out", mw.Circuit([MLP]))):
        board = mw.CircuitBoard(several, own, over=over)
        told, found = faithfulness(several, own, over=over), board.result.faithfulness
        for name in ("kept", "model", "empty"):
            assert getattr(found, name) == pytest.approx(getattr(told, name))
        assert found.terms == told.terms
        assert f"over {board.over[0]};" in board.graph["numbers"]["terms"]
        assert board.result.of[0] == len(NodeValues(several, over=over).candidates)
    everything = mw.CircuitBoard(several, heads).result.faithfulness
    board = mw.CircuitBoard(several, heads, over=("head",))
    assert abs(everything.kept - board.result.faithfulness.kept).max() > 1e-3
    assert (board.network["heads"], board.network["mlps"]) == (several.lm.n_heads, False)
    page = page_of(board, monkeypatch)
    refused = page.ask("set", items=[{"id": "mlp2", "on": True}])
    assert "no candidates" in refused["error"]["message"]
    assert board.circuit == heads
    assert "all edges are candidates" in page.ask("mode", mode="edge")["error"]["message"]
    page.ask("set", items=[{"id": "L0H0", "on": True}])
    assert board.circuit.nodes == {HEAD, LATE, mw.Site("head", 0, head=0)}


def test_a_board_of_some_kinds_says_why_it_shows_no_edges(several: mw.Study) -> None:
    assert mw.CircuitBoard(several, over=("head",)).note == ""
    board = mw.CircuitBoard(several, over=("head",), mode="edge")
    assert board.mode == "node"
    assert "all edges are candidates" in board.note
    every = mw.CircuitBoard(several, over=("mlp_out", "head"), mode="edge")
    assert (every.mode, every.note) == ("edge", "")


# --- steps ----------------------------------------------------------------------------------------


def test_undo_and_redo_run_nothing_again(
    board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(board, monkeypatch)
    first = board.result.normalized
    board.circuit = mw.Circuit([HEAD])
    second, values = board.result.normalized, board._worth.values("edge")
    rows = values.rows
    page.ask("undo")
    assert (set(board.circuit.nodes), board.result.normalized) == (set(THREE.nodes), first)
    assert not board.graph["undo"]
    assert board.graph["redo"]
    page.ask("redo")
    assert (set(board.circuit.nodes), board.result.normalized) == ({HEAD}, second)
    assert values.rows == rows
    assert not board.redo()


def test_the_mode_is_a_step(board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    page = page_of(board, monkeypatch)
    board.circuit = mw.Circuit([], [link.edge for link in links(THREE, board.study.lm.wiring)][:9])
    told = board.circuit
    page.ask("mode", mode="node")
    assert board.mode == "node"
    assert board.circuit == in_mode(told, "node")
    assert "Node mode" in board.graph["numbers"]["terms"].capitalize()
    assert page.ask("set", items=[{"id": "L0H0 → logits", "on": True}])["ok"] is False
    board.undo()
    assert (board.mode, board.circuit) == ("edge", told)


def test_new_prompts_and_metrics_are_evaluated_anew(board: mw.CircuitBoard) -> None:
    kept = board.graph["numbers"]["kept"]
    board.study.metric = mw.LogProb()
    board_kept = board.graph["numbers"]["kept"]
    assert board_kept != pytest.approx(kept)
    assert board_kept == pytest.approx(EdgeValues(board.study)([THREE]).mean())
    board.study.swap()
    assert board.graph["numbers"]["kept"] == pytest.approx(EdgeValues(board.study)([THREE]).mean())


# --- from elsewhere -------------------------------------------------------------------------------


def test_the_selection_of_other_views_is_added(
    board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(board, monkeypatch)
    assert page.ask("add_selection")["error"]["fix"] == "click a head in mw.HeadGrid(study)"
    board.study.intervene([mw.Site("head", 4, head=0), HEAD])
    assert page.sent("selected")[-1]["new"] == ["L4H0"]
    assert page.ask("add_selection")["ok"]
    assert mw.Site("head", 4, head=0) in board.circuit
    assert page.ask("show", node="mlp2")["ok"]
    assert board.study.selection == (MLP,)
    board.study.edit = mw.Noise(samples=3)
    assert page.ask("show", node="mlp2")["ok"]
    assert board.study.last is not None
    assert board.study.last.edit == mw.Noise(first=0)
    board.study.edit = mw.Patch()
    board.study.intervene(mw.Site("residual", 2))
    assert "heads and MLPs" in page.ask("add_selection")["error"]["message"]
    assert page.ask("add", text="L0H0 @ END")["ok"]
    assert mw.Site("head", 0, head=0, position="END") in board.circuit


def test_the_slider_chooses_what_the_scores_say(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = mw.search.exact_edges(several)
    board = mw.CircuitBoard(several, scores=scores)
    page = page_of(board, monkeypatch)
    assert page.ask("size", n=40)["ok"]
    assert board.circuit.edges == scores.circuit(40).edges
    assert board.curve["chosen"] == 40
    page.ask("curve")
    counts, kept = page.sent("curve")[-1]["counts"], page.sent("curve")[-1]["kept"]
    values = EdgeValues(several)
    for n, mean in zip(counts, kept, strict=True):
        assert mean == pytest.approx(values([scores.circuit(n)]).mean())
    assert counts[-1] == several.lm.wiring.n_edges
    board.undo()
    assert board.curve["chosen"] is None
    assert "0 to" in page.ask("size", n=10**6)["error"]["expected"]


def test_scores_of_nodes_choose_nodes(several: mw.Study) -> None:
    sweep = several.sweep("head", progress=False)
    board = mw.CircuitBoard(several, scores=sweep, mode="node")
    board.choose(2)
    best = sorted(mw.evaluation.as_scores(sweep).items(), key=lambda item: -abs(item[1]))[:2]
    assert board.circuit.nodes == {site for site, _ in best}


def test_a_known_circuit_is_counted_by_class(board: mw.CircuitBoard) -> None:
    classes = {HEAD: "early", mw.Site("head", 0, head=0): "early", LATE: "late"}
    board.overlay = mw.Circuit(classes, name="claimed", classes=classes)
    assert board.result.found == {"early": (1, 2), "late": (1, 1)}
    assert board.graph["numbers"]["found"] == [["early", 1, 2], ["late", 1, 1]]
    assert [one["id"] for one in board.network["known"]] == ["L0H0", "L1H2", "L3H0"]


class Search(mw.Job[Any]):
    """A search in steps that says what it has found."""

    def __init__(self, circuits: list[mw.Circuit]) -> None:
        self.found = mw.Circuit()

        def chunks() -> Iterator[int]:
            for circuit in circuits:
                self.found = circuit
                yield 1

        super().__init__(chunks(), len(circuits), self.so_far)

    def so_far(self) -> Any:
        return SimpleNamespace(circuit=self.found)


def test_a_search_streams_and_ends_as_one_step(
    board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(board, monkeypatch)
    job = Search([mw.Circuit([HEAD]), mw.Circuit([HEAD, MLP])])
    board.follow(job)
    job.step()
    assert board.graph["following"]
    assert [node["id"] for node in board.graph["nodes"]] == ["L1H2"]
    assert page.ask("set", items=[{"id": "L0H0", "on": True}])["ok"] is False
    job.result()
    assert board.circuit.nodes == {HEAD, MLP}
    assert board.graph["numbers"]["n_nodes"] == 2
    states = [m["state"] for m in page.messages if m["kind"] == "progress"]
    assert states == ["running", "running", "done"]
    board.undo()
    assert board.circuit.nodes == THREE.nodes


def test_a_search_that_is_cancelled_leaves_what_it_found(
    board: mw.CircuitBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = page_of(board, monkeypatch)
    job = Search([mw.Circuit([HEAD]), mw.Circuit([HEAD, MLP])])
    board.follow(job)
    job.step()
    page.ask("cancel")
    assert job.state == "cancelled"
    assert board.circuit.nodes == {HEAD}


# --- files ----------------------------------------------------------------------------------------


def test_the_circuit_is_saved_and_drawn(board: mw.CircuitBoard, tmp_path: Path) -> None:
    assert mw.Circuit.from_json(board.to_json()) == THREE
    for ending in ("svg", "csv", "json", "html"):
        board.export(tmp_path / f"board.{ending}")
    svg = (tmp_path / "board.svg").read_text()
    assert svg.count('<path d="M') == 18 + 2
    assert "edge mode, resample ablation" in svg
    rows = json.loads((tmp_path / "board.json").read_text())["cells"]
    assert [row["site"] for row in rows][:3] == ["L1H2", "mlp2", "L3H0"]
    assert len(rows) == 3 + 18
    assert board.snapshot().facts["n"] == 1
    assert "L3H0" in board._html()


def test_the_code_prints_what_node_mode_evaluates(tmp_path: Path) -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=3))
    circuit = mw.Circuit([mw.Site("head", 0, head=1), mw.Site("head", 3, head=1), MLP])
    heads, mlp = mw.Circuit([one for one in circuit.ordered if one != MLP]), mw.Circuit([MLP])
    for ablation, over, own in (
        ("resample", NODES, circuit),
        ("mean", NODES, circuit),
        ("zero", NODES, circuit),
        ("resample", ("head",), heads),
        ("zero", ("mlp_out",), mlp),
    ):
        how: Any = {"ablation": ablation, "over": over}
        board = mw.CircuitBoard(study, own, mode="node", **how)
        ends = faithfulness(study, own, **how).normalized_ci()
        assert board.result.interval == pytest.approx(tuple(ends))
        script = tmp_path / f"{ablation}_{len(over)}.py"
        script.write_text(board.to_code())
        ran = subprocess.run(
            [sys.executable, script], capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode == 0, ran.stderr[-2000:]
        told = {line.split()[0]: float(line.split()[1]) for line in ran.stdout.splitlines()}
        assert told["m(C)"] == pytest.approx(board.result.faithfulness.kept.mean(), abs=2e-4)
        assert told["m(M)"] == pytest.approx(board.result.faithfulness.model.mean(), abs=2e-4)


def test_what_no_code_is_written_for(board: mw.CircuitBoard) -> None:
    with pytest.raises(mw.MediationError, match="no code for single edges"):
        board.to_code()


# --- bad input ------------------------------------------------------------------------------------


def test_circuits_of_other_networks_are_refused(board: mw.CircuitBoard) -> None:
    strangers: list[tuple[Any, str]] = [
        ([HEAD], "holds a circuit"),
        (mw.Circuit([mw.Site("head", 9, head=9)]), "no such sender"),
        ("ioi", "holds a circuit"),
    ]
    for strange, words in strangers:
        with pytest.raises(mw.MediationError, match=words):
            board.circuit = strange
    with pytest.raises(mw.MediationError, match="no such sender"):
        board.overlay = "ioi"
    with pytest.raises(mw.MediationError, match="edge by edge or node by node"):
        board.mode = "path"  # type: ignore[assignment]
    with pytest.raises(mw.MediationError, match="no such ablation"):
        mw.CircuitBoard(board.study, ablation="nothing")  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="made of heads and MLPs"):
        mw.CircuitBoard(board.study, over=("residual",))
    with pytest.raises(mw.MediationError, match="no candidates"):
        mw.CircuitBoard(board.study, THREE, over=("head",))
    with pytest.raises(mw.MediationError, match="follows a search"):
        board.follow(mw.Job(iter(()), 0, int))
    assert board.circuit == THREE
    with pytest.raises(traitlets.TraitError):
        board.graph = {}


def test_a_model_without_single_edges_is_shown_node_by_node(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lm = mw.load(random_model("gemma2", torch.float32), tokenizer=tokenizer_of("gemma2"))
    study = mw.Study(lm, mw.PromptPair("ant bee cat", "ant bee owl", "hen", "ibis"))
    board = mw.CircuitBoard(study, mw.Circuit([mw.Site("head", 0, head=1)]), mode="edge")
    assert board.mode == "node"
    assert "edges of this model cannot be told apart" in board.graph["note"]
    error = page_of(board, monkeypatch).ask("mode", mode="edge")["error"]
    assert "cannot be told apart" in error["message"]
    assert board.mode == "node"
