"""Frames as text: words are put in, and the tokens that they become are found again."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from .world import join_words

_SLOT = re.compile(r"\{(\w+)\}")

Place = int | tuple[int, ...]
"""The position of a token, or of each token of a span."""


class HasTokens(Protocol):
    """The part of a language model that contrasts use."""

    def tokens(self, text: str) -> list[str]:
        """The text as tokens, the start token included."""
        ...


class Span(NamedTuple):
    """Characters ``start`` to ``end`` (exclusive) of a text, and which of their tokens count.

    ``whole`` is all of them, else the last; ``shift`` tokens further right.
    """

    start: int
    end: int
    whole: bool = False
    shift: int = 0


@dataclass(frozen=True)
class Filled:
    """A frame with its words put in, and where each slot's words stand in the text."""

    text: str
    spans: Mapping[str, Sequence[Span]]

    def span(self, slot: str, mention: int = 0, *, whole: bool = False, shift: int = 0) -> Span:
        """A mention of a slot, counted from 0."""
        start, end, *_ = self.spans[slot][mention]
        return Span(start, end, whole, shift)


def as_text(frame: str) -> str:
    """A frame of the training world as one text: no space before punctuation."""
    return join_words(frame.split())


def fill_text(frame: str, slots: Mapping[str, str]) -> Filled:
    """Put words into a frame's ``{slots}``.

    Example:
        >>> fill_text("{a} + {b} =", {"a": "1", "b": "22"}).spans["b"]
        [Span(start=4, end=6, whole=False, shift=0)]
    """
    text = ""
    spans: dict[str, list[Span]] = {}
    for i, piece in enumerate(_SLOT.split(frame)):
        start = len(text)
        text += slots[piece] if i % 2 else piece
        if i % 2:
            spans.setdefault(piece, []).append(Span(start, len(text)))
    return Filled(text, spans)


def places(lm: HasTokens, text: str, spans: Mapping[str, Span]) -> dict[str, Place] | None:
    """The positions of the tokens of each span, the start token counted.

    None where a token reaches over the end or the beginning of a span, so that the text up to
    there has other tokens than the same part of the whole.
    """
    whole = lm.tokens(text)
    found: dict[str, Place] = {}
    for name, (start, end, every, shift) in spans.items():
        last = _count(lm, text[:end], whole)
        before = _count(lm, text[:start].rstrip(), whole) if every else last
        if last is None or before is None:
            return None
        found[name] = tuple(range(before, last)) if every else last - 1 + shift
    return found


def _count(lm: HasTokens, part: str, whole: Sequence[str]) -> int | None:
    """How many of the ``whole`` text's tokens its beginning takes."""
    tokens = lm.tokens(part)
    return len(tokens) if tokens == list(whole[: len(tokens)]) else None
