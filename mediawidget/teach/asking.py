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
        """One option of several; ``answer`` gives its index or its text."""
        return self.ask(Choice(id=id, prompt=prompt, options=tuple(options), answer=answer, **more))

    def number(self, id: str, prompt: str, answer: Callable[[], float], **more: Any) -> Card:  # noqa: A002
        """A number: ``unit=``, right ``within=`` so much, or ``relative=`` such a share."""
        return self.ask(Number(id=id, prompt=prompt, answer=answer, **more))

    def pick(
        self,
        id: str,  # noqa: A002
        prompt: str,
        study: Study,
        mediator: str = "head",
        **more: Any,
    ) -> Card:
        """A cell of a grid: ``estimand=``, ``several=``, ``answer=`` if it is not the largest."""
        return self.ask(Pick(id=id, prompt=prompt, study=study, mediator=mediator, **more))

    def text(self, id: str, prompt: str, **more: Any) -> Card:  # noqa: A002
        """An answer in one's own words, of ``least=`` characters."""
        return self.ask(Text(id=id, prompt=prompt, **more))

    def do(
        self,
        id: str,  # noqa: A002
        prompt: str,
        study: Study,
        done: Callable[[Study], bool],
        **more: Any,
    ) -> Card:
        """Something to do in a view of a study; ``done(study)`` says whether it was."""
        return self.ask(Do(id=id, prompt=prompt, study=study, done=done, **more))
