"""A lesson's answers beside its file: written after each commit, taken in when it changed."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from ..errors import MediationError
from ..watchers import Watchers
from .attempts import AnswersFile, Attempt
from .diary import Diary
from .keeping import Keeper, both, further
from .questions import Question, Verdict


class Answered:
    """The part of a ``Lesson`` that keeps what was answered.

    Attributes:
        attempts: by id of the question, what was done with it.
        notice: what stands in the way, as a file that cannot be written; empty if nothing.
    """

    name: str
    student: str
    file: Path | None
    questions: dict[str, Question]
    attempts: dict[str, Attempt]
    notice: str
    diary: Diary
    _verdicts: dict[str, Verdict]
    _watchers: Watchers
    _forgotten: set[str]
    _keeper: Keeper | None

    def keep(self) -> None:
        """Write what there is to the lesson's file, and tell who looks."""
        self._write()
        self._watchers.tell("answers")

    def _fits(self, question: Question, attempt: Attempt) -> bool:
        try:
            return question.KIND == "do" or question.accept(attempt.guess) == attempt.guess
        except MediationError:
            return False

    def _answers(self) -> AnswersFile:
        begun = {name: it for name, it in self.attempts.items() if it != Attempt()}
        return AnswersFile(self.name, self.student, begun, self.diary.runs)

    def _note(self) -> None:
        """Something was run: cards show nothing of it, unless it cannot be written."""
        before = self.notice
        self._write()
        if self.notice != before:
            self._watchers.tell("answers")

    def _write(self) -> None:
        if self._keeper is None:
            return
        try:
            self._take_in()
            self._keeper.write(self._answers())
            self.notice = ""
        except (OSError, MediationError) as error:
            why = error.message if isinstance(error, MediationError) else error.strerror or error
            self.notice = (
                f"Your answers are kept in memory only: {self.file} cannot be written "
                f"({why}). lesson.save(path) writes them elsewhere."
            )

    def _take_in(self) -> None:
        """Go on from the lesson's file, where there is one that is not known yet."""
        kept = None if self._keeper is None else self._keeper.news()
        if kept is None:
            return
        for name, theirs in kept.answers.items():
            ours = self.attempts.get(name, Attempt())
            if name in self._forgotten or further(ours, theirs) is ours:
                continue
            if name in self.questions and not self._fits(self.questions[name], theirs):
                self._set_aside(name, theirs)
            else:
                self.attempts[name] = theirs
                self._verdicts.pop(name, None)
        self.diary.runs = both(self.diary.runs, kept.runs)

    def _set_aside(self, name: str, attempt: Attempt) -> None:
        """Keep an answer that is none to the question that is asked now."""
        if attempt in self.attempts.values():
            return
        names = (f"{name} (before{'' if n == 1 else f' {n}'})" for n in count(1))
        self.attempts[next(it for it in names if it not in self.attempts)] = attempt
