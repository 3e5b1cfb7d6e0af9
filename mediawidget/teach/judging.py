"""Files of answers, judged by a lesson that ran: its questions compute what is right.

Every file is data: nothing in it is unpickled, evaluated or taken for a question, and whatever one
file does, the next one is judged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import error_fields, require
from ..sites import Site
from .attempts import AnswersFile, Attempt, read_answers
from .lesson import Lesson
from .picking import Pick
from .questions import LONGEST, Question, Verdict
from .rerunning import Comparison, Rerunner
from .shuffle import order_of, plain_name

Row = dict[str, Any]

COLUMNS = (
    *("file", "lesson", "student", "question", "kind", "misconception", "points"),
    *("guess", "committed", "hints", "revealed", "right", "answer", "score", "note"),
)
"""Of the table: a row per question, one for a file's runs, one for a file that cannot be judged."""

NOT_JUDGED = ("text", "do")
"""Kinds of question that people read, or that are done and not answered."""
LONGEST_NAME, LONGEST_GUESS, LONGEST_NOTE = 100, LONGEST, 500
"""Characters of what a file says, in the table."""
SHOWN = 3
"""Runs that differ, of which a note tells."""


class Judge:
    """Judges files by lessons, whose answers it computes once per guess.

    Args:
        lessons: those that ran in the teacher's notebook; of one name the last counts.
    """

    def __init__(self, lessons: Sequence[Lesson]) -> None:
        self.lessons = {lesson.name: lesson for lesson in lessons}
        self._rerunners = {name: Rerunner(it) for name, it in self.lessons.items()}
        self._verdicts: dict[tuple[str, str, str], Verdict | Exception] = {}

    def file(self, path: str) -> list[Row]:
        """The rows of one file; what is wrong with it is in their notes."""
        try:
            kept = read_answers(path)
            lesson = self._lesson(kept)
            rows = [self._row(lesson, kept, question) for question in lesson.questions.values()]
            strange = [name for name in kept.answers if name not in lesson.questions]
            compared = self._rerunners[lesson.name].compare(kept)
            rows.append(_runs(kept, compared, strange))
        except Exception as error:  # noqa: BLE001 - the next file must be judged all the same
            why = error_fields(error)
            rows = [{"note": f"Not judged. {why['message']} {why['value']}"[:LONGEST_NOTE]}]
        return [{"file": path} | row for row in rows]

    def _lesson(self, kept: AnswersFile) -> Lesson:
        require(
            kept.lesson in self.lessons,
            "These are answers of another lesson.",
            value=kept.lesson,
            expected=", ".join(map(repr, self.lessons)),
            fix="the teacher's notebook of that lesson",
        )
        return self.lessons[kept.lesson]

    def _row(self, lesson: Lesson, kept: AnswersFile, question: Question) -> Row:
        attempt = kept.answers.get(question.id, Attempt())
        row: Row = {
            "lesson": lesson.name,
            "student": kept.student[:LONGEST_NAME],
            "question": question.id,
            "kind": question.KIND,
            "misconception": question.misconception,
            "points": 0.0 if question.KIND in NOT_JUDGED else question.points,
            "guess": _shown(attempt.guess),
            "committed": attempt.committed[:LONGEST_NAME],
            "hints": attempt.hints,
            "revealed": attempt.revealed,
        }
        if not attempt.committed:
            return row
        try:
            guess = _own_guess(lesson, kept.student, question, attempt)
        except Exception as error:  # noqa: BLE001 - whatever stands there, the rest is judged
            why = error_fields(error)
            note = f"No answer to this question. {why['message']} {why['value']}"[:LONGEST_NOTE]
            return row | {"right": False, "score": 0.0, "note": note}
        if question.KIND in NOT_JUDGED:
            return row
        return row | self._judged(lesson, question, guess, attempt)

    def _judged(self, lesson: Lesson, question: Question, guess: Any, attempt: Attempt) -> Row:
        found = self._verdict(lesson, question, guess)
        if isinstance(found, Exception):
            note = f"The question could not compute its answer. {type(found).__name__}: {found}"
            return {"note": note}
        claimed = attempt.revealed and attempt.right != found.right
        return {
            "right": found.right,
            "answer": found.words,
            "score": question.points if found.right else 0.0,
            "note": f"The file says {_said(attempt.right)}." if claimed else "",
        }

    def _verdict(self, lesson: Lesson, question: Question, guess: Any) -> Verdict | Exception:
        """Computed once for all who guessed the same."""
        key = (lesson.name, question.id, json.dumps(guess))
        if key not in self._verdicts:
            try:
                self._verdicts[key] = question.verdict(guess)
            except Exception as error:  # noqa: BLE001 - the lesson's fault, said in the table
                self._verdicts[key] = error
        return self._verdicts[key]


def judge(lessons: Sequence[Lesson], paths: Sequence[str]) -> list[Row]:
    """The rows of all files, in their order; a name that two files of a lesson have is noted."""
    judges = Judge(lessons)
    files = [judges.file(path) for path in paths]
    owners = [(rows[0].get("lesson"), _plain(rows[0].get("student"))) for rows in files]
    times = Counter(owners)
    for rows, owner in zip(files, owners, strict=True):
        if owner[1] and times[owner] > 1:
            note = f"{times[owner]} files have this name."
            rows[-1]["note"] = f"{rows[-1].get('note') or ''} {note}".strip()
    return [row for rows in files for row in rows]


def judge_in_kernel(names: Mapping[str, Any], asked: str, told: str) -> None:
    """Judge by the lessons among a notebook's names; the grader's last cell.

    Args:
        names: ``globals()``.
        asked: a JSON file with the list of paths.
        told: where the rows go, as JSON.
    """
    lessons = [value for value in names.values() if isinstance(value, Lesson)]
    rows = judge(lessons, json.loads(Path(asked).read_text(encoding="utf-8")))
    body = {"lessons": [lesson.name for lesson in lessons], "rows": rows}
    Path(told).write_text(json.dumps(body, default=str), encoding="utf-8")


def _own_guess(lesson: Lesson, student: str, question: Question, attempt: Attempt) -> Any:
    """A guess in the labels of the model that is here.

    Raises:
        MediationError: it is no answer to the question.
    """
    if question.KIND == "do":
        return True
    if not isinstance(question, Pick):
        return question.accept(attempt.guess)
    require(
        bool(attempt.sites),
        "A pick comes with its sites.",
        value=attempt.guess,
        expected="the file as the lesson wrote it",
        fix="hand in that file",
    )
    lm = question.study.lm
    theirs, ours = order_of(lm, student), order_of(lm, lesson.student)
    sites = [ours.theirs(theirs.canonical(Site.from_json(it))) for it in attempt.sites or ()]
    return question.accept(list(question.study.labels(sites)))


def _runs(kept: AnswersFile, compared: Comparison, strange: Sequence[str]) -> Row:
    """The row of a file's runs."""
    left = sum(compared.left.values())
    words = [f"{n} not run again: {why}." for why, n in compared.left.items()]
    if compared.differ:
        more = len(compared.differ) - SHOWN
        words.append("; ".join(compared.differ[:SHOWN]) + (f"; {more} more." if more > 0 else "."))
    if strange:
        words.append(f"{len(strange)} answers to questions that the lesson does not ask.")
    return {
        "lesson": kept.lesson,
        "student": kept.student[:LONGEST_NAME],
        "kind": "runs",
        "right": not compared.differ if compared.listed > left else None,
        "answer": f"{compared.back} of {compared.listed} runs come back",
        "note": " ".join(words),
    }


def _shown(guess: Any) -> Any:
    """A guess as it stands in the table: cells by their names, anything strange as JSON."""
    if isinstance(guess, list) and all(isinstance(it, str) for it in guess):
        guess = " + ".join(guess)
    if guess is None or isinstance(guess, bool | int | float):
        return guess
    return (guess if isinstance(guess, str) else json.dumps(guess))[:LONGEST_GUESS]


def _said(right: bool | None) -> str:
    return {True: "right", False: "wrong", None: "nothing"}[right]


def _plain(student: object) -> str:
    return plain_name(student) if isinstance(student, str) else ""
