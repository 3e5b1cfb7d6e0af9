"""What a student did with a question, and the file in which that is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..errors import MediationError, reading
from ..study_files import put_in_place

FORMAT = "mediawidget answers 1"
LARGEST = 20_000_000
"""Bytes of a file of answers; a lesson's are a few thousand."""


@dataclass
class Attempt:
    """One question's state.

    Attributes:
        guess: what was committed, plain data; None before.
        committed: when, ISO 8601 in UTC; empty before.
        sites: for a pick, the guessed sites as JSON, which no renaming of cells changes.
        hints: how many were asked for.
        revealed: whether the answer was looked at.
        right: what was said of the guess then; None where nothing was.
        answer: the answer in words, as it was shown.
    """

    guess: Any = None
    committed: str = ""
    sites: list[dict[str, Any]] | None = None
    hints: int = 0
    revealed: bool = False
    right: bool | None = None
    answer: str = ""

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Attempt.from_json`` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Attempt:
        """The inverse of ``to_json``; what has another type than it should is refused."""
        with reading("answer", data):
            attempt = cls(**data)
            kinds = {
                "committed": str,
                "sites": list | None,
                "hints": int,
                "revealed": bool,
                "right": bool | None,
                "answer": str,
            }
            for name, kind in kinds.items():
                if not isinstance(getattr(attempt, name), kind):
                    raise TypeError(name)
        return attempt


@dataclass(frozen=True)
class AnswersFile:
    """What a file of answers holds.

    Attributes:
        lesson: its name.
        student: whose labels the answers are in; empty for the model's own.
        answers: by question.
        runs: the interventions that were done: ``{"study", "prompts", "metric", "run", "Y10",
            "Y01"}``, the run as ``Run.to_json`` gives it, on the corrupt base; numbers in the
            metric's unit.
    """

    lesson: str
    student: str
    answers: Mapping[str, Attempt]
    runs: list[dict[str, Any]]


def write_answers(path: str | Path, answers: AnswersFile) -> None:
    """Write them, whole or not at all; folders are made.

    Raises:
        OSError: it cannot be written there.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    body = {
        "format": FORMAT,
        "lesson": answers.lesson,
        "student": answers.student,
        "answers": {name: attempt.to_json() for name, attempt in answers.answers.items()},
        "runs": answers.runs,
    }
    put_in_place(path, json.dumps(body, indent=1, allow_nan=False) + "\n")


def read_answers(path: str | Path) -> AnswersFile:
    """Read a file of answers; nothing in it is ever executed.

    Raises:
        MediationError: there is none, or it is none.
    """
    try:
        with Path(path).open("rb") as file:
            raw = file.read(LARGEST + 1)
        body = json.loads(raw) if len(raw) <= LARGEST else None
    except (OSError, ValueError, RecursionError) as error:
        raise _no_answers(path, f"{type(error).__name__}: {error}") from error
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise _no_answers(path, "another format")
    names = (body.get("lesson"), body.get("student"))
    found, runs = body.get("answers"), body.get("runs")
    if not (all(isinstance(it, str) for it in names) and isinstance(found, dict)):
        raise _no_answers(path, "a field is missing")
    if not (isinstance(runs, list) and all(isinstance(run, dict) for run in runs)):
        raise _no_answers(path, "a field is missing")
    answers = {name: Attempt.from_json(data) for name, data in found.items()}
    return AnswersFile(body["lesson"], body["student"], answers, runs)


def _no_answers(path: str | Path, why: str) -> MediationError:
    return MediationError(
        "This is no file of answers.",
        value=f"{path}: {why}"[:300],
        expected="what a lesson wrote: mw.teach.Lesson(..., file='answers/01.json')",
        fix="hand in the file as the lesson wrote it",
    )
