"""A board's steps: a circuit is evaluated before it is shown, and every change can be undone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ...circuit import Circuit
from ...errors import require
from ...jobs import Job
from .._page import Page
from .drawing import Drawing
from .following import Following
from .graph import Mode, in_mode, refuse_no_mode, refuse_strange
from .spare import Spare
from .steps import Steps
from .worth import Worth

if TYPE_CHECKING:
    from ...study import Study


class Stepping(Page):
    """The part of a board that changes what is on it."""

    study: Study
    _writing: bool
    _worth: Worth
    _overlay: Circuit | None
    _steps: Steps
    _drawing: Drawing
    _spare: Spare
    _following: Following | None

    @property
    def circuit(self) -> Circuit:
        """What is on the board. Setting it is a step that can be undone."""
        return self._steps.now[0]

    @circuit.setter
    def circuit(self, circuit: Circuit) -> None:
        self.change(refuse_strange(circuit, self.study.lm.wiring))

    @property
    def mode(self) -> Mode:
        """How it is evaluated, edge or node. Setting it is a step that can be undone."""
        return self._steps.now[1]

    @mode.setter
    def mode(self, mode: Mode) -> None:
        refuse_no_mode(mode)
        self._worth.values(mode)
        self.change(self.circuit, mode)

    def undo(self) -> bool:
        """Go back one step; False if there is none.

        Raises:
            MediationError: a search is followed.
        """
        return self._walk(-1)

    def redo(self) -> bool:
        """Go to the step that was undone; False if there is none.

        Raises:
            MediationError: a search is followed.
        """
        return self._walk(1)

    def change(self, circuit: Circuit, mode: Mode | None = None) -> None:
        """Evaluate a circuit and make it the next step; one that fails changes nothing.

        Args:
            circuit: of this network; in node mode its edges are left out.
            mode: "edge" or "node"; default: the present one.

        Raises:
            MediationError: a search is followed, or the circuit cannot be run.
        """
        self._refuse_following()
        mode = self.mode if mode is None else mode
        circuit = in_mode(circuit, mode)
        self._evaluate(circuit, mode)
        if (circuit, mode) != self._steps.now:
            self._steps.add(circuit, mode)
        self._write_all()

    def _walk(self, by: int) -> bool:
        self._refuse_following()
        step = self._steps.at(by)
        if step is None:
            return False
        self._evaluate(*step)
        self._steps.move(by)
        self._write_all()
        return True

    def _evaluate(self, circuit: Circuit, mode: Mode) -> None:
        # What waits for a pause must not be between a click and its answer.
        if hasattr(self, "_spare"):
            self._spare.stop()
        self._worth.result(circuit, mode, self._overlay)

    def _refuse_following(self) -> None:
        busy = self._following is not None and self._following.running
        require(
            not busy,
            "A search is streaming onto this board.",
            value="a change of the circuit",
            expected="a board that follows nothing",
            fix="wait for it, or cancel it: board.cancel()",
        )

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a trait that only the board may write, and send it.

        Args:
            name: of the trait.
            value: what the page draws.
        """
        self._writing = True
        try:
            self.set_trait(name, dict(value))
        finally:
            self._writing = False
        self._saved.soon()

    def draw(self, circuit: Circuit, *, following: bool) -> None:
        """Write a graph without numbers: what a search has found up to now.

        Args:
            circuit: what was found.
            following: whether the search goes on.
        """
        self._drawing.found(circuit, following=following)

    def _write_all(self) -> None:
        self._drawing.all()
        self._spare.start()

    def _run_later(self) -> Job[int]:
        circuit, mode = self._steps.now
        return self._worth.job_around(circuit, mode)
