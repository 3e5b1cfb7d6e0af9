"""The records of a study: where we are in them, what they say, and how they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .comparing import compare
from .effects import Effect
from .history import History
from .sites import Site
from .watchers import Watchers

if TYPE_CHECKING:
    import pandas as pd


class Logbook:
    """What every study has of records, beside the question itself.

    Attributes:
        history: the interventions under the present prompts and edit; ``study.history.name(1,
            "...")`` calls one something.
    """

    history: History
    _last: Effect | None
    _watchers: Watchers

    @property
    def last(self) -> Effect | None:
        """The result that came last or that undo went back to."""
        return self._last

    @property
    def selection(self) -> tuple[Site, ...]:
        """The sites of the intervention that views show."""
        current = self.history.current
        return current.sites if current else ()

    def undo(self) -> bool:
        """Show the intervention before; False if there is none."""
        return self._move(-1)

    def redo(self) -> bool:
        """Show the intervention that was undone; False if there is none."""
        return self._move(1)

    def walk(self, index: int) -> None:
        """Show any entry of the history; nothing is run and nothing forgotten.

        Raises:
            MediationError: there is no such entry.
        """
        self._move(self.history.at(index) - self.history.cursor)

    def clear(self) -> None:
        """Select nothing. Can be undone."""
        self.history.add(None)
        self._last = None
        self._watchers.tell("result")

    def compare(self, first: int, second: int, level: float = 0.95) -> pd.DataFrame:
        """What differs between two entries of the history: ``mediawidget.comparing.compare``.

        Example:
            >>> study.compare(1, 2).loc["PIE", "difference"]
        """
        return compare(self.history, first, second, level)

    def _move(self, by: int) -> bool:
        moved = self.history.move(by)
        if moved:
            self._last = self.history.current.effect if self.history.current else None
            self._watchers.tell("result")
        return moved
