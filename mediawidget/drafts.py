"""A pair of prompts while it is being written: how each field reads, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .answers import BETWEEN, parted, typed
from .errors import MediationError
from .prompts import PromptPair
from .spacing import as_read
from .token_pairs import TokenPair, align

if TYPE_CHECKING:
    from .lm import LM
    from .readouts import Readout

PROMPTS, ANSWERS = ("clean", "corrupt"), ("answer", "wrong")
TOP = 5

Columns = tuple[tuple[int | None, int | None], ...]
"""(clean position, corrupt position) from left to right; None where one has no partner."""


@dataclass(frozen=True)
class Draft:
    """Four texts, right or wrong; a set of answers has bars between its members."""

    clean: str
    corrupt: str
    answer: str
    wrong: str

    @classmethod
    def of(cls, pair: PromptPair) -> Draft:
        """A pair as it would be typed."""
        return cls(pair.clean, pair.corrupt, typed(pair.answers), typed(pair.wrongs))

    def members(self, name: str) -> list[str]:
        """The answers in a field; a space before one is its own."""
        return [part for part in parted(str(getattr(self, name))) if part]


@dataclass(frozen=True)
class Reading:
    """What a model reads in a draft.

    Attributes:
        tokens: of each prompt that it can read.
        columns: the two prompts' tokens side by side.
        problems: what keeps it from being a pair, by field; empty if it is one.
        notes: what is right and worth knowing, by field.
        pair: the pair, None where there is a problem.
    """

    tokens: Mapping[str, tuple[str, ...]]
    columns: Columns
    problems: Mapping[str, MediationError]
    notes: Mapping[str, str]
    pair: PromptPair | None


@dataclass
class _Notes:
    problems: dict[str, MediationError] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def read_draft(
    lm: LM, draft: Draft, before: PromptPair | None = None, readout: Readout | None = None
) -> Reading:
    """Read a draft as the model would, every mistake beside the field that has it.

    Args:
        lm: whose tokenizer reads it.
        draft: the texts.
        before: the pair that is being changed; its roles stay where the clean prompt's tokens are
            as many as they were, its template and group stay.
        readout: where the answers are read; default, after the last token.
    """
    said = _Notes()
    ids = {name: _ids(lm, draft, name, said) for name in PROMPTS}
    if ids["clean"] and ids["clean"] == ids["corrupt"]:
        said.problems["corrupt"] = MediationError(
            "The model reads both prompts alike, so there is no effect to mediate.",
            value=repr(draft.corrupt),
            expected="a corrupt prompt that differs from the clean one",
            fix="change the word whose influence you study",
        )
    for name in ANSWERS:
        _read_answer(lm, draft, name, said)
    pair = None if said.problems else _pair(lm, draft, before, readout, said)
    tokens = {name: tuple(map(lm.encoder.token, ids[name])) for name in PROMPTS}
    columns = _columns(ids["clean"], ids["corrupt"])
    if pair is not None:
        _compare(lm, pair, said)
    return Reading(tokens, columns, said.problems, said.notes, pair)


def next_tokens(lm: LM, text: str) -> list[tuple[str, float]]:
    """The model's likeliest next tokens after a text, with their probabilities: one pass.

    Raises:
        MediationError: what ``LM.next_tokens`` raises.
    """
    return lm.next_tokens(text, TOP)


def as_typed(prompt: str, token: str) -> str:
    """A token as people type it for an answer: without its space, where it is read with one."""
    bare = token.strip()
    return bare if bare and as_read(prompt, bare) == as_read(prompt, token) else token


def _ids(lm: LM, draft: Draft, name: str, said: _Notes) -> list[int]:
    try:
        return lm.encoder.ids(getattr(draft, name))
    except MediationError as error:
        said.problems[name] = error
        return []


def _read_answer(lm: LM, draft: Draft, name: str, said: _Notes) -> None:
    members = draft.members(name)
    if not members:
        said.problems[name] = MediationError(
            "An answer is missing.",
            value=repr(getattr(draft, name)),
            expected="what the model should say after the "
            + ("clean prompt" if name == "answer" else "corrupt prompt, or another wrong answer"),
            fix="type it, or pick one of the model's own predictions",
        )
        return
    try:
        answer = lm.encoder.answers(members, name, draft.clean)
    except MediationError as error:
        said.problems[name] = error
        return
    if answer.several:
        pieces = BETWEEN.join(lm.encoder.token(i) for i in answer.ids)
        said.notes[name] = f"{len(answer.ids)} tokens, read one after the other: {pieces}"
    elif len(members) > 1:
        counts = "right" if name == "answer" else "wrong"
        said.notes[name] = f"a set of {len(members)}: any of them counts as {counts}"


def _pair(
    lm: LM, draft: Draft, before: PromptPair | None, readout: Readout | None, said: _Notes
) -> PromptPair | None:
    """The draft as a pair; what only the two sides together show is the second one's problem."""
    answers = (draft.members(name) for name in ANSWERS)
    answer, wrong = (one[0] if len(one) == 1 else one for one in answers)
    kept: dict[str, Any] = {}
    if before is not None:
        kept = {"template": before.template, "group": before.group, "decoder": before.decoder}
        if lm.encodes or _as_long(lm, before.clean, draft.clean):
            kept["roles"] = before.roles
    blamed = "wrong"
    try:
        pair = PromptPair(draft.clean, draft.corrupt, answer, wrong, **kept)
        lm.encoder.pair(pair, equal=False, single=False)
        blamed = "clean"  # the prompts and answers fit each other; the readout may not fit them
        lm.encoder.pair(pair, readout, equal=False, single=False)
    except MediationError as error:
        said.problems[blamed] = error
        return None
    if before is not None and before.roles and not pair.roles:
        said.notes["clean"] = "another number of tokens: the roles of the pair are dropped"
    if before is not None and _same_texts(before, pair):
        return replace(pair, alignment=before.alignment)
    return pair


def _same_texts(one: PromptPair, other: PromptPair) -> bool:
    return (one.clean, one.corrupt) == (other.clean, other.corrupt)


def _as_long(lm: LM, one: str, other: str) -> bool:
    return len(lm.encoder.ids(one)) == len(lm.encoder.ids(other))


def _columns(clean: list[int], corrupt: list[int]) -> Columns:
    """Both prompts from left to right; partners stand under each other."""
    if not clean or not corrupt:
        longer = max(len(clean), len(corrupt))
        return tuple((i if clean else None, i if corrupt else None) for i in range(longer))
    columns: list[tuple[int | None, int | None]] = []
    at_clean = at_corrupt = 0
    for i, j in align(clean, corrupt):
        columns += [(k, None) for k in range(at_clean, i)]
        columns += [(None, k) for k in range(at_corrupt, j)]
        columns.append((i, j))
        at_clean, at_corrupt = i + 1, j + 1
    return tuple(columns)


def _compare(lm: LM, pair: PromptPair, said: _Notes) -> None:
    """How far the prompts are apart: the fewer tokens differ, the plainer what an effect says."""
    read: TokenPair = lm.encoder.pair(pair, equal=False, single=False)
    if len(read.clean) != len(read.corrupt):
        alone = read.unaligned()
        lengths = f"{len(read.clean)} against {len(read.corrupt)} tokens"
        said.notes["corrupt"] = f"{lengths}; {alone}" if alone else lengths
        return
    n = int(np.sum(read.clean != read.corrupt))
    words = "1 token differs" if n == 1 else f"{n} tokens differ"
    said.notes["corrupt"] = f"{words}, of {len(read)}"
