"""A lesson: questions asked in a notebook, what was answered, and a report of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import require
from ..study import Study
from ..watchers import Watchers
from .answered import Answered
from .asking import Asking
from .attempts import Attempt
from .diary import Diary
from .exercises import Exercises
from .keeping import Keeper
from .picking import Do, Pick
from .questions import Question, Verdict, paragraphs
from .reporting import Reporting
from .shuffle import refuse_another_order

if TYPE_CHECKING:
    from .card import Card


class Lesson(Asking, Answered, Exercises, Reporting):
    """Questions of one notebook: predict, commit, then see what the model says.

    A guess is committed once; the answer is computed from the live model when it is asked for, and
    not before. What was answered stays on this machine. A student owns the kernel: a record of
    answers shows what was done here, it proves nothing.

    Args:
        name: over its cards, and in reports.
        student: whose model it is (``mw.teach.load(student)``); empty for the model as it ships.
        file: where answers are written after each commit, and read from when the notebook runs
            again; None keeps them in memory. What another notebook of the lesson writes there
            meanwhile is taken in.
        feedback: whether answers are shown. Without it a lesson is a test.

    Attributes:
        questions: by id, in the order in which they were asked.
        attempts: by id, what was done with them; an answer to a question that was changed since
            stays under "id (before)".
        notice: what stands in the way, as a file that cannot be written; empty if nothing.

    Raises:
        MediationError: no text for a name, or a file that cannot be read or is of another lesson
            or student.

    Example:
        >>> lesson = mw.teach.Lesson("1 One intervention", file="answers/01.json")
        >>> lesson.number("total", "How large is the total effect?",
        ...               lambda: study.total["TE"], unit="logits", within=1)
    """

    def __init__(
        self,
        name: str,
        *,
        student: str = "",
        file: str | Path | None = None,
        feedback: bool = True,
    ) -> None:
        for label, text in (("name", name), ("student", student)):
            given: object = text
            require(
                isinstance(given, str),
                f"A lesson's {label} is a text.",
                value=text,
                expected="a text",
                fix="mw.teach.Lesson('1 One intervention', student='ada')",
            )
        self.name, self.student, self.feedback = name, student, bool(feedback)
        self.file = None if file is None else Path(file)
        self.questions: dict[str, Question] = {}
        self.attempts: dict[str, Attempt] = {}
        self.notice = ""
        self.diary = Diary(self._note)
        self._verdicts: dict[str, Verdict] = {}
        self._words: dict[tuple[str, str], str] = {}
        self._watchers = Watchers()
        self._cards: dict[tuple[str, ...], list[Card]] = {}
        self._forgotten: set[str] = set()
        self._keeper = None if self.file is None else Keeper(self.file, name, student)
        self._take_in()

    # --- asking ---------------------------------------------------------------------------------

    def ask(self, question: Question) -> Card:
        """Ask it; a question asked again (its cell ran again) keeps what was committed.

        The card of the question that was asked before is closed: its cell shows another one now.

        Raises:
            MediationError: what ``add`` raises.
        """
        return self._card([question])

    def add(self, question: Question) -> None:
        """Take a question in without showing it.

        Raises:
            MediationError: what is no question, or one that is asked of a model whose heads are not
                in this student's order.
        """
        _refuse_no_questions([question])
        if isinstance(question, Pick | Do):
            refuse_another_order(question.study.lm, self.student)
        self.questions[question.id] = question
        self._drop(question.id)
        attempt = self.attempts.setdefault(question.id, Attempt())
        if attempt.committed and not self._fits(question, attempt):
            self.attempts[question.id] = Attempt()
            self._set_aside(question.id, attempt)
            self.notice = f"The question {question.id!r} was changed: its old answer was set aside."
        if isinstance(question, Pick) and question.study not in self.diary.studies.values():
            self.diary.watch(question.study, question.id)
        self._watchers.tell("questions")

    def watch(self, study: Study, name: str) -> None:
        """Write down what is done on a study: sites, edits and both numbers.

        A grader runs these again. Every study needs a name of its own.

        Args:
            study: what is watched from now on.
            name: of the study in reports; a name that is taken changes hands.

        Raises:
            MediationError: no study, or a name that is no text.
        """
        self.diary.watch(study, name)

    @property
    def progress(self) -> Card:
        """How far it is: a list of the questions with what was done, which keeps up."""
        from .card import Card

        return Card(self, [])

    def tour(self, questions: Sequence[Question], view: Any = None) -> Card:
        """The same questions one at a time, with Back and Next.

        Args:
            questions: in their order.
            view: shown below them, such as ``mw.Explorer(study)``.

        Raises:
            MediationError: no questions, and what ``add`` raises.
        """
        return self._card(questions, view)

    # --- answering ------------------------------------------------------------------------------

    def commit(self, name: str, guess: object) -> None:
        """Keep a guess; the first one counts.

        Args:
            name: the id of the question.
            guess: what the student answers.

        Raises:
            MediationError: no such question, no such guess, or one was committed before.
        """
        question, attempt = self._question(name), self.attempts[name]
        require(
            not attempt.committed,
            "A guess is committed once.",
            value=attempt.guess,
            expected="a question that was not answered",
            fix="lesson.forget(id) begins it anew, and is written down",
        )
        taken = question.accept(guess)
        self._forgotten.discard(name)
        attempt.guess = taken
        attempt.committed = datetime.now(UTC).isoformat(timespec="seconds")
        if isinstance(question, Pick):
            attempt.sites = [site.to_json() for site in question.sites_of(taken)]
        self.keep()

    def hint(self, name: str) -> None:
        """Show the next hint of a question, where one is left.

        Raises:
            MediationError: no such question.
        """
        question, attempt = self._question(name), self.attempts[name]
        attempt.hints = min(attempt.hints + 1, len(question.hints))
        self.keep()

    def reveal(self, name: str) -> Verdict:
        """Compute the answer and say it.

        Raises:
            MediationError: nothing was committed; or the lesson is a test.
        """
        attempt = self.attempts[self._question(name).id]
        require(
            self.feedback,
            "A test does not show its answers.",
            value=name,
            expected="a lesson with feedback",
            fix="lesson.judged(), for the teacher",
        )
        verdict = self.verdict(name)
        self.explanation(name)
        attempt.revealed, attempt.right, attempt.answer = True, verdict.right, verdict.words
        self.keep()
        return verdict

    def verdict(self, name: str) -> Verdict:
        """What came out, computed once for a guess, shown nowhere.

        Raises:
            MediationError: nothing was committed.
        """
        question, attempt = self._question(name), self.attempts[name]
        require(
            bool(attempt.committed),
            "A prediction comes first.",
            value=name,
            expected="a committed guess",
            fix=f"lesson.commit({name!r}, guess)",
        )
        if name not in self._verdicts:
            with self.diary.paused():
                self._verdicts[name] = question.verdict(attempt.guess)
        return self._verdicts[name]

    def wording(self, name: str) -> str:
        """The question as it is asked, found once.

        Raises:
            MediationError: no such question.
        """
        return self._found(name, "wording", self._question(name).worded)

    def title(self, name: str) -> str:
        """What lists call it: its first paragraph; empty where that was not computed yet.

        Raises:
            MediationError: no such question.
        """
        words: object = self._question(name).prompt
        asked = words if isinstance(words, str) else self._words.get((name, "wording"), "")
        return next(iter(paragraphs(asked)), "")

    def explanation(self, name: str) -> str:
        """What goes with the answer, found once.

        Raises:
            MediationError: no such question.
        """
        return self._found(name, "explanation", self._question(name).explained)

    def forget(self, name: str) -> None:
        """Begin a question anew.

        Raises:
            MediationError: no such question.
        """
        self.attempts[self._question(name).id] = Attempt()
        self._forgotten.add(name)
        self._drop(name)
        self.keep()

    # --- being looked at ------------------------------------------------------------------------

    def subscribe(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Tell a function of every change. Returns how to stop it."""
        return self._watchers.add(callback)

    def __repr__(self) -> str:
        return f"Lesson({self.name!r}: {self.credit} of {len(self.questions)} answered)"

    def _card(self, questions: Sequence[Question], view: Any = None) -> Card:
        from .card import Card

        _refuse_no_questions(questions)
        names = tuple(question.id for question in questions)
        if all(self.questions.get(question.id) is not question for question in questions):
            for card in self._cards.pop(names, []):
                card.close()
        for question in questions:
            self.add(question)
        card = Card(self, names, view)
        self._cards.setdefault(names, []).append(card)
        return card

    def _question(self, name: str) -> Question:
        require(
            name in self.questions,
            "The lesson has no such question.",
            value=name,
            expected="one of " + (", ".join(self.questions) or "none so far"),
            fix="run the cell that asks it",
        )
        return self.questions[name]

    def _found(self, name: str, kind: str, find: Callable[[], str]) -> str:
        """A text that may be the end of a computation, whose runs are not the student's."""
        if (name, kind) not in self._words:
            with self.diary.paused():
                self._words[name, kind] = find()
        return self._words[name, kind]

    def _drop(self, name: str) -> None:
        """Forget what was computed for a question."""
        self._verdicts.pop(name, None)
        for kind in ("wording", "explanation"):
            self._words.pop((name, kind), None)


def _refuse_no_questions(given: object) -> None:
    require(
        isinstance(given, Sequence)
        and len(given) > 0
        and all(isinstance(it, Question) for it in given),
        "A lesson asks questions.",
        value=given,
        expected="mw.teach.Choice, Number, Pick, Text or Do",
        fix="lesson.choice('which', 'Which head ...?', ['this', 'that'], answer)",
    )
