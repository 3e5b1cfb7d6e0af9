"""What a saved notebook shows of a view where no kernel can draw the live one.

A notebook keeps outputs, not models: on a page that is opened later a live view cannot be drawn. So
a view in a notebook publishes a second output, a plain table of the same numbers. The live view's
script hides it (js/src/frame.ts), and what is left of both without a kernel is the table.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from IPython import get_ipython
from IPython.display import display, update_display

QUIET = 0.7
"""Seconds without news after which the table is written anew: never between click and answer."""


def in_notebook() -> bool:
    """Whether outputs go to a page: a kernel runs this, not a terminal or a plain interpreter."""
    return getattr(get_ipython(), "kernel", None) is not None


class SavedPicture:
    """The table beside a live view, kept up to date once it was shown.

    Args:
        draw: makes the HTML.

    Attributes:
        name: the HTML carries the class ``mw-saved-<name>``; the live view hides that.
    """

    def __init__(self, draw: Callable[[], str]) -> None:
        self.name = uuid4().hex
        self._draw = draw
        self._html = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def show(self) -> None:
        """Publish it as an output of the cell that runs."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._html = self._draw()
        display(self._bundle(), raw=True, display_id=self.name)  # type: ignore[no-untyped-call]

    def soon(self) -> None:
        """There is news: write it anew once the kernel has been left alone for a moment."""
        if self._loop is not None and self._loop.is_running():
            self._loop.call_soon_threadsafe(self._wait)

    def forget(self) -> None:
        """Write no more; what was written stays."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._loop is not None:
            self._timer = self._loop.call_later(QUIET, self._update)

    def _update(self) -> None:
        html = self._draw()
        if html != self._html:
            self._html = html
            bundle = self._bundle()
            update_display(bundle, raw=True, display_id=self.name)  # type: ignore[no-untyped-call]

    def _bundle(self) -> dict[str, Any]:
        words = "<p>A saved table: run the cell for the live view.</p>"
        html = f'<div class="mw-saved-{self.name}">{words}{self._html}</div>'
        return {"text/html": html, "text/plain": "(a table of the view's numbers)"}
