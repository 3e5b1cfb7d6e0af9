"""What a study takes for the truth: its base runs, and whether what was run still answers it."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .checks import read_by
from .effects import Effect, Status
from .engine import Engine
from .errors import require
from .grids import Grids
from .history import History
from .lm import LM
from .metrics import Metric
from .precision import logits_of, tolerance
from .prompts import Contrast
from .statistics import clusters_of, groups_of
from .validity import Check, premises
from .watchers import Watchers


class BaseRuns(ABC):
    """The unedited runs of a study. Where they come out otherwise, what is older is forgotten."""

    lm: LM
    engine: Engine
    contrast: Contrast
    history: History
    revision: int
    _metric: Metric
    _grids: Grids
    _estimates: Grids
    _proven: dict[Any, list[Check]]
    _total: Effect | None
    _last: Effect | None
    _watchers: Watchers
    _version: tuple[int, ...]

    @property
    def total(self) -> Effect:
        """The base runs alone, an effect without axes: Y11, Y00, TE.

        They are run anew whenever they are asked for, one pass of two rows a pair, for no cheaper
        way sees every change of a weight. On a server, where none is seen but by what is run, they
        are run once.
        """
        if self.lm.remote is not None and self._total is not None and not self._stale:
            return self._total
        with self.unmoved():
            bases = self.engine.evaluate([]).bases
        self.admit(bases)
        return self.known_total

    @property
    def known_total(self) -> Effect:
        """The base runs as they were in whatever ran last; they are run if nothing has."""
        if self._total is None:
            return self.total
        return self._total

    def _forget(self) -> None:
        self._grids.clear()
        self._estimates.clear()
        self._proven.clear()
        self.history = self._no_history()
        self._total = self._last = None
        self._version = self.lm.version()
        self.revision += 1

    @property
    def _stale(self) -> bool:
        """Whether modules or weights are others than when anything was run."""
        return self.lm.version() != self._version

    def _no_history(self) -> History:
        return History(renamed=lambda: self._watchers.tell("name"))

    @contextmanager
    def unmoved(self) -> Iterator[None]:
        """For what is run in it: nobody asks this study something else meanwhile.

        A cell may, while a click waits for a server.

        Raises:
            MediationError: somebody did, so what was run is no answer any more.
        """
        before = self.engine, self.revision
        yield
        require(
            before == (self.engine, self.revision),
            "The prompts or the edit changed while this was run.",
            value=f"revision {before[1]}",
            expected=f"revision {self.revision}",
            fix="ask it again of what the study asks now",
        )

    def admit(self, bases: Any) -> bool:
        """Take new base runs as the present truth; if they moved, forget what is older.

        Returns whether they moved.
        """
        known = self._total
        now, columns = logits_of(bases, self.engine.columns), self.engine.columns
        gap = 0.0 if known is None else np.abs(logits_of(known.bases, columns) - now).max()
        moved = not gap <= tolerance(self.lm, now)
        changed = moved or self._stale
        if changed:
            self._forget()
            known = None
            self._watchers.tell("prompts")
        if known is None:
            self._total = Effect(
                axes={},
                bases=bases,
                edited=np.full_like(bases, np.nan),
                status=np.array(Status.NOT_RUN, dtype=np.uint8),
                metric=self._metric,
                checks=tuple(
                    premises(bases, self._metric.over(self.engine.columns), read_by(self.lm))
                ),
                columns=self.engine.columns,
                clusters=clusters_of(self.contrast),
                groups=groups_of(self.contrast),
            )
        return changed
