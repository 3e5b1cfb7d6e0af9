"""Runs that a student wrote down, run again: do their numbers come back?

A file of answers says what was run, on which prompts and under which metric. Prompts are taken from
the teacher's notebook and never from the file, so a file cannot make the grader read anything.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import MediationError
from ..metrics import SavedFunction, metric_from_json
from ..precision import tolerance
from ..runs import Run, both_directions
from ..sites import Site
from ..study import Study
from .attempts import AnswersFile
from .lesson import Lesson
from .shuffle import order_of

BATCH = 100
"""Runs that are evaluated together."""
LARGEST_RUN = 100_000
"""Characters of a run as JSON; one of all heads of the embedded model is 3,000."""
SECONDS = 60.0
"""For the runs of one file."""

Corners = tuple[float, float]
"""Y10 and Y01, means over pairs in the metric's unit; of a constant both runs under it."""


@dataclass
class Comparison:
    """What became of the runs of a file.

    Attributes:
        listed: how many the file lists.
        back: how many gave their numbers again.
        differ: a sentence for each that did not.
        left: why others were not run, and how often.
    """

    listed: int = 0
    back: int = 0
    differ: list[str] = field(default_factory=list)
    left: dict[str, int] = field(default_factory=dict)

    def leave(self, why: str) -> None:
        """Count one that is not run."""
        self.left[why] = self.left.get(why, 0) + 1


@dataclass(frozen=True)
class _Listed:
    """A run of a file that can be run: where, in the labels of the model at hand, and its numbers.

    ``label`` is in the student's labels.
    """

    place: tuple[str, str, str]
    run: Run
    label: str
    said: Corners

    @property
    def key(self) -> str:
        """The same for the same run, whoever did it."""
        return json.dumps([self.place, self.run.to_json()], sort_keys=True)


class Rerunner:
    """Runs again what files list, in batches; what several students ran is run once.

    Args:
        lesson: the teacher's, whose studies the runs are done on.
    """

    def __init__(self, lesson: Lesson) -> None:
        self.lesson = lesson
        self._found: dict[str, tuple[Corners, float]] = {}
        self._studies: dict[tuple[str, str, str], Study] = {}

    def compare(self, kept: AnswersFile) -> Comparison:
        """Run what a file lists, and hold its numbers against what comes."""
        until = time.monotonic() + SECONDS
        told = Comparison(len(kept.runs))
        groups: dict[tuple[str, str, str], list[_Listed]] = {}
        for data in kept.runs:
            try:
                one = self._read(data, kept.student)
            except _Left as left:
                told.leave(str(left))
            else:
                groups.setdefault(one.place, []).append(one)
        for place, several in groups.items():
            for start in range(0, len(several), BATCH):
                batch = several[start : start + BATCH]
                if time.monotonic() < until:
                    self._evaluate(place, batch)
                for one in batch:
                    self._judge(one, told)
        return told

    def _judge(self, one: _Listed, told: Comparison) -> None:
        if one.key not in self._found:
            told.leave("no time was left")
            return
        found, margin = self._found[one.key]
        off = [abs(a - b) for a, b in zip(found, one.said, strict=True)]
        if all(one_off <= margin for one_off in off):  # a NaN is not
            told.back += 1
            return
        which = int(np.argmax(np.where(np.isnan(off), np.inf, off)))
        name = ("Y10", "Y01")[which]
        told.differ.append(
            f"{one.label}: {name} is written down as {one.said[which]:.4g}, "
            + ("and cannot be run" if math.isnan(found[which]) else f"and is {found[which]:.4g}")
        )

    def _read(self, data: Mapping[str, Any], student: str) -> _Listed:
        """One entry of a file, checked."""
        diary = self.lesson.diary
        name, prompts = data.get("study"), data.get("prompts")
        if not (isinstance(name, str) and isinstance(prompts, str)):
            raise _Left("unreadable")
        if name not in diary.studies:
            raise _Left("of a study that the lesson does not have")
        if (name, prompts) not in diary.met:
            raise _Left("on prompts that the lesson does not have")
        said = tuple(data.get(corner) for corner in ("Y10", "Y01"))
        if not all(isinstance(it, float | int) and math.isfinite(it) for it in said):
            raise _Left("without numbers")
        try:
            if len(json.dumps(data)) > LARGEST_RUN:
                raise _Left("too large")
            lm = diary.studies[name].lm
            theirs, ours = order_of(lm, student), order_of(lm, self.lesson.student)

            def moved(site: Site) -> Site:
                return ours.theirs(theirs.canonical(site))

            run = Run.from_json(_with_sites(data["run"], moved))
            metric = metric_from_json(data["metric"])
            label = " + ".join(Site.from_json(e["site"]).label() for e in data["run"]["edits"])
        except (MediationError, LookupError, TypeError, ValueError, RecursionError) as error:
            raise _Left("unreadable") from error
        if isinstance(metric, SavedFunction):
            raise _Left("under a metric of one's own")
        if not run.edits:
            raise _Left("unreadable")
        place = (name, prompts, json.dumps(metric.to_json(), sort_keys=True))
        return _Listed(place, run, label[:200], (float(said[0]), float(said[1])))  # type: ignore[arg-type]

    def _evaluate(self, place: tuple[str, str, str], batch: Sequence[_Listed]) -> None:
        """Run what was not run yet; of runs that cannot be, NaN is kept."""
        new = {one.key: one.run for one in batch if one.key not in self._found}
        if not new:
            return
        try:
            self._found |= dict(zip(new, self._corners(place, list(new.values())), strict=True))
        except Exception:  # noqa: BLE001 - one bad run: all are run one by one
            for key, run in new.items():
                try:
                    self._found[key] = next(self._corners(place, [run]))
                except Exception:  # noqa: BLE001 - whatever a file asks for, the others go on
                    self._found[key] = (math.nan, math.nan), 0.0

    def _corners(
        self, place: tuple[str, str, str], runs: Sequence[Run]
    ) -> Iterator[tuple[Corners, float]]:
        study = self._study(place)
        edits, freezes = [dict(run.edits) for run in runs], [run.freeze for run in runs]
        both = [
            run
            for edit, freeze in zip(edits, freezes, strict=True)
            for run in both_directions([edit], freeze)
        ]
        outcomes = study.engine.evaluate(both)
        values = outcomes.values(study.metric).mean(axis=1)
        margin = tolerance(study.lm, outcomes.bases)
        for corrupt, clean in values.reshape(-1, 2):
            yield (float(clean), float(corrupt)), margin

    def _study(self, place: tuple[str, str, str]) -> Study:
        """The teacher's study, on the prompts and under the metric of a run."""
        if place not in self._studies:
            name, prompts, metric = place
            contrast, readout = self.lesson.diary.met[name, prompts]
            self._studies[place] = Study(
                self.lesson.diary.studies[name].lm,
                contrast,
                metric_from_json(json.loads(metric)),
                readout=readout,
            )
        return self._studies[place]


class _Left(Exception):  # noqa: N818 - no error: a run that is not run, and why
    pass


def _with_sites(data: Any, moved: Any) -> Any:
    """A run as JSON with every site in it moved, those of its sources too."""
    if isinstance(data, list):
        return [_with_sites(it, moved) for it in data]
    if not isinstance(data, dict):
        return data
    if "mediator" in data:
        return moved(Site.from_json(data)).to_json()
    return {key: _with_sites(it, moved) for key, it in data.items()}
