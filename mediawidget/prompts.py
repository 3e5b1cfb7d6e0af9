"""What is compared: a clean and a corrupt prompt, and the answers that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from .errors import MediationError


@dataclass(frozen=True)
class PromptPair:
    """Two prompts that differ in what is studied and agree in everything else.

    Args:
        clean: the prompt whose answer is ``answer``.
        corrupt: the prompt whose answer is ``wrong``.
        answer: the next token after the clean prompt; a leading space is added where the
            tokenizer's words carry one.
        wrong: the token that the answer is held against: what the corrupt prompt makes likelier,
            in a symmetric pair its own answer.
        roles: names of token positions (``{"S2": 9, "END": 14}``), the beginning-of-sequence
            token counted.

    Example:
        >>> PromptPair(
        ...     clean="When Mary and John went to the store John gave a book to",
        ...     corrupt="When Mary and John went to the store Mary gave a book to",
        ...     answer="Mary",
        ...     wrong="John",
        ... ).swapped().answer
        'John'
    """

    clean: str
    corrupt: str
    answer: str
    wrong: str
    roles: Mapping[str, int] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("clean", "corrupt", "answer", "wrong"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value:
                raise MediationError(
                    f"A pair's {name} is text.",
                    value=repr(value),
                    expected="a string that is not empty",
                    fix=f"pass {name}='...'",
                )
        if self.clean == self.corrupt:
            raise MediationError(
                "The two prompts are equal, so there is no effect to mediate.",
                value=repr(self.clean),
                expected="a corrupt prompt that differs from the clean one",
                fix="change the word whose influence you study in `corrupt`",
            )
        if self.answer.strip() == self.wrong.strip():
            raise MediationError(
                "The answer and the wrong answer are the same token.",
                value=repr(self.answer),
                expected="two different next tokens",
                fix="let `wrong` be what the model should say after the corrupt prompt",
            )

    def swapped(self) -> PromptPair:
        """The same pair asked from the other side: prompts and answers exchanged."""
        return PromptPair(self.corrupt, self.clean, self.wrong, self.answer, self.roles)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary; ``PromptPair(**data)`` reads it back."""
        return {
            "clean": self.clean,
            "corrupt": self.corrupt,
            "answer": self.answer,
            "wrong": self.wrong,
            "roles": dict(self.roles),
        }


@dataclass(frozen=True)
class Contrast(Sequence[PromptPair]):
    """The pairs of one task. The pair is the unit of every statistic.

    Args:
        pairs: at least one.
        name: what views and files call the task.
        dropped: how many candidate pairs a generator left out (words the tokenizer lacks).
    """

    pairs: tuple[PromptPair, ...]
    name: str = ""
    dropped: int = 0

    def __init__(self, pairs: Sequence[PromptPair], name: str = "", dropped: int = 0) -> None:
        given: object = pairs
        if not isinstance(given, Sequence) or isinstance(given, str):
            raise MediationError(
                "A contrast is made of prompt pairs.",
                value=repr(pairs)[:200],
                expected="a list of PromptPair",
                fix="Contrast([pair])",
            )
        for pair in pairs:
            if not isinstance(pair, PromptPair):
                raise MediationError(
                    "A contrast is made of prompt pairs.",
                    value=repr(pair),
                    expected="PromptPair(clean=..., corrupt=..., answer=..., wrong=...)",
                    fix="wrap your prompts in PromptPair",
                )
        if not pairs:
            raise MediationError(
                "A contrast needs pairs.",
                value="an empty list",
                expected="at least one PromptPair",
                fix="Contrast([PromptPair(...), ...])",
            )
        object.__setattr__(self, "pairs", tuple(pairs))
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "dropped", dropped)

    def __len__(self) -> int:
        return len(self.pairs)

    def __iter__(self) -> Iterator[PromptPair]:
        return iter(self.pairs)

    @overload
    def __getitem__(self, index: int) -> PromptPair: ...
    @overload
    def __getitem__(self, index: slice) -> Contrast: ...
    def __getitem__(self, index: int | slice) -> PromptPair | Contrast:
        if isinstance(index, slice):
            return Contrast(self.pairs[index], self.name, self.dropped)
        return self.pairs[index]

    def swapped(self) -> Contrast:
        """Every pair asked from the other side."""
        return Contrast([pair.swapped() for pair in self.pairs], self.name, self.dropped)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Contrast.from_json`` reads back."""
        pairs = [pair.to_json() for pair in self.pairs]
        return {"name": self.name, "dropped": self.dropped, "pairs": pairs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contrast:
        """The inverse of ``to_json``."""
        pairs = [PromptPair(**pair) for pair in data["pairs"]]
        return cls(pairs, data.get("name", ""), data.get("dropped", 0))


def as_contrast(pairs: PromptPair | Sequence[PromptPair]) -> Contrast:
    """A pair or several as a contrast."""
    if isinstance(pairs, Contrast):
        return pairs
    return Contrast([pairs] if isinstance(pairs, PromptPair) else pairs)
