"""Induction: after A, what followed A before?"""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, fill_text
from .words import SEQUENCE_WORDS
from .world import Split, held_out, in_split, sequence

Corruption = Literal["key", "value", "query"]

#: Where the two bigrams A B and C D stand in the sequence of _LENGTH words.
_PLACES = ((1, 5), (5, 1))
_LENGTH = 8
_SLOTS = tuple(f"word{i}" for i in range(_LENGTH + 1))
_FRAME = " ".join(f"{{{slot}}}" for slot in _SLOTS)


def induction(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    corruption: Corruption = "key",
    split: Split = "heldout",
) -> Contrast:
    """Random words with one repeated: ". A B . . C D . A" -> B.

    All pairs have as many tokens. In half of them A B comes before C D.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        corruption: what the corrupt prompt changes; its answer is D in every case.
            "key": A and C exchange places, so A is followed by D. Two tokens differ, and both
            the head that looks at the previous token and the induction head carry the change.
            "value": B and D exchange places. Two tokens differ, and the previous-token head
            sees the same as before.
            "query": the last word is C. One token differs.
        split: "heldout" for words A B that never stood side by side in the teaching model's
            training sequences, "train" for the others, "any" for both.

    Returns:
        A contrast with the roles A1, B1, C1, D1 and END.

    Raises:
        MediationError: an unknown option, or too few of the words are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    check_choice("split", split, SPLITS)
    good = one_token_words(lm, "words", SEQUENCE_WORDS, 2 * _LENGTH)
    pool = [word for word in SEQUENCE_WORDS if word in good]
    fitting = fit(lm, [_FRAME], dict.fromkeys(_SLOTS, pool[0]))
    rng = Random(int(seed))

    def draw(k: int) -> tuple[bool, tuple[str, ...]]:
        first = k % 2 == 0
        a, _ = _PLACES[not first]
        words = sequence(rng, _LENGTH, "any", pool)
        while not in_split(held_out("bigram", words[a], words[a + 1]), split):
            words = sequence(rng, _LENGTH, "any", pool)
        return first, tuple(words)

    def build(drawn: tuple[bool, tuple[str, ...]]) -> PromptPair | None:
        return _pair(fitting, *drawn, corruption)

    return collect(f"induction, {corruption} corruption", n, draw, build)


def _pair(
    fitting: Fit, first: bool, words: tuple[str, ...], corruption: Corruption
) -> PromptPair | None:
    a, c = _PLACES[not first]
    clean = [*words, words[a]]
    corrupt = list(clean)
    if corruption == "query":
        corrupt[-1] = words[c]
    else:
        shift = 0 if corruption == "key" else 1
        corrupt[a + shift], corrupt[c + shift] = clean[c + shift], clean[a + shift]
    filled = fill_text(_FRAME, dict(zip(_SLOTS, clean, strict=True)))
    index = {"A1": a, "B1": a + 1, "C1": c, "D1": c + 1}
    return fitting.pair(
        filled,
        fill_text(_FRAME, dict(zip(_SLOTS, corrupt, strict=True))),
        (words[a + 1], words[c + 1]),
        {role: filled.span(_SLOTS[i]) for role, i in index.items()},
        group="A B first" if first else "C D first",
    )
