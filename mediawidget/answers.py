"""What a pair holds its prompts against: a text, or a set of single tokens."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from .errors import MediationError

BETWEEN = "|"
"""What stands between the members of a set where it is typed."""

LONGEST_SET = 4
"""Members that a label shows of a set before it shortens it."""


def shown(texts: Sequence[str]) -> str:
    """An answer as one text: itself, or a set in braces, a long one shortened."""
    if len(texts) == 1:
        return texts[0]
    words = [text.strip() for text in texts]
    if len(words) > LONGEST_SET:
        words = [*words[:2], "\N{HORIZONTAL ELLIPSIS}", words[-1]]
    return "{" + ", ".join(words) + "}"


def members(answer: str | Sequence[str]) -> tuple[str, ...]:
    """Its texts: one, unless it is a set."""
    return (answer,) if isinstance(answer, str) else tuple(answer)


def plain(answer: str | Sequence[str]) -> str | list[str]:
    """As JSON keeps it."""
    return answer if isinstance(answer, str) else list(answer)


def refuse_no_text(name: str, value: object) -> None:
    """Raise where a part of a pair is no text."""
    if not isinstance(value, str) or not value:
        raise MediationError(
            f"A pair's {name} is text.",
            value=repr(value),
            expected="a string that is not empty",
            fix=f"pass {name}='...'",
        )


def as_answer(name: str, value: object) -> str | tuple[str, ...]:
    """A text as it is, a list of texts as a tuple."""
    if not isinstance(value, list | tuple):
        refuse_no_text(name, value)
        return str(value)
    if not value or not all(isinstance(text, str) and text for text in value):
        raise _no_set(name, value)
    return tuple(value)


def refuse_twice(name: str, texts: Sequence[str], read: Collection[object]) -> None:
    """Raise where members of a set are read as the same, so that fewer are ``read``."""
    if len(read) < len(texts):
        raise _no_set(name, list(texts))


def _no_set(name: str, value: object) -> MediationError:
    return MediationError(
        f"A pair's {name} is one text, or a list of different texts.",
        value=repr(value),
        expected="at least one text, none of them empty, each once",
        fix=f"pass {name}='...' or {name}=['...', '...']",
    )


def parted(text: str) -> list[str]:
    """The members of a set as people type it, with bars between them, and a space beside a bar.

    Further spaces before a text are its own.
    """
    first, *rest = text.split(BETWEEN)
    return [part.rstrip() for part in (first, *(one.removeprefix(" ") for one in rest))]


def typed(texts: Sequence[str]) -> str:
    """A text, or a set as ``parted`` reads it."""
    return f" {BETWEEN} ".join(texts)


def same_answers(
    answers: Sequence[str], wrongs: Sequence[str], shared: Sequence[str]
) -> MediationError:
    """What to raise where an answer and the wrong one have members in common."""
    if len(answers) == len(wrongs) == 1:
        return MediationError(
            "The answer and the wrong answer are the same token.",
            value=repr(answers[0]),
            expected="two different next tokens",
            fix="let `wrong` be what the model should say after the corrupt prompt",
        )
    return MediationError(
        "The answer and the wrong answer overlap.",
        value=f"in both: {', '.join(map(repr, shared))}",
        expected="two sets without a common member",
        fix="leave the common ones out of one of them",
    )
