"""Jobs of a loopback server: one runs, the others wait in their order."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from nnsight.schema.request import RequestModel
from nnsight.schema.response import ResponseModel, Status


@dataclass(eq=False)
class Job:
    """One request, and what has become of it.

    Attributes:
        request: the envelope.
        blob: the body; empty once it has run.
        digest: of the body.
        id: what the client asks for it by.
        response: the last status; None before the first.
        result: the size of what it gave; None before that.
    """

    request: RequestModel
    blob: bytes = field(repr=False)
    digest: str = ""
    id: str = field(default_factory=lambda: uuid4().hex)
    response: ResponseModel | None = None
    result: int | None = None

    def __post_init__(self) -> None:
        self.digest = hashlib.sha256(self.blob).hexdigest()


class Line:
    """A thread that runs jobs one by one.

    Args:
        run: runs a job, and says itself how it ended.
        say: told of every status of a job.
        delay: seconds that a job runs longer than it must.
    """

    def __init__(
        self, run: Callable[[Job], None], say: Callable[..., Any], delay: float = 0.0
    ) -> None:
        self._run, self._say, self.delay = run, say, delay
        self._waiting: deque[Job] = deque()
        self._moved = threading.Condition()
        self._closing = threading.Event()
        self.thread = threading.Thread(target=self._work, name="loopback jobs", daemon=True)

    def put(self, job: Job) -> None:
        """Add a job at the end."""
        with self._moved:
            self._waiting.append(job)
            # Under the lock, for the next word on it comes from the other thread.
            self._say(job, Status.QUEUED, f"Added to Queue at position {len(self._waiting)}.")
            self._moved.notify()

    def close(self) -> None:
        """End with the job that runs; those that wait are not run."""
        with self._moved:
            self._closing.set()
            self._waiting.clear()
            self._moved.notify()
        if self.thread.ident is not None:
            self.thread.join()

    def _work(self) -> None:
        while (job := self._next()) is not None:
            self._say(job, Status.DISPATCHED, "Your job has been sent to the model deployment.")
            self._say(job, Status.RUNNING, "Your job has started running.")
            if not self._closing.wait(self.delay):
                self._run(job)
            job.blob = b""

    def _next(self) -> Job | None:
        """The first in line; None at the end."""
        with self._moved:
            while not self._waiting:
                if self._closing.is_set():
                    return None
                self._moved.wait()
            job = self._waiting.popleft()
            for place, other in enumerate(self._waiting, 1):
                self._say(other, Status.QUEUED, f"Moved to position {place} in Queue.")
            return job
