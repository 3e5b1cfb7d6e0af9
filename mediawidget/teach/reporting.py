"""What came of a lesson: credit, score, and a report for the student or the teacher."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import MediationError, require
from .attempts import AnswersFile, Attempt, write_answers
from .questions import Question, Verdict

_OF_ATTEMPTS = ("guess", "committed", "hints", "revealed", "right", "answer")
_COLUMNS = ["lesson", "student", "question", "kind", "misconception", "points", *_OF_ATTEMPTS]


class Reporting(ABC):
    """What is told of the answers that a lesson holds."""

    name: str
    student: str
    questions: dict[str, Question]
    attempts: dict[str, Attempt]

    @abstractmethod
    def verdict(self, name: str) -> Verdict:
        """What came out for a committed guess."""

    @abstractmethod
    def _answers(self) -> AnswersFile:
        """What was begun, as a file holds it."""

    @property
    def credit(self) -> int:
        """How many guesses were committed, right or not."""
        return sum(bool(self.attempts[name].committed) for name in self.questions)

    @property
    def score(self) -> tuple[float, float]:
        """Points of the guesses that were revealed and right, and points of all questions judged.

        Questions in one's own words are judged by people.
        """
        judged = [q for q in self.questions.values() if q.KIND not in ("text", "do")]
        right = [q for q in judged if self.attempts[q.id].right]
        return math.fsum(q.points for q in right), math.fsum(q.points for q in judged)

    def report(self) -> pd.DataFrame:
        """A row per question: what was guessed, when, with how many hints, and what was shown."""
        return pd.DataFrame([self._row(name) for name in self.questions], columns=_COLUMNS)

    def judged(self) -> pd.DataFrame:
        """The report with every committed guess judged now, shown or not: for the teacher.

        Returns:
            The rows of ``report``, with what was judged.
        """
        rows = []
        for name in self.questions:
            found = self.verdict(name) if self.attempts[name].committed else None
            told = {} if found is None else {"right": found.right, "answer": found.words}
            rows.append(self._row(name) | told)
        return pd.DataFrame(rows, columns=_COLUMNS)

    def save(self, path: str | Path) -> Path:
        """Write the report: .json (what the grader reads, with the runs) or .csv (a table).

        Raises:
            MediationError: another ending, or it cannot be written there.
        """
        path = Path(path)
        require(
            path.suffix in (".json", ".csv"),
            "A report is written as JSON or CSV.",
            value=str(path),
            expected="a path that ends in .json or .csv",
            fix="lesson.save('report.csv')",
        )
        try:
            if path.suffix == ".csv":
                path.parent.mkdir(parents=True, exist_ok=True)
                self.report().to_csv(path, index=False, encoding="utf-8", errors="replace")
            else:
                write_answers(path, self._answers())
        except OSError as error:
            raise MediationError(
                "The report cannot be written there.",
                value=f"{path}: {error.strerror or error}",
                expected="a path in a folder that you may write to",
                fix="lesson.save('/tmp/report.json')",
            ) from error
        return path

    def _row(self, name: str) -> dict[str, Any]:
        question, attempt = self.questions[name], self.attempts[name]
        return {
            "lesson": self.name,
            "student": self.student,
            "question": name,
            "kind": question.KIND,
            "misconception": question.misconception,
            "points": question.points,
            **{field: getattr(attempt, field) for field in _OF_ATTEMPTS},
        }
