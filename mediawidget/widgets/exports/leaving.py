"""What every view can be saved as."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from ...errors import MediationError
from .page import html_of
from .pictures import Look, picture
from .snapshot import Snapshot, Writer, write
from .tables import csv_of, json_of

if TYPE_CHECKING:
    from .._page import Page


class Leaving:
    """Pictures, tables and pages of a view; every one says what it is of."""

    def snapshot(
        self,
        path: str | Path | None = None,
        *,
        unit: str = "percent",
        palette: str = "rdbu",
    ) -> Snapshot:
        """A picture of the view as it is now, which shows itself in a notebook.

        Args:
            path: where to save it too: .svg, .png (needs the extra "png") or .html.
            unit: "percent" of the total effect, or "raw", in the metric's unit.
            palette: "rdbu" or "puor".

        Raises:
            MediationError: another ending, no extra "png", or a place that cannot be written to.

        Example:
            >>> view.snapshot("figure.svg")
        """
        taken = picture(cast("Page", self), Look(unit, palette))
        if path is not None:
            taken.save(path)
        return taken

    def _picture(self) -> Snapshot | None:
        """What a saved notebook shows of it; None where none can be drawn."""
        try:
            return self.snapshot()
        except MediationError:
            return None

    def export(self, path: str | Path, *, unit: str = "percent", palette: str = "rdbu") -> Path:
        """Write the view as its path ends.

        Args:
            path: .svg or .png, a picture; .csv or .json, the numbers; .html, a page on which
                what was computed can be pointed at and clicked (``mw.export_html``).
            unit: of the picture: "percent" of the total effect, or "raw", in the metric's unit.
            palette: of the picture: "rdbu" or "puor".

        Raises:
            MediationError: another ending, no extra "png", or a place that cannot be written to.

        Example:
            >>> view.export("numbers.csv")
        """
        writers = writers_of(cast("Page", self), Look(unit, palette))
        return write(path, writers, "view.export('figure.svg')")


def writers_of(page: Page, look: Look) -> dict[str, Writer]:
    """What makes each form of a view, by the ending of its file."""
    return {
        ".svg": lambda: picture(page, look).svg,
        ".png": lambda: picture(page, look).png(),
        ".csv": lambda: csv_of(page, look),
        ".json": lambda: json_of(page, look),
        ".html": lambda: html_of([page]),
    }
