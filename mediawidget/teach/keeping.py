"""A lesson's file of answers while notebooks run: what another one wrote there is never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import MediationError, require
from .attempts import AnswersFile, Attempt, read_answers, write_answers
from .shuffle import plain_name


class Keeper:
    """Reads and writes one file, and sees when somebody else wrote it.

    Args:
        file: where it is, or will be.
        lesson, student: whose answers may be in it.
    """

    def __init__(self, file: Path, lesson: str, student: str) -> None:
        self.file, self.lesson, self.student = file, lesson, student
        self._seen: tuple[int, ...] | None = None

    def news(self) -> AnswersFile | None:
        """What the file holds, where it is another than was last read or written here.

        Raises:
            MediationError: it cannot be read, or is of another lesson or student.
        """
        now = self._stamp()
        if now is None or now == self._seen:
            return None
        kept = self._read()
        require(
            kept.lesson == self.lesson and plain_name(kept.student) == plain_name(self.student),
            "This file of answers is of another lesson or student.",
            value=f"{self.file}: {kept.lesson!r}, {kept.student!r}",
            expected=f"{self.lesson!r}, {self.student!r}",
            fix="give the lesson a file of its own, or move the old one away",
        )
        self._seen = now
        return kept

    def write(self, answers: AnswersFile) -> None:
        """Put these in its place.

        Raises:
            OSError: it cannot be written there.
        """
        write_answers(self.file, answers)
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, ...] | None:
        """What is another for every file that is put there; None without a file."""
        try:
            it = self.file.stat()
        except OSError:  # a folder that shows nothing has nothing that could be lost either
            return None
        return it.st_ino, it.st_mtime_ns, it.st_size

    def _read(self) -> AnswersFile:
        try:
            kept = read_answers(self.file)
            # What could not be written again would be in the way of every later answer.
            answers = [attempt.to_json() for attempt in kept.answers.values()]
            json.dumps([answers, kept.runs], allow_nan=False)
        except (MediationError, ValueError) as error:
            why = error.value if isinstance(error, MediationError) else error
            raise MediationError(
                "The lesson's file of answers cannot be read, and stays as it is.",
                value=f"{self.file}: {why}"[:300],
                expected="what the lesson wrote there",
                fix="rename it, or give the lesson another file=, and run the cell again",
            ) from error
        return kept


def further(ours: Attempt, theirs: Attempt) -> Attempt:
    """Of two records of one question: of two guesses the first, then the one with more done."""
    if ours.committed and theirs.committed and ours.committed != theirs.committed:
        return min(ours, theirs, key=lambda it: it.committed)

    def done(it: Attempt) -> tuple[bool, bool, int]:
        return bool(it.committed), it.revealed, it.hints

    return theirs if done(theirs) > done(ours) else ours


def both(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Two lists that begin alike: ours, then what only the other has."""
    pairs = zip(ours, theirs, strict=False)
    alike = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(ours), len(theirs)))
    return [*ours, *theirs[alike:]]
