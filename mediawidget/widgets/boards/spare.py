"""What is run once a board has been left alone for a moment, and gives way to the next click."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ...jobs import Job
from ...turns import anywhere, in_kernel, running_loop

QUIET = 0.25
"""Seconds after an answer before anything else is run."""
TELL_EVERY = 0.3
"""Seconds between two writings of what is done."""


class Spare:
    """One job at a time, in parts; without an event loop it is run at once.

    Args:
        make: makes the job of what is on the board.
        tell: is called with its news.
    """

    def __init__(self, make: Callable[[], Job[int]], tell: Callable[[], None]) -> None:
        self._make, self._tell = make, tell
        self._job: Job[int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._told = 0.0

    def start(self) -> None:
        """Run it after a pause."""
        self.stop()
        loop = running_loop()
        if loop is None:
            self._begin().result()
        else:
            self._timer = in_kernel(lambda: loop.call_later(QUIET, lambda: self._begin().start()))

    def stop(self) -> None:
        """Run no more of it; what was run is kept."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._job is not None:
            job, self._job = self._job, None
            job.cancel()

    def _begin(self) -> Job[int]:
        self._job = self._make()
        self._job.watch(self._watch)
        self._told = 0.0
        return self._job

    @anywhere
    def _watch(self, job: Job[int]) -> None:
        if job is not self._job:
            return
        now = time.monotonic()
        if job.finished or now - self._told >= TELL_EVERY:
            self._told = now
            self._tell()
