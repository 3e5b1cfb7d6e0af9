"""The thread on which a server is waited for."""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

from .turns import Turn, running_loop, within

_log = logging.getLogger(__name__)

IDLE = 60.0
"""Seconds without work after which the thread ends; the next work starts another."""


class Server(Protocol):
    """What is known of what is waited for."""

    @property
    def status(self) -> str:
        """What the server said last of the request that waits, as words; empty where none does."""

    def listen(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Be told of another status, on any thread. Returns how to stop it."""

    def cancel(self, thread: int | None = None) -> None:
        """Make the requests that wait give up, those of one thread or all."""


class Worker:
    """The thread for what waits for one server: one piece of work after the other.

    Args:
        server: gives what is known of it; None where nothing is.
    """

    def __init__(self, server: Callable[[], Server | None]) -> None:
        self._server = server
        self._turns: queue.SimpleQueue[Turn] = queue.SimpleQueue()
        self._asking: queue.SimpleQueue[Turn] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> str:
        """What the request that waits now waits for, as words; empty where none does."""
        server = self._server()
        return "" if server is None else server.status

    def listen(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Be told of every other status, on any thread. Returns how to stop it."""
        server = self._server()
        if server is None:
            return lambda: None
        return server.listen(lambda *_: callback(self.status))

    def give_up(self) -> None:
        """Make the request that waits now on this thread give up; cells and others wait on."""
        server, thread = self._server(), self._thread
        if server is not None and thread is not None:
            server.cancel(thread.ident)

    def do(self, work: Callable[[], Any], loop: asyncio.AbstractEventLoop) -> Turn:
        """Do it after all that was given before; from the loop's thread."""
        turn = Turn(self, work, loop)
        with self._guard:
            self._turns.put(turn)
            if self._thread is None:
                # A kernel that ends does not wait for a server.
                self._thread = threading.Thread(target=self._run, daemon=True, name="mediawidget")
                self._thread.start()
        return turn

    def request(self, turn: Turn, loop: asyncio.AbstractEventLoop) -> bool:
        """Ask the kernel to stand still; False where there is none any more."""
        self._asking.put(turn)
        try:
            loop.call_soon_threadsafe(self.serve)
        except RuntimeError:
            return not self.withdraw()
        return True

    def withdraw(self) -> bool:
        """Ask no more, for the loop is closed; False where a cell stands still already."""
        try:
            self._asking.get_nowait()
        except queue.Empty:
            return False
        return True

    def serve(self, timeout: float = 0.0) -> None:
        """On the kernel's thread: stand still for the work that asked for it."""
        try:
            turn = self._asking.get(timeout=timeout) if timeout else self._asking.get_nowait()
        except queue.Empty:
            return  # it was served in a cell
        turn.serve()

    def _run(self) -> None:
        while True:
            try:
                turn = self._turns.get(timeout=IDLE)
            except queue.Empty:
                with self._guard:
                    if self._turns.empty():
                        self._thread = None
                        return
                continue
            turn.run()
            del turn


def beside(worker: Worker | None, work: Callable[[], Any]) -> None:
    """Do it on the worker, where there is one and a loop that would wait; else here and now."""
    loop = running_loop()
    if worker is None or loop is None or within():
        work()
        return
    worker.do(work, loop).future.add_done_callback(_log_failure)


def _log_failure(future: asyncio.Future[Any]) -> None:
    error = None if future.cancelled() else future.exception()
    if error is not None:
        _log.warning("work beside the kernel failed", exc_info=error)
