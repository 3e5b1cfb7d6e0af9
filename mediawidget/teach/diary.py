"""What was done on the studies of a lesson, written down so that it can be run again."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import require
from ..history import Intervention
from ..runs import Run
from ..study import Study, refuse_no_study

MOST_RUNS = 1000
"""What is written down of a lesson; the newest."""


class Diary:
    """Interventions in order, with both numbers.

    Args:
        changed: called after an entry.

    Attributes:
        studies: by name.
        runs: ``{"study", "run", "Y10", "Y01"}``, plain data.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self.studies: dict[str, Study] = {}
        self.runs: list[dict[str, Any]] = []
        self._changed = changed
        self._stops: dict[str, Callable[[], None]] = {}

    def watch(self, study: Study, name: str) -> None:
        """Write down what is done on a study from now on; a name that is taken changes hands."""
        refuse_no_study(study)
        given: object = name
        require(
            isinstance(given, str) and bool(given),
            "A watched study has a name.",
            value=name,
            expected="a text",
            fix="lesson.watch(study, 'swapped names')",
        )
        if name in self._stops:
            self._stops.pop(name)()
        self.studies[name] = study
        seen: list[Intervention | None] = [study.history.current]

        def note(event: str) -> None:
            entry = study.history.current
            if event != "result" or entry is None or entry is seen[0]:
                return
            seen[0] = entry
            self._add(name, entry)

        self._stops[name] = study.subscribe(note)

    def _add(self, name: str, entry: Intervention) -> None:
        corners = entry.effect.corners()
        numbers = {key: float(np.mean(corners[key])) for key in ("Y10", "Y01")}
        if not all(math.isfinite(number) for number in numbers.values()):
            return
        run = Run("corrupt", entry.edits, entry.freeze)
        self.runs = [*self.runs, {"study": name, "run": run.to_json(), **numbers}][-MOST_RUNS:]
        self._changed()
