"""A search whose circuit a board shows as it grows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ...circuit import Circuit
from ...errors import MediationError, error_fields
from ...jobs import Job
from ...turns import anywhere
from ...workers import beside
from .graph import refuse_strange

if TYPE_CHECKING:
    from ..circuit_board import CircuitBoard

DRAW_EVERY = 0.2
"""Seconds between two pictures of what a search has found."""


class Following:
    """Draws what a job has found so far, and makes what it ends with a step.

    Args:
        board: where.
        job: with ``so_far()``, whose ``circuit`` is a circuit of the board's network.

    Raises:
        MediationError: a job that cannot say what it has found.
    """

    def __init__(self, board: CircuitBoard, job: Job[Any]) -> None:
        given: object = job
        if not isinstance(given, Job) or not isinstance(_circuit_of(given), Circuit):
            raise MediationError(
                "A board follows a search that can say what it has found.",
                value=repr(job)[:200],
                expected="a Job with so_far(), which gives something with a circuit",
                fix="board.follow(mw.search.acdc(study, 0.1, start=True))",
            )
        self._board, self._job = board, job
        self._drawn = 0.0

    @property
    def running(self) -> bool:
        """Whether the search may still change."""
        return not self._job.finished

    def start(self) -> None:
        """Show what there is, and what comes."""
        if self._job.finished:
            self._end()
            return
        self._job.watch(self._watch)
        if self._job.state == "waiting":
            self._job.start()
        self._board.draw(self._board.circuit, following=True)
        self._tell()

    def cancel(self) -> None:
        """Stop after the part that is running."""
        self._job.cancel()

    @anywhere
    def _watch(self, job: Job[Any]) -> None:
        if job.finished:
            # What a search ends with is run: where that waits for a server, beside the kernel.
            beside(self._board.study.lm.worker, self._end)
        elif time.monotonic() - self._drawn >= DRAW_EVERY:
            self._drawn = time.monotonic()
            found = self._found()
            if found is not None:
                self._board.draw(found, following=True)
            self._tell()

    def _end(self) -> None:
        """The last word: a step, or on failure the circuit that was there before."""
        job = self._job
        try:
            found = None if job.state == "failed" else self._found()
            self._board.change(self._board.circuit if found is None else found)
        finally:
            self._tell()
        if job.error is not None:
            fields = error_fields(job.error)
            self._board.send({"kind": "reply", "id": 0, "ok": False, "error": fields})

    def _found(self) -> Circuit | None:
        circuit = _circuit_of(self._job)
        return None if circuit is None else refuse_strange(circuit, self._board.study.lm.wiring)

    def _tell(self) -> None:
        job = self._job
        left = job.seconds_left
        self._board.send(
            {
                "kind": "progress",
                "panels": ["search"],
                "done": job.done,
                "total": job.total,
                "seconds_left": None if left is None else round(left, 2),
                "state": "running" if job.state == "waiting" else job.state,
            }
        )


def _circuit_of(job: Job[Any]) -> Any:
    """What a search has found up to now."""
    found = getattr(job.so_far(), "circuit", None)
    return found() if callable(found) else found
