"""What every page has in common, of a study or not: its bundle, its messages, its picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anywidget
import traitlets as t
from IPython.display import display

from ..errors import MediationError
from ..turns import in_kernel
from ._saved import SavedPicture, in_notebook
from .exports.leaving import Leaving

STATIC = Path(__file__).parent.parent / "static"


def front_end(stem: str) -> tuple[Path | None, Path | None]:
    """The script and the style sheet of a view; None where they were not built."""
    script, style = STATIC / f"{stem}.js", STATIC / f"{stem}.css"
    return (script, style) if script.is_file() and style.is_file() else (None, None)


class Page(anywidget.AnyWidget, Leaving):
    """What is drawn in a cell: live, and as a plain table where no kernel can draw it."""

    _saved_as = t.Unicode().tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        if self._esm is None:
            raise MediationError(
                "The front end has not been built.",
                value=f"no script for {type(self).__name__} in mediawidget/static",
                expected="the bundle that every installed package has",
                fix="make setup, or in js/: npm ci && node build.mjs",
            )
        self._saved = SavedPicture(self._html, self._picture)
        super().__init__(_saved_as=self._saved.name, **traits)

    def _html(self) -> str:
        """The same numbers as plain HTML, every text escaped."""
        raise NotImplementedError

    def notify_change(self, change: Any) -> None:
        """Tell of a trait on the kernel's own thread, where those who observe it live."""
        in_kernel(lambda: super(Page, self).notify_change(change))

    def send(self, content: Any, buffers: Any = None) -> None:
        """Send a message from the kernel's own thread, in order with the traits.

        Args:
            content: what JSON holds.
            buffers: bytes that go with it.
        """
        in_kernel(lambda: super(Page, self).send(content, buffers))

    def close(self) -> None:
        """Let go of the page."""
        if hasattr(self, "_saved"):
            self._saved.forget()
        super().close()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The live view, and for a page that has no kernel a plain table of the same numbers."""
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle
        return {**data, "text/html": self._html()}, metadata

    def _ipython_display_(self) -> None:
        """In a notebook: the live view alone, and the table as an output of its own beside it."""
        bundle = super()._repr_mimebundle_() if in_notebook() else None
        if bundle is None:
            raise NotImplementedError  # to IPython: go on with _repr_mimebundle_
        data, metadata = bundle
        # What a notebook that is not trusted shows above the picture.
        words = {
            "text/plain": f"{type(self).__name__} as it was last: run the cell to click in it."
        }
        display({**data, **words}, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        self._saved.show()
