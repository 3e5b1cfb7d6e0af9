"""What a server says of the request that a view waits for, told to its page in words."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..lm import LM
    from ._page import Page

SOON = 0.3
"""Seconds that people take for "at once": words that do not last longer are not shown."""


class Waiting:
    """Tells a page what is waited for, until it is closed.

    Args:
        view: whose page.
        lm: which is waited for, if it is on a server.
        loop: the kernel's; without one no page is live.
    """

    def __init__(self, view: Page, lm: LM, loop: asyncio.AbstractEventLoop | None) -> None:
        worker, remote = lm.worker, lm.remote
        self._view, self._loop = view, loop
        self._place = "" if remote is None else f" on {remote.server.place}"
        self._words = self._told = ""
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.get_ident()
        heard = worker is not None and loop is not None
        self._stop = worker.listen(self._hear) if worker is not None and heard else _nothing

    def close(self) -> None:
        """Tell no more."""
        self._stop()
        if self._timer is not None:
            self._timer.cancel()

    def _hear(self, words: str) -> None:
        """Any thread: new words, empty once nothing is waited for."""
        if threading.get_ident() == self._thread:
            self._words = words  # a cell waits, and the loop with it
            self._tell()
        elif self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._take, words)

    def _take(self, words: str) -> None:
        self._words = words
        if not words:
            self._tell()
        elif self._timer is None and self._loop is not None:
            self._timer = self._loop.call_later(SOON, self._tell)

    def _tell(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._words != self._told:
            self._told = self._words
            where = self._place if self._words == "running" else ""
            self._view.send({"kind": "waiting", "words": self._words + where})


def _nothing() -> None:
    """There is nothing to end."""
