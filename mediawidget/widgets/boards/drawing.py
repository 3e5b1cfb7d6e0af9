"""What a board's page draws, trait by trait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...circuit import Circuit
from .payload import curve_payload, graph_payload, late_payload, network_payload, numbers_payload
from .steps import Steps
from .worth import BoardResult, Worth

if TYPE_CHECKING:
    from ..circuit_board import CircuitBoard


class Drawing:
    """Writes the traits of a board from what it holds.

    Args:
        board: whose traits.
        worth: what its circuits are worth.
        steps: where it is.

    Attributes:
        chosen: the size that the slider was set to last; None: it was not.
    """

    def __init__(self, board: CircuitBoard, worth: Worth, steps: Steps) -> None:
        self._board, self._worth, self._steps = board, worth, steps
        self._seq = 0
        self.chosen: int | None = None

    def all(self) -> None:
        """Every trait."""
        self.network()
        self.graph()
        self.curve()
        self.selected()

    def network(self) -> None:
        """What stays the same under every circuit."""
        board = self._board
        board.write("network", network_payload(board.study, board.overlay, board.over))

    def graph(self) -> None:
        """The circuit and its numbers, and what was run of them after the answer."""
        self._seq += 1
        board = self._board
        result, wiring = board.result, board.study.lm.wiring
        told = graph_payload(result.circuit, result.mode, wiring, board.sizes)
        numbers = numbers_payload(result)
        board.write("graph", {**told, **self._state(), "following": False, "numbers": numbers})
        self.late(result)

    def found(self, circuit: Circuit, *, following: bool) -> None:
        """A graph without numbers."""
        self._seq += 1
        board = self._board
        told = graph_payload(circuit, board.mode, board.study.lm.wiring, board.sizes)
        board.write("graph", {**told, **self._state(), "following": following, "numbers": None})

    def late(self, result: BoardResult | None = None) -> None:
        """What is run when nobody clicks."""
        told = late_payload(result or self._board.result)
        self._board.write("late", {"seq": self._seq, **told})

    def curve(self) -> None:
        """The slider, and its curve as far as it was run."""
        board, chosen = self._board, self.chosen
        if chosen is not None and board.of_size(chosen) != board.circuit:
            chosen = None
        told = curve_payload(board.sizes, self._worth, board.mode, board.of_size, chosen)
        board.write("curve", told)

    def selected(self) -> None:
        """What is selected in the study's views, and what of it the circuit lacks."""
        sites = self._board.study.selection
        new = [site.label() for site in sites if site not in self._board.circuit.nodes]
        self._board.write("selected", {"all": [site.label() for site in sites], "new": new})

    def _state(self) -> dict[str, Any]:
        steps = self._steps
        told = {"seq": self._seq, "note": self._board.note}
        return {**told, "undo": steps.at(-1) is not None, "redo": steps.at(1) is not None}
