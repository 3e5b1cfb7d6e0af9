"""The short ways to ask, one per kind of question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..study import Study
from .picking import Do, Pick
from .questions import Choice, Number, Question, Text

if TYPE_CHECKING:
    from .card import Card


class Asking:
    """What a lesson asks with; ``more`` is what every question takes.

    ``hints=`` (texts), ``after=`` (a text, or a function that gives one), ``points=``,
    ``misconception=``.
    """

    def ask(self, question: Question) -> Card:
        """Ask it."""
        raise NotImplementedError

    def choice(
        self,
        id: str,  # noqa: A002
        prompt: str,
        options: Sequence[str],
        answer: Callable[[], int | str],
        **more: Any,
    ) -> Card:
        """One option of several; ``answer`` gives its index or its text.

        Args:
            id: its name in the lesson, in reports and in files of answers.
            prompt: what is asked.
            options: two or more texts.
            answer: gives the right one, its index or its text; called when the answer is looked at.
            more: what every ``Question`` takes: ``hints``, ``after``, ``points``,
                ``misconception``.

        Raises:
            MediationError: what ``Choice`` raises.
        """
        return self.ask(Choice(id=id, prompt=prompt, options=tuple(options), answer=answer, **more))

    def number(self, id: str, prompt: str, answer: Callable[[], float], **more: Any) -> Card:  # noqa: A002
        """A number: ``unit=``, right ``within=`` so much, or ``relative=`` such a share.

        Args:
            id: its name in the lesson, in reports and in files of answers.
            prompt: what is asked.
            answer: gives the number; called when the answer is looked at.
            more: ``unit``, ``within`` and ``relative`` as in ``Number``, and what every
                ``Question`` takes.

        Raises:
            MediationError: what ``Number`` raises.
        """
        return self.ask(Number(id=id, prompt=prompt, answer=answer, **more))

    def pick(
        self,
        id: str,  # noqa: A002
        prompt: str,
        study: Study,
        mediator: str = "head",
        **more: Any,
    ) -> Card:
        """A cell of a grid: ``estimand=``, ``several=``, ``answer=`` if it is not the largest.

        Args:
            id: its name in the lesson, in reports and in files of answers.
            prompt: what is asked.
            study: what it is asked of.
            mediator: whose grid it is.
            more: ``estimand``, ``several`` and ``answer`` as in ``Pick``, and what every
                ``Question`` takes.

        Raises:
            MediationError: what ``Pick`` raises.
        """
        return self.ask(Pick(id=id, prompt=prompt, study=study, mediator=mediator, **more))

    def text(self, id: str, prompt: str, **more: Any) -> Card:  # noqa: A002
        """An answer in one's own words, of ``least=`` characters.

        Args:
            id: its name in the lesson, in reports and in files of answers.
            prompt: what is asked.
            more: ``least`` as in ``Text``, and what every ``Question`` takes.

        Raises:
            MediationError: what ``Question`` raises.
        """
        return self.ask(Text(id=id, prompt=prompt, **more))

    def do(
        self,
        id: str,  # noqa: A002
        prompt: str,
        study: Study,
        done: Callable[[Study], bool],
        **more: Any,
    ) -> Card:
        """Something to do in a view of a study; ``done(study)`` says whether it was.

        Args:
            id: its name in the lesson, in reports and in files of answers.
            prompt: what is asked.
            study: whose views it is done in.
            done: called after every change in the study.
            more: what every ``Question`` takes: ``hints``, ``after``, ``points``,
                ``misconception``.

        Raises:
            MediationError: what ``Do`` raises.
        """
        return self.ask(Do(id=id, prompt=prompt, study=study, done=done, **more))
