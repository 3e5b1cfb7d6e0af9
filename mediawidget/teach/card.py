"""The card of a question on the page: what it shows, and what its buttons do."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from IPython.display import display

from ..errors import MediationError, error_fields
from ..widgets._page import Page, front_end
from ..widgets._parts import Written
from ..workers import beside
from .picking import Do
from .questions import Question, paragraphs

if TYPE_CHECKING:
    from pathlib import Path

    from ..widgets.exports.snapshot import Snapshot
    from .lesson import Lesson

_log = logging.getLogger(__name__)


class Card(Page):
    """One question, several one at a time, or the list of a lesson's questions.

    Made by a lesson: ``lesson.choice(...)``, ``lesson.tour([...])``, ``lesson.progress``.

    Attributes:
        state: what the page draws; the card writes it, setting it raises.
        lesson: whose questions they are.
        at: which one is shown.
        below: the view that stands below it; None without one.
    """

    _esm, _css = front_end("question")

    state = Written().tag(sync=True)

    def __init__(self, lesson: Lesson, names: Sequence[str], view: Any = None) -> None:
        self.lesson, self.names, self.at = lesson, list(names), 0
        self.below = view
        self._seq, self._writing = 0, False
        self._tried: dict[str, dict[str, Any]] = {}
        self._error: dict[str, str] = {}
        super().__init__()
        self._stops = [lesson.subscribe(lambda _event: self._follow()), *self._watch_steps()]
        self.on_msg(self._asked)
        self._draw()

    # --- what may be done from Python too --------------------------------------------------------

    @property
    def question(self) -> Question:
        """The question that is shown.

        Raises:
            MediationError: the card lists questions and shows none.
        """
        if not self.names:
            raise MediationError(
                "This card shows no question.",
                value=repr(self.lesson),
                expected="the card of a question",
                fix="lesson.commit(id, guess)",
            )
        return self.lesson.questions[self.names[self.at]]

    def commit(self, guess: object) -> None:
        """Keep a guess, and run what was guessed where that can be run."""
        question = self.question
        self.lesson.commit(question.id, guess)
        kept = self.lesson.attempts[question.id].guess
        # A test says nothing, not even what the guessed cell alone does.
        tried = question.try_out(kept) if self.lesson.feedback else None
        if tried is not None:
            self._tried[question.id] = tried
        self._draw()

    def hint(self) -> None:
        """Show the next hint."""
        self.lesson.hint(self.question.id)

    def reveal(self) -> None:
        """Compute the answer and show it."""
        self.lesson.reveal(self.question.id)

    def go(self, to: int) -> None:
        """Show another question of several, counted from 0.

        Raises:
            MediationError: a number that no question has.
        """
        if not 0 <= to < len(self.names):
            raise MediationError(
                "There is no such question.",
                value=repr(to),
                expected=f"0 to {len(self.names) - 1}",
                fix="card.go(0)",
            )
        self.at = to
        self._look_done()
        self._draw()

    def close(self) -> None:
        """Let go of the lesson and of the page."""
        for stop in getattr(self, "_stops", []):
            stop()
        super().close()

    # --- the page --------------------------------------------------------------------------------

    def _asked(self, _widget: Any, content: Any, _buffers: Any) -> None:
        """A button was pressed. What would wait for a server does not hold up the kernel."""
        if isinstance(content, Mapping):
            worker = self.lesson.diary.worker(self.question if self.names else None, self.below)
            beside(worker, lambda: self._answer(content))

    def _answer(self, content: Mapping[str, Any]) -> None:
        """Do it. Whatever fails is said on the card."""
        self._error = {}
        name = str(content.get("id", ""))
        try:
            self._do(content)
        except Exception as error:  # noqa: BLE001 - the page must hear of it
            if not isinstance(error, MediationError):
                _log.warning("the card of %r failed", name, exc_info=True)
            told = error_fields(error)
            words = [told["message"], told["expected"] and f"Expected: {told['expected']}."]
            self._error = {name: " ".join(filter(None, words))}
        self._draw()

    def _do(self, content: Mapping[str, Any]) -> None:
        actions: dict[object, Callable[[], None]] = {
            "commit": lambda: self.commit(content.get("guess")),
            "hint": self.hint,
            "reveal": self.reveal,
        }
        wanted = content.get("do")
        if wanted == "go":
            to = content.get("to")
            self.go(to if isinstance(to, int) and not isinstance(to, bool) else -1)
        elif wanted in actions and content.get("id") in self.names:
            self.at = self.names.index(content["id"])
            actions[wanted]()

    def _watch_steps(self) -> list[Callable[[], None]]:
        """Follow the studies in which something is to be done."""
        questions = [self.lesson.questions[name] for name in self.names]
        studies = {id(it.study): it.study for it in questions if isinstance(it, Do)}
        return [study.subscribe(lambda _event: self._look_done()) for study in studies.values()]

    def _look_done(self) -> None:
        """Tick the step that is shown once it was done."""
        step = self.question
        waits = isinstance(step, Do) and not self.lesson.attempts[step.id].committed
        if waits and step.done(step.study):  # type: ignore[attr-defined]
            self.lesson.commit(step.id, guess=True)

    def _follow(self) -> None:
        """The lesson has news: the page hears of it where it shows any of it."""
        if self._state() != self.state:
            self._draw()

    def _draw(self) -> None:
        self._seq += 1
        state = self._state()  # it may wait for a server, and another may write meanwhile
        self._writing = True
        try:
            self.set_trait("state", state)
        finally:
            self._writing = False
        self._saved.soon()

    def _state(self) -> dict[str, Any]:
        lesson = self.lesson
        listed = self.names or list(lesson.questions)
        return {
            "title": lesson.name,
            "at": self.at,
            "steps": [_step(lesson, name) for name in listed],
            "answered": lesson.credit,
            "questions": len(lesson.questions),
            "seq": self._seq,
            "feedback": lesson.feedback,
            "notice": lesson.notice,
            "card": self._card() if self.names else None,
        }

    def _card(self) -> dict[str, Any]:
        question, lesson = self.question, self.lesson
        attempt = lesson.attempts[question.id]
        status, truth, error = self._shown(question)
        return {
            "id": question.id,
            "kind": question.KIND,
            "prompt": paragraphs(self.lesson.wording(question.id)),
            "status": status,
            "guess": attempt.guess,
            "points": question.points,
            "hints": {
                "shown": list(question.hints[: attempt.hints]),
                "left": max(0, len(question.hints) - attempt.hints),
            },
            **question.asked(),
            "tried": self._tried.get(question.id),
            "truth": truth,
            "error": self._error.get(question.id, error),
        }

    def _shown(self, question: Question) -> tuple[str, dict[str, Any] | None, str]:
        """Status, answer, error: an answer that was revealed is computed again after a restart."""
        status = status_of(self.lesson, question.id)
        if status != "revealed":
            return status, None, ""
        try:
            return status, self._truth(question), ""
        except Exception as error:  # noqa: BLE001 - the notebook goes on; the card says it
            _log.warning("the answer of %r failed", question.id, exc_info=True)
            return "committed", None, error_fields(error)["message"]

    def _truth(self, question: Question) -> dict[str, Any]:
        """The answer, which is on the page only after it was asked for."""
        verdict = self.lesson.verdict(question.id)
        return {
            "right": verdict.right,
            "words": verdict.words,
            "after": paragraphs(self.lesson.explanation(question.id)),
            **verdict.facts,
        }

    # --- without a kernel ------------------------------------------------------------------------

    def _ipython_display_(self) -> None:
        super()._ipython_display_()
        if self.below is not None:
            display(self.below)  # type: ignore[no-untyped-call]

    def _picture(self) -> Snapshot | None:
        return None

    def snapshot(self, path: str | Path | None = None, **_look: Any) -> Snapshot:
        """A question has no picture.

        Raises:
            MediationError: always.
        """
        raise MediationError(
            "A question is no picture.",
            value=path,
            expected="lesson.save(path), a report",
            fix="mw.export_html('page.html', card) writes a page",
        )

    def _html(self) -> str:
        listed = [_line(self.lesson, name) for name in self.names or self.lesson.questions]
        return f"<div><b>{escape(self.lesson.name)}</b></div>{''.join(listed)}"

    def __repr__(self) -> str:
        return f"Card({self.names}, {self.lesson!r})"


def status_of(lesson: Lesson, name: str) -> str:
    """Whether it is open, committed or revealed; what was done and nobody judges is revealed."""
    attempt, question = lesson.attempts[name], lesson.questions[name]
    settled = question.KIND == "do" or (question.KIND == "text" and not question.after)
    if not attempt.committed:
        return "open"
    return "revealed" if settled or answer_shown(lesson, name) else "committed"


def answer_shown(lesson: Lesson, name: str) -> bool:
    """Whether the answer was looked at; in a test never, whatever its file says."""
    attempt = lesson.attempts[name]
    return bool(lesson.feedback and attempt.committed and attempt.revealed)


def _step(lesson: Lesson, name: str) -> dict[str, Any]:
    attempt = lesson.attempts[name]
    return {
        "id": name,
        "title": lesson.title(name),
        "status": status_of(lesson, name),
        "right": attempt.right if answer_shown(lesson, name) else None,
    }


def _line(lesson: Lesson, name: str) -> str:
    """A question as plain HTML, with what was answered."""
    question, attempt = lesson.questions[name], lesson.attempts[name]
    asked = lesson.wording(name) if attempt.committed else lesson.title(name) or name
    parts = [f"<p>{escape(text)}</p>" for text in paragraphs(asked)]
    if attempt.committed:
        parts.append(f"<p>Answered: {escape(_guess_words(question, attempt.guess))}</p>")
    if answer_shown(lesson, name):
        parts.append(f"<p>The model says: {escape(attempt.answer)}</p>")
    return "".join(parts)


def _guess_words(question: Question, guess: Any) -> str:
    options = question.asked().get("options")
    if options is not None:
        return str(options[guess])
    if question.KIND == "do":
        return "done"
    return " + ".join(guess) if isinstance(guess, list) else str(guess)
