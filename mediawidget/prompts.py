"""What is compared: a clean and a corrupt prompt, and the answers that tell them apart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, overload

from .answers import as_answer, members, plain, refuse_no_text, refuse_twice, same_answers, shown
from .errors import MediationError, reading, require
from .inputs import InputPair, refuse_no_roles
from .spacing import as_read

Partners = Sequence[tuple[int, int]]
"""(clean position, corrupt position) of tokens that are partners, both going up."""


class KeptRoles(dict[str, Any]):
    """Roles that a swap left where they were, for no model said how long the prompts are.

    Their positions are those of what is now the corrupt prompt. They are the clean prompt's too
    where both are of one length, which is seen as soon as a model reads them.
    """


@dataclass(frozen=True)
class PromptPair:
    """Two prompts that differ in what is studied and agree in everything else.

    Args:
        clean: the prompt whose answer is ``answer``.
        corrupt: the prompt whose answer is ``wrong``.
        answer: what follows the clean prompt: one token, several (teacher-forced), or a list of
            single tokens (a set: any of them is right). A leading space is added where the
            tokenizer's words carry one, but not where the prompt ends in one, before a full stop
            or its like, behind an open bracket or quote, in a sum without spaces ("1+1=") and
            in a number that is written in one above ("from 1732 to 17"). Kept as a string or as
            a tuple.
        wrong: what the answer is held against: what the corrupt prompt makes likelier, in a
            symmetric pair its own answer.
        roles: names of token positions in the clean prompt, each of one or of several
            (``{"subject": (1, 2), "END": 14}``), the beginning-of-sequence token counted.
        alignment: (clean position, corrupt position) of tokens that are partners, both going up;
            None lets the encoder find them. Only prompts of unequal length need any.
        template: pairs of one template are one cluster: statistics draw and flip them together,
            for they are no independent evidence. "" is a cluster of its own.
        group: pairs of one group are shown side by side with those of another. "" is no group.
        decoder: what the decoder of a model such as T5 has written so far, on either prompt, after
            its start token and before the answer; ``clean`` and ``corrupt`` are what its encoder
            reads, and positions and roles are the decoder's.

    Raises:
        MediationError: empty texts, equal prompts, answers that are the same or overlap, an
            alignment that does not go up, a template or group that is no text.

    Example:
        >>> mw.PromptPair(
        ...     clean="When Mary and John went to the store John gave a book to",
        ...     corrupt="When Mary and John went to the store Mary gave a book to",
        ...     answer="Mary",
        ...     wrong="John",
        ... ).swapped().answer
        'John'
        >>> mw.PromptPair("a b", "a c", answer=["x", "y"], wrong="z").answer_text
        '{x, y}'
    """

    clean: str
    corrupt: str
    answer: str | Sequence[str]
    wrong: str | Sequence[str]
    roles: Mapping[str, Any] = field(default_factory=dict, hash=False)
    alignment: Partners | None = None
    template: str = ""
    group: str = ""
    decoder: str = ""

    def __post_init__(self) -> None:
        for name in ("clean", "corrupt"):
            refuse_no_text(name, getattr(self, name))
        for name in ("answer", "wrong"):
            object.__setattr__(self, name, as_answer(name, getattr(self, name)))
        if self.clean == self.corrupt:
            raise MediationError(
                "The two prompts are equal, so there is no effect to mediate.",
                value=repr(self.clean),
                expected="a corrupt prompt that differs from the clean one",
                fix="change the word whose influence you study in `corrupt`",
            )
        refuse_no_roles(self.roles)
        if self.alignment is not None:
            object.__setattr__(self, "alignment", _as_alignment(self.alignment))
        for name in ("template", "group", "decoder"):
            require(
                isinstance(getattr(self, name), str),
                f"A pair's {name} is named.",
                value=getattr(self, name),
                expected="a text; empty for none",
                fix=f"pass {name}='...'",
            )
        self._refuse_same()

    def _refuse_same(self) -> None:
        """Raise where texts are the same answer, of which one may bring its own space."""
        before = self.decoder or self.clean
        right, wrong = (
            {as_read(before, text): text for text in texts} for texts in (self.answers, self.wrongs)
        )
        refuse_twice("answer", self.answers, right)
        refuse_twice("wrong", self.wrongs, wrong)
        shared = [text for read, text in right.items() if read in wrong]
        if shared:
            raise same_answers(self.answers, self.wrongs, shared)

    @property
    def answers(self) -> tuple[str, ...]:
        """The members of the answer: one text, unless it is a set."""
        return members(self.answer)

    @property
    def wrongs(self) -> tuple[str, ...]:
        """The members of the wrong answer."""
        return members(self.wrong)

    @property
    def answer_text(self) -> str:
        """The answer as one plain text, for labels: ``Mary``, ``{Mary, Anna}``."""
        return shown(self.answers)

    @property
    def wrong_text(self) -> str:
        """The wrong answer as one plain text, for labels."""
        return shown(self.wrongs)

    def swapped(self, partners: Partners | None = None) -> PromptPair:
        """The same pair asked from the other side: prompts and answers exchanged.

        Roles move to the partners of their positions; one with a position that has none is
        dropped. Where nobody says what the partners are, roles stay, as is right for prompts of
        equal length; a model that reads others refuses them then.

        Args:
            partners: all of them, as a model reads the prompts
                (``lm.encode([pair])[0].alignment``); they stay partners, so that the other side's
                numbers are of the same question. Default, the pair's own ``alignment``.

        Raises:
            MediationError: partners that do not go up.
        """
        roles, alignment = self.roles, self.alignment
        if partners is not None:
            alignment = _as_alignment(partners)
        if isinstance(roles, KeptRoles):
            roles = dict(roles)
        elif alignment is not None:
            lengths = None if partners is None else (alignment[-1][0] + 1, alignment[-1][1] + 1)
            roles = _moved(roles, alignment, lengths)
        elif roles:
            roles = KeptRoles(roles)
        if alignment is not None:
            alignment = [(corrupt, clean) for clean, corrupt in alignment]
            if partners is not None and all(one == other for one, other in alignment):
                alignment = None  # what any model finds of prompts of one length
        return replace(
            self,
            clean=self.corrupt,
            corrupt=self.clean,
            answer=self.wrong,
            wrong=self.answer,
            roles=roles,
            alignment=alignment,
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``PromptPair.from_json`` reads back."""
        data: dict[str, Any] = {
            "clean": self.clean,
            "corrupt": self.corrupt,
            "answer": plain(self.answer),
            "wrong": plain(self.wrong),
            "roles": dict(self.roles),
        }
        if self.alignment is not None:
            data["alignment"] = [list(partners) for partners in self.alignment]
        if isinstance(self.roles, KeptRoles):
            data["roles_of"] = "corrupt"
        named = {"template": self.template, "group": self.group, "decoder": self.decoder}
        return data | {name: text for name, text in named.items() if text}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PromptPair:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved pair of prompts, or one that could not be made anew.
        """
        with reading("prompt pair", data):
            fields = dict(data)
            if "roles_of" in fields:
                kinds: dict[str, type[dict[str, Any]]] = {"clean": dict, "corrupt": KeptRoles}
                fields["roles"] = kinds[fields.pop("roles_of")](fields["roles"])
            return cls(**fields)


def _moved(
    roles: Mapping[str, Any], partners: Partners, lengths: tuple[int, int] | None
) -> dict[str, Any]:
    """Roles in the other prompt; a span moves whole, or not at all.

    Args:
        roles: positions of the clean prompt.
        partners: in the corrupt one.
        lengths: of both prompts, None where nobody knows: then -1 alone counts from the end.
    """
    there = {-1: -1, **dict(partners)}  # the last tokens are always partners
    if lengths is not None:
        there |= {i - lengths[0]: other - lengths[1] for i, other in partners}
    found: dict[str, Any] = {}
    for role, at in roles.items():
        several = [at] if isinstance(at, int) else at
        if all(one in there for one in several):
            moved = tuple(there[one] for one in several)
            found[role] = moved[0] if isinstance(at, int) else moved
    return found


def _as_alignment(given: Any) -> tuple[tuple[int, int], ...]:
    """Pairs of positions, going up in both prompts."""
    listed = isinstance(given, Sequence) and not isinstance(given, str)
    pairs = [tuple(two) if isinstance(two, Sequence) else () for two in given] if listed else [()]
    whole = all(
        len(two) == 2 and all(isinstance(i, int) and not isinstance(i, bool) for i in two)
        for two in pairs
    )
    ups = whole and all(
        a[0] < b[0] and a[1] < b[1] for a, b in zip([(-1, -1), *pairs], pairs, strict=False)
    )
    if not pairs or not ups:
        raise MediationError(
            "An alignment names partners from left to right.",
            value=repr(given),
            expected="(clean position, corrupt position) pairs, both going up from one to the next",
            fix="alignment=[(0, 0), (1, 1), (2, 3)], or leave it out",
        )
    return tuple((two[0], two[1]) for two in pairs)


@dataclass(frozen=True)
class Contrast(Sequence[PromptPair]):
    """The pairs of one task. The pair is the unit of every statistic.

    It is a sequence: ``contrast[0]`` is the first pair, ``len(contrast)`` how many there are.

    Args:
        pairs: at least one.
        name: what views and files call the task.
        dropped: how many candidate pairs a generator left out (words the tokenizer lacks).

    Raises:
        MediationError: no pairs, or things that are none or of two kinds; a name that is no text; a
            ``dropped`` that is no count.
    """

    pairs: tuple[PromptPair, ...]
    name: str = ""
    dropped: int = 0

    def __init__(
        self,
        pairs: Sequence[PromptPair] | Sequence[InputPair],
        name: str = "",
        dropped: int = 0,
    ) -> None:
        _refuse_no_pairs(pairs)
        told: tuple[object, object] = (name, dropped)
        require(
            isinstance(told[0], str) and isinstance(told[1], int) and dropped >= 0,
            "A contrast has a name, and a number of candidates that were left out.",
            value=told,
            expected="a text, and an int from 0",
            fix="Contrast([pair], 'my task')",
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
        """One pair, or a contrast of several of them."""
        if isinstance(index, slice):
            return Contrast(self.pairs[index], self.name, self.dropped)
        return self.pairs[index]

    def swapped(self, partners: Sequence[Partners] | None = None) -> Contrast:
        """Every pair asked from the other side.

        Args:
            partners: of each pair, as ``PromptPair.swapped`` takes them; not for inputs.

        Raises:
            MediationError: partners of another number of pairs or of inputs, or that do not go up.
        """
        if partners is None:
            return Contrast([pair.swapped() for pair in self.pairs], self.name, self.dropped)
        given: tuple[object, object] = (partners, self.pairs[0])
        listed = isinstance(given[0], Sequence) and len(given[0]) == len(self.pairs)
        require(
            listed and isinstance(given[1], PromptPair),
            "Partners are tokens of pairs of prompts, named of every pair or of none.",
            value=partners,
            expected=f"an alignment of each of the {len(self.pairs)} pairs",
            fix="contrast.swapped([read.alignment for read in lm.encode(contrast)])",
        )
        both = zip(self.pairs, partners, strict=True)
        return Contrast([pair.swapped(found) for pair, found in both], self.name, self.dropped)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Contrast.from_json`` reads back."""
        pairs = [pair.to_json() for pair in self.pairs]
        return {"name": self.name, "dropped": self.dropped, "pairs": pairs}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Contrast:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved contrast, or one that could not be made anew.
        """
        with reading("contrast", data):
            pairs: list[Any] = [
                (PromptPair if isinstance(pair["clean"], str) else InputPair).from_json(pair)
                for pair in data["pairs"]
            ]
            return cls(pairs, data.get("name", ""), data.get("dropped", 0))


def settled(contrast: Contrast) -> Contrast:
    """The same where a model has read it: roles that a swap kept have proven to be the clean's."""
    if not any(isinstance(pair.roles, KeptRoles) for pair in contrast):
        return contrast
    pairs = [replace(pair, roles=dict(pair.roles)) for pair in contrast]
    return Contrast(pairs, contrast.name, contrast.dropped)


def as_contrast(
    pairs: PromptPair | Sequence[PromptPair] | InputPair | Sequence[InputPair],
) -> Contrast:
    """A pair or several as a contrast."""
    if isinstance(pairs, Contrast):
        return pairs
    several: Any = [pairs] if isinstance(pairs, PromptPair | InputPair) else pairs
    return Contrast(several)


def _refuse_no_pairs(pairs: Sequence[PromptPair] | Sequence[InputPair]) -> None:
    """Raise unless they are pairs, at least one, of prompts or of inputs."""
    given: object = pairs
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise MediationError(
            "A contrast is made of prompt pairs.",
            value=repr(pairs)[:200],
            expected="a list of PromptPair",
            fix="Contrast([pair])",
        )
    kind = InputPair if given and isinstance(given[0], InputPair) else PromptPair
    for pair in pairs:
        if not isinstance(pair, kind):
            raise MediationError(
                "A contrast is made of prompt pairs.",
                value=repr(pair),
                expected=f"{kind.__name__}(clean=..., corrupt=..., answer=..., wrong=...)",
                fix=f"wrap your prompts in {kind.__name__}",
            )
    if not pairs:
        raise MediationError(
            "A contrast needs pairs.",
            value="an empty list",
            expected="at least one PromptPair",
            fix="Contrast([PromptPair(...), ...])",
        )
