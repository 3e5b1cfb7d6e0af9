"""Questions whose answers are computed from the live model, after a prediction was made.

A question knows how to ask, what it takes as a guess, and how to find out. `verdict` is where the
answer is computed; nothing of it exists before.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from ..errors import MediationError, require
from .misconceptions import MISCONCEPTIONS

Words = str | Callable[[], str]
"""A text, or a function that gives one, so that it can name what was computed."""

LONGEST = 4000
"""Characters of an answer in one's own words."""


@dataclass(frozen=True)
class Verdict:
    """What came out.

    Attributes:
        right: whether the guess was; None where nobody judges it.
        words: the answer, as people read it.
        facts: what the page draws of it: ``option``, ``value``, ``cells`` and ``best``.
    """

    right: bool | None
    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What all questions have.

    Args:
        id: its name in the lesson, in reports and in files of answers.
        prompt: plain text; an empty line begins a paragraph. A function gives one that names
            what earlier steps found; it is called when the question is shown.
        hints: shown one by one, when asked for.
        after: shown with the answer: a text, or a function that gives one.
        points: for a right guess.
        misconception: which of ``MISCONCEPTIONS`` it brings out, or None.

    Raises:
        MediationError: an empty id or prompt, hints that are no texts, no such misconception, or
            points that are no number from 0.
    """

    id: str
    prompt: Words
    hints: tuple[str, ...] = ()
    after: Words = ""
    points: float = 1.0
    misconception: str | None = None

    KIND: ClassVar[str]

    def __post_init__(self) -> None:
        object.__setattr__(self, "hints", _texts(self.hints, "hints"))
        for name in ("id", "prompt"):
            text: object = getattr(self, name)
            later = name == "prompt" and callable(text)
            require(
                later or (isinstance(text, str) and bool(text.strip())),
                f"A question's {name} is a text.",
                value=text,
                expected="a text that is not empty",
                fix="lesson.choice('which', 'Which head ...?', [...], answer)",
            )
        require(
            self.misconception is None or self.misconception in MISCONCEPTIONS,
            "There is no such misconception.",
            value=self.misconception,
            expected="one of " + ", ".join(MISCONCEPTIONS),
            fix="misconception='shares'",
        )
        require(
            _is_number(self.points) and self.points >= 0,
            "Points are a number that is not negative.",
            value=self.points,
            expected="a finite number from 0 on",
            fix="points=1",
        )

    def accept(self, guess: object) -> Any:
        """The guess as it is kept, plain data.

        Raises:
            MediationError: it is none.
        """
        raise NotImplementedError

    def asked(self) -> dict[str, Any]:
        """What the page needs to ask; nothing of the answer."""
        return {}

    def verdict(self, guess: Any) -> Verdict:
        """Compute the answer and judge the guess by it.

        Raises:
            MediationError: the question itself is wrong: its answer is none.
        """
        raise NotImplementedError

    def try_out(self, guess: Any) -> dict[str, Any] | None:  # noqa: ARG002
        """Run what was guessed, where that can be run; what the page shows of it."""
        return None

    def worded(self) -> str:
        """The question, as it is asked."""
        return self.prompt() if callable(self.prompt) else self.prompt

    def explained(self) -> str:
        """The explanation that goes with the answer."""
        return self.after() if callable(self.after) else self.after


@dataclass(frozen=True, kw_only=True)
class Choice(Question):
    """One option of several.

    Args:
        options: two or more texts.
        answer: gives the right option: its index from 0, or its text.

    Raises:
        MediationError: what ``Question`` raises; fewer than two options, equal ones, or an
            ``answer`` that cannot be called.
    """

    KIND = "choice"

    options: tuple[str, ...]
    answer: Callable[[], int | str]

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "options", _texts(self.options, "options"))
        require(
            len(set(self.options)) == len(self.options) > 1,
            "A choice has two options or more, each another text.",
            value=self.options,
            expected="a list of different texts",
            fix="options=['more', 'less']",
        )
        check_function(self.answer)

    def accept(self, guess: object) -> int:
        index = _option(guess, self.options)
        if index is None:
            raise MediationError(
                "There is no such option.",
                value=repr(guess)[:200],
                expected=f"0 to {len(self.options) - 1}, or the text of an option",
                fix="card.commit(0)",
            )
        return index

    def asked(self) -> dict[str, Any]:
        return {"options": list(self.options)}

    def verdict(self, guess: int) -> Verdict:
        answer = self.answer()
        right = _option(answer, self.options)
        if right is None:
            raise wrong_question(self.id, answer, "the index or the text of an option")
        return Verdict(guess == right, self.options[right], {"option": right})


@dataclass(frozen=True, kw_only=True)
class Number(Question):
    """A number, right when it is near enough.

    Args:
        answer: gives it.
        unit: of the number, as "%" or "logits".
        within: how far off a right guess may be, in that unit.
        relative: the same as a share of the answer; the wider of the two counts.

    Raises:
        MediationError: what ``Question`` raises; no margin above 0, or an ``answer`` that cannot be
            called.
    """

    KIND = "number"

    answer: Callable[[], float]
    unit: str = ""
    within: float = 0.0
    relative: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_function(self.answer)
        require(
            all(_is_number(it) and it >= 0 for it in (self.within, self.relative))
            and self.within + self.relative > 0,
            "A number is right within a margin.",
            value=(self.within, self.relative),
            expected="within=, in the number's unit, or relative=, a share of it; above 0",
            fix="within=10",
        )

    def accept(self, guess: object) -> float:
        if not _is_number(guess):
            raise MediationError(
                "This is no number.",
                value=repr(guess)[:200],
                expected="a finite number" + (f", in {self.unit}" if self.unit else ""),
                fix="card.commit(50)",
            )
        return float(guess)  # type: ignore[arg-type]

    def asked(self) -> dict[str, Any]:
        return {"unit": self.unit}

    def verdict(self, guess: float) -> Verdict:
        answer = self.answer()
        if not _is_number(answer):
            raise wrong_question(self.id, answer, "a finite number")
        value = float(answer)
        margin = max(self.within, self.relative * abs(value))
        words = f"{value:.4g} {self.unit}".strip().replace("-", "\N{MINUS SIGN}")
        facts = {"value": value, "within": margin}
        return Verdict(is_near(guess, value, margin), words, facts)


@dataclass(frozen=True, kw_only=True)
class Text(Question):
    """An answer in one's own words: kept, and read by people.

    Args:
        least: characters that it has at least.
    """

    KIND = "text"

    least: int = 20

    def accept(self, guess: object) -> str:
        words = guess.strip() if isinstance(guess, str) else ""
        require(
            self.least <= len(words) <= LONGEST,
            "This wants a sentence of yours.",
            value=guess,
            expected=f"{self.least} to {LONGEST} characters",
            fix="write what you saw, with its number",
        )
        return words

    def asked(self) -> dict[str, Any]:
        return {"least": self.least}

    def verdict(self, guess: str) -> Verdict:  # noqa: ARG002
        return Verdict(None, "")


def paragraphs(text: str) -> list[str]:
    """Text between empty lines, each paragraph on one line."""
    return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def is_near(given: float, value: float, margin: float) -> bool:
    """Whether it is no further off than the margin; 0.4 is within 0.1 of 0.3."""
    return abs(given - value) <= margin + 1e-12 * max(abs(given), abs(value))


def check_function(answer: object) -> None:
    """Refuse an answer that stands there beforehand."""
    require(
        callable(answer),
        "An answer is a function: it is computed when the guess was made.",
        value=answer,
        expected="a function without arguments",
        fix="answer=lambda: study.total['TE']",
    )


def wrong_question(name: str, answer: object, expected: str) -> MediationError:
    """The error of a question whose answer cannot be one."""
    return MediationError(
        f"The question {name!r} computed an answer that is none.",
        value=repr(answer)[:200],
        expected=expected,
        fix="mend the question's answer=",
    )


def _is_number(value: object) -> bool:
    try:
        return not isinstance(value, bool | str) and math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return False


def _option(given: object, options: Sequence[str]) -> int | None:
    if isinstance(given, str):
        return options.index(given) if given in options else None
    try:
        index = given.__index__()  # type: ignore[attr-defined]
    except (AttributeError, TypeError):  # an array has one, which refuses
        return None
    return int(index) if not isinstance(given, bool) and 0 <= index < len(options) else None


def _texts(given: object, name: str) -> tuple[str, ...]:
    several = [given] if isinstance(given, str) else given
    ok = isinstance(several, Sequence) and all(isinstance(it, str) and it for it in several)
    require(
        ok,
        f"A question's {name} are texts.",
        value=given,
        expected="a list of texts",
        fix=f"{name}=['one', 'two']",
    )
    return tuple(several)  # type: ignore[arg-type]
