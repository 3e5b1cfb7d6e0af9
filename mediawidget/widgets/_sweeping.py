"""Sweeps that a page asked for, and what it hears of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..errors import error_fields
from ..jobs import Job
from ..turns import anywhere, running_loop

if TYPE_CHECKING:
    from ._base import View

PROGRESS_EVERY = 0.05
"""Seconds between progress messages: a page draws no more than 20 a second."""


class Sweeping:
    """Jobs one after the other, with progress told to the page."""

    def __init__(self, view: View, keys: list[str], jobs: list[Job[Any]], request: int) -> None:
        self._view, self._keys, self._request = view, keys, request
        self._jobs = jobs
        self._now = 0
        self._told = 0.0
        self._cancelled = False

    @property
    def running(self) -> bool:
        """Whether there is still something to do."""
        return self._now < len(self._jobs) and not self._cancelled

    def start(self) -> None:
        """Start the next job: on the kernel's loop between cells, else here and now."""
        job = self._jobs[self._now]
        job.watch(self._watch)
        self._tell("running")
        job.start()
        if running_loop() is None:
            job.result()

    def cancel(self) -> None:
        """Stop after the chunk that is running; what was finished is kept."""
        if self.running:
            self._cancelled = True
            self._jobs[self._now].cancel()

    @anywhere
    def _watch(self, job: Job[Any]) -> None:
        if job.state == "running":
            if time.monotonic() - self._told >= PROGRESS_EVERY:
                self._tell("running")
        elif job.state == "done" and self._now + 1 < len(self._jobs):
            self._now += 1
            self.start()
        else:
            self._tell(job.state)
            self._now = len(self._jobs)
            if job.error is not None:
                fields = error_fields(job.error)
                reply = {"kind": "reply", "id": self._request, "ok": False, "error": fields}
                self._view.send(reply)

    def _tell(self, state: str) -> None:
        self._told = time.monotonic()
        left = self._jobs[self._now].seconds_left
        message = {
            "kind": "progress",
            "panels": self._keys,
            "done": sum(job.done for job in self._jobs),
            "total": sum(job.total for job in self._jobs),
            "seconds_left": None if left is None else round(left, 2),
            "state": state,
        }
        self._view.send(message)
