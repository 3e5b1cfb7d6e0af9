"""What a saved notebook shows of a view where no kernel can draw the live one.

A notebook keeps outputs, not models: on a page that is opened later a live view cannot be drawn. So
a view in a notebook publishes a second output, a picture of itself over a folded table of the same
numbers. The live view's script hides it (js/src/frame.ts), and what is left of both without a
kernel is the picture.

The picture is an image whose data are an SVG: sharp, small, drawn in milliseconds, and left in
place where a page that does not trust the notebook takes away SVG elements and styles. A PNG takes
a tenth of a second, in which no click would be answered: `view.snapshot()` makes one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from IPython import get_ipython
from IPython.display import display, update_display

from .exports.snapshot import Snapshot

QUIET = 0.7
"""Seconds without news after which it is drawn anew: never between click and answer."""


def in_notebook() -> bool:
    """Whether outputs go to a page: a kernel runs this, not a terminal or a plain interpreter."""
    return getattr(get_ipython(), "kernel", None) is not None


class SavedPicture:
    """The picture beside a live view, kept up to date once it was shown.

    Args:
        draw: makes the table, in HTML.
        take: makes the picture; None where the view has none.

    Attributes:
        name: the HTML carries the class ``mw-saved-<name>``; the live view hides that.
    """

    def __init__(self, draw: Callable[[], str], take: Callable[[], Snapshot | None]) -> None:
        self.name = uuid4().hex
        self._draw, self._take = draw, take
        self._taken: Snapshot | None = None
        self._html = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None

    def show(self) -> None:
        """Publish it as an output of the cell that runs."""
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._redraw()
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
        if self._redraw():
            bundle = self._bundle()
            update_display(bundle, raw=True, display_id=self.name)  # type: ignore[no-untyped-call]

    def _redraw(self) -> bool:
        """Draw table and picture; whether either is another than before."""
        before = self._html, self._taken
        self._html, self._taken = self._draw(), self._take()
        return before != (self._html, self._taken)

    def _bundle(self) -> dict[str, Any]:
        words = "Saved: run the cell for the live view."
        taken, body = self._taken, f"<p>{words}</p>{self._html}"
        if taken is not None:
            folded = f"<details><summary>{words} Its numbers as a table</summary>{self._html}"
            body = f"{taken.image()}{folded}</details>"
        # JupyterLab says in the live view's place that its model is gone. In a trusted notebook
        # this hides that place as long as no view is drawn there; in another the rule is dropped.
        here = f".jp-OutputArea-child:has(+ .jp-OutputArea-child .mw-saved-{self.name})"
        body += f"<style>{here}:not(:has(.mw)){{display:none}}</style>"
        return {
            "text/html": f'<div class="mw-saved-{self.name}">{body}</div>',
            "text/plain": "(a table of the view's numbers)" if taken is None else repr(taken),
        }
