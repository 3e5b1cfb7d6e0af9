"""What a board leaves as: its picture, and what that is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..boards.payload import graph_payload, network_payload
from ..boards.table import figures
from ..drawing.board import draw_board
from .facts import VERSION, study_facts
from .snapshot import Snapshot

if TYPE_CHECKING:
    from ..circuit_board import CircuitBoard


def board_facts(board: CircuitBoard) -> dict[str, Any]:
    """Of which model, prompts and metric, and under which terms the circuit was evaluated."""
    terms = board.result.faithfulness.terms
    shows = board.circuit.name or "a circuit"
    facts = study_facts(board.study, None)
    edit = f"{terms.mode} mode, {terms.ablation} ablation over {' and '.join(terms.over)}"
    return {**facts, "edit": edit, "shows": shows, "version": VERSION}


def board_picture(board: CircuitBoard, palette: str) -> Snapshot:
    """The circuit as it is on the board, with its figures over it."""
    result, study = board.result, board.study
    network = network_payload(study, board.overlay, board.over)
    graph = graph_payload(result.circuit, result.mode, study.lm.wiring, board.sizes)
    changes = ((one.label(), result.change(one)) for one in result.left_out)
    left = {name: change for name, change in changes if change is not None}
    facts = board_facts(board)
    drawn = draw_board(network, graph, left, figures(result), facts, palette)
    return Snapshot(drawn, facts)
