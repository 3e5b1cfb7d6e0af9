"""A running evaluation: progress, cancel, result."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any, Generic, Literal, TypeVar

from tqdm import tqdm

from .turns import Hurried, Turn, hurried, in_kernel, tell
from .workers import Worker

_log = logging.getLogger(__name__)

T = TypeVar("T")
U = TypeVar("U")
State = Literal["waiting", "running", "done", "cancelled", "failed"]

BAR_AFTER = 0.5
"""Seconds a job may take without a progress bar."""

BREATH = 0.002
"""Seconds between chunks in a running kernel; a pause of 0 starves the user's cells."""


class Job(Generic[T]):
    """Work in chunks, one at a time. Between chunks it can be watched and cancelled.

    Args:
        chunks: does one chunk a step and yields how many runs it finished.
        total: how many runs there are, each on each pair.
        finish: makes the result from what was finished, all of it or, after ``cancel``, a part.
        worker: where its chunks wait for a server; None where they wait for nobody.

    A job started inside a running event loop (a notebook) goes on by itself between cells; else
    it runs when its ``result`` is asked for. Cells run also while a chunk waits for a server.

    Attributes:
        state: "waiting", "running", "done", "cancelled" or "failed".
        error: what it failed with, else None.
        done: runs that are finished, each on each pair.
        seconds: that its chunks took.
    """

    def __init__(
        self,
        chunks: Iterator[int],
        total: int,
        finish: Callable[[], T],
        worker: Worker | None = None,
    ) -> None:
        self.total = total
        self.done = 0
        self.state: State = "waiting"
        self.error: BaseException | None = None
        self.seconds = 0.0
        self._chunks = chunks
        self._finish = finish
        self._result: T | None = None
        self._watchers: list[Callable[[Job[T]], None]] = []
        self._task: asyncio.Task[None] | None = None
        self._worker = worker
        self._turn: Turn | None = None

    @property
    def progress(self) -> tuple[int, int]:
        """Runs done, runs in all, each on each pair."""
        return self.done, self.total

    @property
    def seconds_left(self) -> float | None:
        """What the finished part suggests; None before the first chunk is done."""
        return self.seconds / self.done * (self.total - self.done) if self.done else None

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return self.state in ("done", "cancelled", "failed")

    def then(self, change: Callable[[T], U]) -> Job[U]:
        """The same work with another result; step the new job, not this one."""
        return Job(self._chunks, self.total, lambda: change(self._finish()), self._worker)

    def so_far(self) -> T:
        """The result as far as it has come; the work goes on."""
        return self._finish() if self._result is None else self._result

    def watch(self, callback: Callable[[Job[T]], None]) -> None:
        """Call back after every chunk and at the end."""
        self._watchers.append(callback)

    def cancel(self) -> None:
        """Stop after the chunk that is running. What was finished stays in the result.

        A chunk that waits for a server is not waited for: what it brings is not in the result.
        Other jobs, clicks and cells wait on; ``lm.remote.cancel()`` gives up all of them.
        """
        if self.finished:
            return
        turn = self._turn
        self._end("cancelled")
        if turn is not None:
            turn.abandon()

    def step(self) -> bool:
        """Run one chunk; False when there was nothing left to do."""
        if self.finished:
            return False
        self.state = "running"
        began = time.perf_counter()
        try:
            finished = next(self._chunks, None)
        except BaseException as error:
            if self._was_cancelled():
                return False  # it was cancelled while this chunk waited
            self.error = error
            self._end("failed")
            raise
        self.seconds += time.perf_counter() - began
        if finished is None:
            self._end("done")
            return False
        self.done += finished
        self._tell()
        return True

    def result(self, progress: bool = False) -> T:
        """Run what is left, here and now, and return the result.

        Raises:
            Exception: whatever a chunk raised; the study keeps what it had before.
        """
        # Not on stderr, which a notebook keeps as a red bar after this one is gone.
        with tqdm(
            total=self.total,
            unit="run",
            leave=False,
            delay=BAR_AFTER,
            file=sys.stdout,
            disable=not progress,
        ) as bar:
            stop = self._show_status(bar)
            try:
                if self._turn is not None and not self.finished:
                    self._turn.join()
                bar.update(self.done)
                while self.step():
                    bar.update(self.done - bar.n)
            finally:
                stop()
        if self.error is not None:
            raise self.error
        if self._result is None:
            self._result = self._finish()
        return self._result

    def start(self) -> Job[T]:
        """Go on between cells, where an event loop runs; else wait for ``result``."""
        return in_kernel(self._start)

    def _start(self) -> Job[T]:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self
        self._task = loop.create_task(self._run())
        return self

    async def _run(self) -> None:
        try:
            while await self._step():
                await asyncio.sleep(BREATH)
        except Exception:  # noqa: BLE001
            # The watchers were told, and result() raises it again; there may be neither.
            _log.warning("a job failed", exc_info=True)

    def _show_status(self, bar: tqdm[Any]) -> Callable[[], None]:
        """Let the bar say what a server that is waited for says. Returns how to stop it."""
        if self._worker is None or bar.disable:
            return lambda: None
        began = time.perf_counter()

        def show(words: str) -> None:
            bar.set_postfix_str(words, refresh=time.perf_counter() - began >= BAR_AFTER)

        return self._worker.listen(show)

    async def _step(self) -> bool:
        if self._worker is None or self.finished:
            return self.step()
        self._turn = self._worker.do(self.step, asyncio.get_running_loop())
        try:
            # None where a cell took the chunk over before its turn came.
            return await self._turn.future is not False
        finally:
            self._turn = None

    def _end(self, state: State) -> None:
        if state != "failed":
            # What the result would ask of a server must not hold up who cancels.
            at_once = state == "cancelled" and self._worker is not None
            try:
                with hurried() if at_once else nullcontext():
                    result = self._finish()
            except Hurried:
                result = None  # it is made when it is asked for
            except BaseException as error:
                if self._was_cancelled():
                    return  # while this waited
                self.error = error
                self._end("failed")
                raise
            if self._was_cancelled():
                return
            self._result = result
        self.state = state
        self._tell()

    def _was_cancelled(self) -> bool:
        return self.state == "cancelled"

    def _tell(self) -> None:
        for callback in list(self._watchers):
            try:
                tell(callback, self)
            except Exception:  # noqa: BLE001 - the work goes on, whoever watches it
                _log.warning("a watcher of a job failed", exc_info=True)

    def __repr__(self) -> str:
        return f"Job({self.state}, {self.done} of {self.total} runs)"
