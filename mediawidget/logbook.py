"""The records of a study: where we are in them, what they say, and how they are kept."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from .comparing import compare
from .effect_files import as_path
from .effects import Effect
from .grids import Grids
from .history import History, Intervention
from .sites import Site
from .sweeps import Sweep
from .watchers import Watchers

if TYPE_CHECKING:
    import pandas as pd

    from .engine import Engine
    from .lm import LM
    from .metrics import Metric
    from .prompts import Contrast

_FILE = "A study", "a path", "study.save('study.json')"
"""What is said of a path that is none."""


@dataclass(frozen=True)
class Record:
    """What was run of a study's question. What was estimated is not in it.

    Attributes:
        columns: what its runs keep.
        entries: of the history, with a name each, and where we are in it.
        grids: of all edits.
        total: the base runs. last: the result that came last.
    """

    columns: tuple[str, ...]
    entries: Sequence[Intervention | None]
    names: Sequence[str]
    cursor: int
    grids: Grids
    total: Effect | None
    last: Effect | None


class Logbook(ABC):
    """What every study has of records, beside the question itself.

    Attributes:
        history: the interventions on the present prompts, whatever the edit;
            ``study.history.name(1, "...")`` calls one something.
    """

    history: History
    engine: Engine
    _contrast: Contrast
    _grids: Grids
    _estimates: Grids
    _total: Effect | None
    _last: Effect | None
    _watchers: Watchers

    @property
    @abstractmethod
    def known_total(self) -> Effect:
        """The base runs as they were in whatever ran last."""

    @property
    def last(self) -> Effect | None:
        """The result that came last or that undo went back to."""
        return self._last

    def held(self, sweep: Sweep) -> tuple[Effect | None, Effect | None]:
        """What was run of a sweep and what was estimated, whatever the study's own edit is."""
        kept = (grids.under(sweep.edit) for grids in (self._grids, self._estimates))
        ran, guessed = (found.get(sweep.key) for found in kept)
        return ran, guessed

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

        Args:
            first: the number of an entry, as ``study.history`` counts them.
            second: that of another.
            level: of the intervals.

        Returns:
            A row per quantity: means over pairs ``first`` and ``second``, ``difference`` (first
            minus second), and the ends ``low`` and ``high`` of its interval, in the metric's unit.

        Raises:
            MediationError: no such entry, a cleared one, or two without a quantity in common.

        Example:
            >>> for head in range(2):
            ...     study.intervene(mw.Site("head", 3, head=head))
            >>> study.compare(1, 2).loc["PIE", "difference"]
        """
        return compare(self.history, first, second, level)

    # --- files --------------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the study as JSON: prompts, metric, readout, edits, history with names, all grids.

        Numbers to the last bit, no pickle. The weights are not in it, but what tells them from
        others. A metric of your own is written by its name alone. Estimates are not in it. Of a
        model on a server the ids of the jobs that are open are in it: whoever has the file may
        read what comes of them.

        Raises:
            MediationError: a place that cannot be written to; results of weights that have changed
                since; a network that is no language model.

        Example:
            >>> study.save("study.json")
            >>> mw.Study.load("study.json", lm).undo()
        """
        from . import study_files
        from .networks import refuse_network

        fix = "effect.save('effect.json') keeps one result, and mw.Effect.load reads it"
        refuse_network(self.engine.lm, "A study in a file", fix)
        return study_files.save(self, as_path(path, *_FILE))  # type: ignore[arg-type]

    @classmethod
    def load(
        cls, path: str | Path, lm: LM, *, rerun: bool = False, metric: Metric | None = None
    ) -> Self:
        """A saved study, which answers as it did: nothing but the base runs is run.

        Args:
            path: what ``save`` wrote.
            lm: the model the study was made with.
            rerun: keep the prompts, the metric, the edit and the list of interventions, and run
                these on ``lm``, whatever its weights; grids are not kept then.
            metric: instead of the saved one; needed where that is a function of yours.

        Raises:
            MediationError: no file of a study, one that was cut short or changed; another model,
                other weights or another tokenizer; a metric that a file cannot hold.
        """
        from . import study_files

        kind: Any = cls
        return study_files.load(kind, as_path(path, *_FILE), lm, metric, rerun=rerun)  # type: ignore[return-value]

    def to_code(self, model: str | None = None) -> str:
        """What is selected as a short script of nnsight that runs without this package.

        It loads the model, runs it, and prints the means over pairs: Y11, Y00, TE, and under an
        edit Y10, Y01, PIE, TIE, INT or ``clean``, ``corrupt``, ``difference``. No result is
        written into it. With nothing selected it runs the two prompts. Run it as a file: a trace
        reads its own source lines.

        Args:
            model: the name on the hub or the folder to load from; default, where the model was
                loaded from. Of a model that was given, or whose weights have changed since it was
                loaded, the script leaves the place open.

        Raises:
            MediationError: something that there is no code for: frozen sites, noise, other pairs'
                values, captured values, prompts of unequal lengths, a metric of your own, a
                network that is no language model.
        """
        from .coding import script
        from .networks import refuse_network

        fix = "keep your lines: mw.load(module, points={...}), mw.Study(network, pairs), the sweep"
        refuse_network(self.engine.lm, "A script of what was run", fix)
        study: Any = self
        return script(study, model)

    def record(self) -> Record:
        """What was run, to be kept; on a server nothing is run for that."""
        far = getattr(self.engine.lm, "remote", None) is not None
        return Record(
            columns=self.engine.columns,
            entries=tuple(self.history),
            names=self.history.names,
            cursor=self.history.cursor,
            grids=self._grids,
            total=self._total if far else self.known_total,
            last=self._last,
        )

    def restore(self, record: Record) -> None:
        """Take over what was kept under this very question, in the place of all that is there."""
        self._set_contrast(self._contrast, record.columns)
        self.history.fill(record.entries, record.names, record.cursor)
        self._grids, self._total, self._last = record.grids, record.total, record.last
        self._watchers.tell("prompts")

    @abstractmethod
    def _set_contrast(self, contrast: Contrast, columns: Sequence[str] = ()) -> None:
        """Ask of these pairs, keeping these columns of what is run."""

    def _move(self, by: int) -> bool:
        moved = self.history.move(by)
        if moved:
            self._last = self.history.current.effect if self.history.current else None
            self._watchers.tell("result")
        return moved
