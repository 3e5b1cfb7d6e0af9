"""A prompt pair as token ids: which rows a model runs on, where they are read, who are partners."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError

Ids = NDArray[np.int64]
Alignment = tuple[tuple[int, int], ...]
"""(clean position, corrupt position) of partners, both going up."""


@dataclass(frozen=True, eq=False)
class Strand:
    """What one forward row reads of a pair: the prompt, and what of an answer is fed after it.

    Attributes:
        clean, corrupt: token ids; of an answer of several tokens all but its last stand at the end.
        reads: positions of ``clean`` whose next-token logits are read.
        corrupt_reads: the same in ``corrupt``; other numbers only where the lengths differ.
        gives: ``both`` answers (single tokens and sets; one read), or the ``answer`` or the
            ``wrong`` answer alone (teacher-forced; one read a token).
        targets: of ``both`` the ids of the answer's members and of the wrong answer's; else one
            tuple, the id that is asked for at each read.
        reduce: what the reads of a teacher-forced answer are put together by.
        alignment: partners among all positions of the two rows.
        sources: of an encoder-decoder what its encoder reads beside ``clean`` and ``corrupt``.
    """

    clean: Ids
    corrupt: Ids
    reads: tuple[int, ...]
    corrupt_reads: tuple[int, ...]
    gives: Literal["both", "answer", "wrong"]
    targets: tuple[tuple[int, ...], ...]
    reduce: Literal["sum", "mean"]
    alignment: Alignment
    sources: tuple[Ids, Ids] | None = None

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def forced(self) -> bool:
        """Whether an answer is fed to the model token by token."""
        return self.gives != "both"


@dataclass(frozen=True, eq=False)
class TokenPair:
    """A prompt pair as the model reads it.

    Attributes:
        clean, corrupt: token ids of the prompts alone, of lengths T and U.
        clean_tokens, corrupt_tokens: the same as text, a string per token.
        answers: ids of the answer and of the wrong answer: one, the members of a set, or the
            tokens of an answer of several.
        answer_token, wrong_token: the answers as text, for labels.
        first_difference: the first position at which the prompts differ.
        strands: the rows that are run on either prompt: one where both answers are read off it,
            or one that is fed the answer and one that is fed the wrong answer.
        alignment: which positions of the two prompts are partners.
        sources: of an encoder-decoder the tokens that its encoder reads; ``clean`` and ``corrupt``
            are then what its decoder begins with, the same for both.
    """

    clean: Ids
    corrupt: Ids
    clean_tokens: tuple[str, ...]
    corrupt_tokens: tuple[str, ...]
    answers: tuple[tuple[int, ...], tuple[int, ...]]
    answer_token: str
    wrong_token: str
    first_difference: int
    strands: tuple[Strand, ...]
    alignment: Alignment
    sources: tuple[Ids, Ids] | None = None

    def __len__(self) -> int:
        return len(self.clean)

    @property
    def answer(self) -> int:
        """The answer's id.

        Raises:
            MediationError: it is a set, or several tokens.
        """
        return self._one(0)

    @property
    def wrong(self) -> int:
        """The wrong answer's id; raises like ``answer``."""
        return self._one(1)

    def lonely(self, base: str) -> tuple[int, ...]:
        """The positions of ``base`` ("clean" or "corrupt") without a partner in the other."""
        taken = {partners[0 if base == "clean" else 1] for partners in self.alignment}
        return tuple(i for i in range(len(self._tokens(base))) if i not in taken)

    def partner(self, position: int, base: str) -> int:
        """The position in the other prompt that answers to ``position`` of ``base``.

        Raises:
            MediationError: it has none.
        """
        here = 0 if base == "clean" else 1
        for partners in self.alignment:
            if partners[here] == position:
                return partners[1 - here]
        other = "corrupt" if base == "clean" else "clean"
        raise MediationError(
            f"This position of the {base} prompt has no partner in the {other} one.",
            value=self._named(position, base),
            expected="a position that both prompts have; " + (self.unaligned() or "all have one"),
            fix="PromptPair(..., alignment=[(clean position, corrupt position), ...]) names "
            "partners by hand",
        )

    def unaligned(self) -> str:
        """Which positions have no partner, in words; empty if all have one."""
        said = []
        for base in ("clean", "corrupt"):
            alone = [self._named(i, base) for i in self.lonely(base)]
            if alone:
                said.append(f"{base} {', '.join(alone)}")
        return f"without a partner: {'; '.join(said)}" if said else ""

    def _tokens(self, base: str) -> tuple[str, ...]:
        return self.clean_tokens if base == "clean" else self.corrupt_tokens

    def _named(self, position: int, base: str) -> str:
        tokens = self._tokens(base)
        known = 0 <= position < len(tokens)
        return f"{position} {tokens[position]!r}" if known else str(position)

    def _one(self, which: int) -> int:
        if len(self.answers[which]) != 1:
            name = ("answer", "wrong")[which]
            raise MediationError(
                "This answer is more than one token.",
                value=f"{name}={(self.answer_token, self.wrong_token)[which]!r}",
                expected="one token",
                fix=f"pair.answers[{which}] holds the ids, pair.strands where they are read",
            )
        return self.answers[which][0]


def align(
    clean: Sequence[int],
    corrupt: Sequence[int],
    given: Sequence[tuple[int, int]] | None = None,
) -> Alignment:
    """Which positions of two prompts are partners.

    Prompts of one length: every position with itself. Else what both begin with, then runs of
    equal tokens, and replaced runs of equal length between them (``difflib.SequenceMatcher``). The
    last positions, where answers are read, are always partners.

    Args:
        clean: token ids.
        corrupt: token ids.
        given: partners named by hand, going up; they go before what would be found.

    Raises:
        MediationError: ``given`` has a position out of range, or gives one of the last positions
            another partner.

    Example:
        >>> align([5, 6, 7, 9], [5, 8, 8, 7, 9])
        ((0, 0), (2, 3), (3, 4))
    """
    last = (len(clean) - 1, len(corrupt) - 1)
    if given is None:
        if len(clean) == len(corrupt):
            return tuple((i, i) for i in range(len(clean)))
        return (*_blocks(clean[:-1], corrupt[:-1]), last)
    if len(clean) == len(corrupt) and any(i != j for i, j in given):
        raise MediationError(
            "Prompts of one length are aligned position by position.",
            value=repr(tuple(given)),
            expected="no alignment",
            fix="leave alignment= out",
        )
    if len(clean) == len(corrupt):
        return tuple((i, i) for i in range(len(clean)))
    for i, j in given:
        if i > last[0] or j > last[1] or ((i == last[0]) != (j == last[1])):
            raise MediationError(
                "The alignment does not fit the prompts.",
                value=repr((i, j)),
                expected=f"positions 0 to {last[0]} of the clean prompt and 0 to {last[1]} of the "
                "corrupt one, the last ones with each other",
                fix="lm.tokens(text) shows the positions",
            )
    return tuple(dict.fromkeys([*given, last]))


def _blocks(clean: Sequence[int], corrupt: Sequence[int]) -> Iterator[tuple[int, int]]:
    # The longest run of equal tokens may begin later; but before the first difference a causal
    # model does the same on both prompts, so there every position is its own partner.
    same = first_difference(clean, corrupt)
    yield from ((i, i) for i in range(same))
    matcher = SequenceMatcher(None, clean[same:], corrupt[same:], autojunk=False)
    for kind, i, i_end, j, j_end in matcher.get_opcodes():
        if kind == "equal" or (kind == "replace" and i_end - i == j_end - j):
            partners = zip(range(i, i_end), range(j, j_end), strict=True)
            yield from ((same + a, same + b) for a, b in partners)


def first_difference(clean: Sequence[int], corrupt: Sequence[int]) -> int:
    """The first position at which two prompts differ; the shorter one's length if it begins both.

    Example:
        >>> first_difference([1, 2, 3], [1, 5])
        1
    """
    shorter = min(len(clean), len(corrupt))
    return next((i for i in range(shorter) if clean[i] != corrupt[i]), shorter)


def refuse_unequal(clean: Sequence[str], corrupt: Sequence[str]) -> None:
    """Raise, with both prompts as tokens, unless they are of one length."""
    if len(clean) == len(corrupt):
        return
    both = zip(clean, corrupt, strict=False)
    part = next((i for i, (a, b) in enumerate(both) if a != b), min(len(clean), len(corrupt)))
    raise MediationError(
        "The two prompts have different numbers of tokens.",
        value=f"clean {len(clean)}: {'|'.join(clean)}\n"
        f"            corrupt {len(corrupt)}: {'|'.join(corrupt)}\n"
        f"            they part at position {part}",
        expected="as many tokens in both, so that every position has a partner",
        fix="choose a replacement of as many tokens; lm.tokens(text) shows them",
    )


def refuse_several_tokens(pairs: Iterable[object], what: str, fix: str) -> None:
    """Raise where an answer of several tokens is fed to the model behind a prompt.

    Args:
        pairs: of a study; a network's have no answers that could be fed.
        what: what is asked, and of what alone: a sentence.
        fix: what to do instead.

    Raises:
        MediationError: names the answer.
    """
    for pair in pairs:
        if isinstance(pair, TokenPair) and any(strand.forced for strand in pair.strands):
            raise MediationError(
                what,
                value=f"an answer of several tokens: {pair.answer_token!r}",
                expected="answers of one token, or sets of them",
                fix=fix,
            )
