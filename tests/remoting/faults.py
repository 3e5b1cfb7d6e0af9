"""A loopback server that fails as it is told to: where, how, how often."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from nnsight.schema.response import ResponseModel, Status
from torch import Tensor

from mediawidget.remote.loopback import Answers, Loopback
from mediawidget.remote.loopback.jobs import Job

Stage = Literal["arriving", "received", "polling", "sending"]
"""Before a request's body is read; a job is taken and the answer is due; its status is asked for;
its result is due."""

Fault = Literal[
    "cut", "garbage", "truncated", "queued", "unknown", "another", 400, 429, 500, 502, 503
]
"""Cut: the connection ends, in a result half way. Garbage: bytes that are nothing. Truncated: half
of the bytes, as if it were all. Queued: its place in the queue, whatever it is. Unknown: 404.
Another: what is said of the first job of all."""

DETAILS = {
    400: "Client nnsight version 0.8.1 is below the minimum supported 9.9.9. Please "
    "`pip install --upgrade nnsight`.",
    429: "Too Many Requests",
    500: "Internal server error.",
    502: "Bad Gateway",
    503: "Service temporarily unavailable: compute backend is reconnecting. Please try again in a "
    "few minutes.",
}


@dataclass
class Plan:
    """One fault: at a stage, so many times, after so many that go well."""

    stage: Stage
    fault: Fault
    times: int
    after: int

    def due(self, stage: str) -> bool:
        """Whether it happens now; counts."""
        if stage != self.stage or not self.times:
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True


class Faulty(Loopback):
    """Fails as ``fails`` says, and lies as ``lies`` says; else as good as any.

    Attributes:
        happened: every fault so far: (stage, what).
        going: while it is not set, a job that runs does not end.
    """

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.happened: list[tuple[str, Fault]] = []
        self._plans: list[Plan] = []
        self._lie: Callable[[dict[str, Any]], dict[str, Any]] | None = None
        self._misplaced: list[object] = []
        self._counting = threading.Lock()
        self.going = threading.Event()
        self.going.set()

    def fails(self, stage: Stage, fault: Fault, *, times: int = 1, after: int = 0) -> None:
        """Plan a fault."""
        self._plans.append(Plan(stage, fault, times, after))

    def heals(self) -> None:
        """Nothing is planned any more, and no lies are told."""
        self._plans, self._lie, self._misplaced = [], None, []

    def lies(self, by: float = 0.01, only: str | None = None) -> None:
        """From now on the last number of every saved tensor is off by so much.

        Args:
            by: what is added.
            only: the name of one saved value, to be off alone.
        """
        self._lie = lambda saved: {
            name: _off(value, by) if only in (None, name) else value
            for name, value in saved.items()
        }

    def cuts(self) -> None:
        """From now on every saved tensor lacks its last row."""
        self._lie = lambda saved: {
            name: value[:-1] if isinstance(value, Tensor) and value.ndim else value
            for name, value in saved.items()
        }

    def misplaces(self, place: object) -> None:
        """From now on its results lie there."""
        self._misplaced = [place]

    def say(self, job: Job, status: Status, words: str = "", data: Any = None) -> None:
        for place in self._misplaced if status == Status.COMPLETED else ():
            data = place
        super().say(job, status, words, data)

    def altered(self, saved: dict[str, Any]) -> dict[str, Any]:
        self.going.wait()
        return saved if self._lie is None else self._lie(saved)

    def close(self) -> None:
        self.going.set()
        super().close()

    def interferes(self, stage: str, answers: Answers, data: bytes = b"") -> bool:
        with self._counting:
            plan = next((plan for plan in self._plans if plan.due(stage)), None)
            if plan is None:
                return False
            self.happened.append((stage, plan.fault))
        if stage == "arriving" and plan.fault != "cut":
            answers.rfile.read(int(answers.headers["Content-Length"]))
        _fail(plan.fault, stage, answers, data)
        return True


def _fail(fault: Fault, stage: str, answers: Answers, data: bytes) -> None:
    if isinstance(fault, int):
        answers.say({"detail": DETAILS[fault]}, fault)
    elif fault == "unknown":
        answers.say({"detail": f"No response for request {answers.path}."}, 404)
    elif fault == "another":
        first = next(iter(answers.loopback.jobs.values())).response
        assert first is not None
        answers.answer(200, first.model_dump_json().encode())
    elif fault == "garbage":
        answers.answer(200, os.urandom(max(len(data), 64)), "application/octet-stream")
    elif fault == "truncated":
        answers.answer(200, data[: len(data) // 2], "application/octet-stream")
    elif fault == "queued":
        job = answers.path.rpartition("/")[2]
        said = ResponseModel(id=job, status=Status.QUEUED, description=_THIRD)
        answers.answer(200, said.model_dump_json().encode())
    else:
        if stage == "sending":
            answers.send_response(200)
            answers.send_header("Content-Length", str(len(data)))
            answers.end_headers()
            answers.wfile.write(data[: len(data) // 2])
            answers.wfile.flush()
        answers.hang_up()


_THIRD = "Added to Queue at position 3."


def _off(value: Any, by: float) -> Any:
    """The same with the last number of every tensor of floats in it off by so much."""
    if isinstance(value, Tensor) and value.is_floating_point() and value.numel():
        wrong = value.detach().clone()
        wrong.view(-1)[-1] += by
        return wrong
    if type(value) in (list, tuple):
        return type(value)(_off(part, by) for part in value)
    return value
