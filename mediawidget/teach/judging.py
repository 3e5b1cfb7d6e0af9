"""Files of answers, judged by a lesson that ran: its questions compute what is right.

Every file is data: nothing in it is unpickled, evaluated or taken for a question, and whatever one
file does, the next one is judged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import MediationError, error_fields, require
from ..sites import Site
from .attempts import AnswersFile, Attempt, read_answers
from .lesson import Lesson
from .picking import Pick
from .questions import LONGEST, Choice, Number, Question, Verdict
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
    """Judges files by lessons while the teacher's notebook runs.

    A question is judged right behind the cell that asks it, as it is for a student: what a later
    cell changes (another metric, a name used again) changes no answer.

    Args:
        paths: of the files, in the order of the table.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self.files = {path: _read(path) for path in paths}
        self._asked: dict[tuple[str, str], Question] = {}
        self._rows: dict[tuple[str, str, str], Row] = {}
        self._verdicts: dict[str, Verdict | Exception] = {}

    def look(self, lessons: Sequence[Lesson]) -> None:
        """Judge what was asked since the last look, in every file of its lesson."""
        for lesson in lessons:
            for name, question in lesson.questions.items():
                if self._asked.get((lesson.name, name)) is question:
                    continue
                self._asked[lesson.name, name] = question
                self._verdicts.clear()
                question = _answered_once(question)  # noqa: PLW2901
                for path, kept in self.files.items():
                    if isinstance(kept, AnswersFile) and kept.lesson == lesson.name:
                        self._rows[path, lesson.name, name] = self._row(lesson, kept, question)

    def rows(self, lessons: Sequence[Lesson]) -> list[Row]:
        """The table: all files in their order; a name that two files of a lesson have is noted.

        The row of a file of another lesson has ``other`` too.
        """
        self.look(lessons)
        by_name = {lesson.name: lesson for lesson in lessons}
        rerunners = {name: Rerunner(lesson) for name, lesson in by_name.items()}
        files = [self._file(path, by_name, rerunners) for path in self.files]
        owners = [(rows[0].get("lesson"), _plain(rows[0].get("student"))) for rows in files]
        times = Counter(owners)
        for rows, owner in zip(files, owners, strict=True):
            if owner[1] and times[owner] > 1:
                note = f"{times[owner]} files have this name."
                rows[-1]["note"] = f"{rows[-1].get('note') or ''} {note}".strip()
        return [row for rows in files for row in rows]

    def _file(
        self, path: str, lessons: Mapping[str, Lesson], rerunners: Mapping[str, Rerunner]
    ) -> list[Row]:
        """The rows of one file; what is wrong with it is in their notes."""
        kept = self.files[path]
        rows: list[Row]
        if isinstance(kept, Exception):
            rows = [_not_judged(kept)]
        elif kept.lesson not in lessons:
            rows = [_not_judged(_of_another(kept, lessons)) | {"other": True}]
        else:
            asked = lessons[kept.lesson].questions
            rows = [self._rows[path, kept.lesson, name] for name in asked]
            strange = [name for name in kept.answers if name not in asked]
            try:
                rows.append(_runs(kept, rerunners[kept.lesson].compare(kept), strange))
            except Exception as error:  # noqa: BLE001 - the next file must be judged all the same
                rows.append(_not_judged(error) | {"kind": "runs"})
        return [{"file": path} | row for row in rows]

    def _row(self, lesson: Lesson, kept: AnswersFile, question: Question) -> Row:
        attempt = kept.answers.get(question.id, Attempt())
        row: Row = {
            "lesson": lesson.name,
            "student": kept.student[:LONGEST_NAME],
            "question": question.id,
            "kind": question.KIND,
            "misconception": question.misconception,
            "points": 0.0 if question.KIND in NOT_JUDGED else question.points,
            "committed": attempt.committed[:LONGEST_NAME],
            "hints": attempt.hints,
            "revealed": attempt.revealed,
        }
        if not attempt.committed:
            return row
        try:
            row["guess"] = _shown(attempt.guess)
            guess = _own_guess(lesson, kept.student, question, attempt)
        except Exception as error:  # noqa: BLE001 - whatever stands there, the rest is judged
            why = error_fields(error)
            note = f"No answer to this question. {why['message']} {why['value']}"[:LONGEST_NOTE]
            return row | {"right": False, "score": 0.0, "note": note}
        if question.KIND in NOT_JUDGED:
            return row
        return row | self._judged(question, guess, attempt)

    def _judged(self, question: Question, guess: Any, attempt: Attempt) -> Row:
        found = self._verdict(question, guess)
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

    def _verdict(self, question: Question, guess: Any) -> Verdict | Exception:
        """Computed once for all who guessed the same."""
        key = json.dumps(guess)
        if key not in self._verdicts:
            try:
                self._verdicts[key] = question.verdict(guess)
            except Exception as error:  # noqa: BLE001 - the lesson's fault, said in the table
                self._verdicts[key] = error
        return self._verdicts[key]


class InKernel:
    """The grader in the kernel of the teacher's notebook: told of every cell that ran.

    Args:
        shell: IPython's.
        asked: a JSON file with the list of paths.
    """

    def __init__(self, shell: Any, asked: str) -> None:
        self.names: Mapping[str, Any] = shell.user_ns
        self.judge = Judge(json.loads(Path(asked).read_text(encoding="utf-8")))
        shell.events.register("post_run_cell", self._ran)

    @property
    def lessons(self) -> list[Lesson]:
        """The lessons that the notebook has a name for."""
        return [value for value in list(self.names.values()) if isinstance(value, Lesson)]

    def tell(self, told: str) -> None:
        """Write the lessons' names and the table's rows as JSON."""
        lessons = self.lessons
        body = {"lessons": [lesson.name for lesson in lessons], "rows": self.judge.rows(lessons)}
        Path(told).write_text(json.dumps(body), encoding="utf-8")

    def _ran(self, _result: Any) -> None:
        self.judge.look(self.lessons)


def _answered_once(question: Question) -> Question:
    """The question with an answer that is computed once for all guesses: a class guesses a lot."""
    if isinstance(question, Choice):
        return replace(question, answer=cache(question.answer))
    if isinstance(question, Number):
        return replace(question, answer=cache(question.answer))
    return question


def _read(path: str) -> AnswersFile | Exception:
    try:
        return read_answers(path)
    except Exception as error:  # noqa: BLE001 - said in the table
        return error


def _of_another(kept: AnswersFile, lessons: Mapping[str, Lesson]) -> MediationError:
    return MediationError(
        "These are answers of another lesson.",
        value=repr(kept.lesson)[:200],
        expected=", ".join(map(repr, lessons)),
        fix="the teacher's notebook of that lesson",
    )


def _not_judged(error: Exception) -> Row:
    why = error_fields(error)
    return {"note": f"Not judged. {why['message']} {why['value']}"[:LONGEST_NOTE]}


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
