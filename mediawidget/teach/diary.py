"""What was done on the studies of a lesson, written down so that it can be run again."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import xxhash

from ..errors import require
from ..history import Intervention
from ..prompts import Contrast
from ..readouts import Readout
from ..runs import Run
from ..study import Study, refuse_no_study
from ..workers import Worker

MOST_RUNS = 1000
"""What is written down of a lesson; the newest."""


class Diary:
    """Interventions in order, with both numbers.

    Args:
        changed: called after an entry.

    Attributes:
        studies: by name.
        runs: ``{"study", "prompts", "metric", "run", "Y10", "Y01"}``, plain data; the prompts as
            ``prompts_of`` names them.
        met: by the name of a study and of its prompts, what it was asked on so far.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.studies: dict[str, Study] = {}
        self.runs: list[dict[str, Any]] = []
        self.met: dict[tuple[str, str], tuple[Contrast, Readout]] = {}
        self._changed = changed
        self._pauses = 0
        self._stops: dict[str, Callable[[], None]] = {}

    def watch(self, study: Study, name: str) -> None:
        """Write down what is done on a study from now on, once, under its latest name.

        A name that is taken changes hands.
        """
        refuse_no_study(study)
        given: object = name
        require(
            isinstance(given, str) and bool(given),
            "A watched study has a name.",
            value=name,
            expected="a text",
            fix="lesson.watch(study, 'swapped names')",
        )
        for other in [it for it in self._stops if it == name or self.studies[it] is study]:
            self._stops.pop(other)()
        self.studies[name] = study
        seen: list[Intervention | None] = [study.history.current]
        self._meet(name, study)

        def note(event: str) -> None:
            if event == "prompts":
                self._meet(name, study)
            entry = study.history.current
            if event != "result" or entry is None or entry is seen[0]:
                return
            seen[0] = entry
            if not self._pauses:
                self._add(name, study, entry)

        self._stops[name] = study.subscribe(note)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is run within was not done by the student, and is not written down."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1

    def worker(self, *asking: object) -> Worker | None:
        """Where it waits that a study is on a server: the study of these, or one of those watched.

        None where all are of this machine.
        """
        theirs = [getattr(it, "study", None) for it in asking]
        studies = [it for it in (*theirs, *self.studies.values()) if isinstance(it, Study)]
        return next((it.lm.worker for it in studies if it.lm.worker is not None), None)

    def _meet(self, name: str, study: Study) -> None:
        self.met[name, prompts_of(study)] = study.contrast, study.readout

    def _add(self, name: str, study: Study, entry: Intervention) -> None:
        corners = entry.effect.corners()
        numbers = {key: float(np.mean(corners[key])) for key in ("Y10", "Y01")}
        if not all(math.isfinite(number) for number in numbers.values()):
            return
        run = {
            "study": name,
            "prompts": prompts_of(study),
            "metric": study.metric.to_json(),
            "run": Run("corrupt", entry.edits, entry.freeze).to_json(),
        }
        self.runs = [*self.runs, run | numbers][-MOST_RUNS:]
        self._changed()


def prompts_of(study: Study) -> str:
    """A short name of a study's prompts and of where they are read, other for others."""
    asked = [study.contrast.to_json(), study.readout.to_json()]
    return xxhash.xxh3_64_hexdigest(json.dumps(asked, sort_keys=True).encode())
