"""Induction: after A, what followed A before?"""

from __future__ import annotations

from random import Random
from typing import Literal, get_args

from ..errors import MediationError
from ..prompts import Contrast, PromptPair
from ._fit import (
    MOST_MISSES,
    SPLITS,
    HasTokens,
    check_choice,
    check_count,
    one_token_words,
    position,
)
from .words import SEQUENCE_WORDS
from .world import Split, held_out, join_words, sequence

Corruption = Literal["key", "value", "query"]

#: Where the two bigrams A B and C D stand in the sequence of _LENGTH words.
_PLACES = ((1, 5), (5, 1))
_LENGTH = 8
_DRAWS_PER_PAIR = 500


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
    rng = Random(seed)
    pairs: dict[str, PromptPair] = {}
    last = 0
    for draw in range(n * _DRAWS_PER_PAIR):
        if len(pairs) == n or draw - last > MOST_MISSES:
            break
        words = sequence(rng, _LENGTH, "any", pool)
        a, c = _PLACES[len(pairs) % 2]
        unseen = held_out("bigram", words[a], words[a + 1])
        if split == "any" or unseen == (split == "heldout"):
            pair = _pair(lm, words, a, c, corruption)
            if pairs.setdefault(pair.clean, pair) is pair:
                last = draw
    if len(pairs) < n:
        raise MediationError(
            "The tokenizer's words do not give that many different pairs.",
            value=f"n={n}",
            expected=f"at most about {len(pairs)}",
            fix=f"n={max(1, len(pairs))}",
        )
    return Contrast(list(pairs.values()), f"induction, {corruption} corruption")


def _pair(lm: HasTokens, words: list[str], a: int, c: int, corruption: Corruption) -> PromptPair:
    clean = [*words, words[a]]
    corrupt = list(clean)
    if corruption == "query":
        corrupt[-1] = words[c]
    else:
        shift = 0 if corruption == "key" else 1
        corrupt[a + shift], corrupt[c + shift] = clean[c + shift], clean[a + shift]
    index = {"A1": a, "B1": a + 1, "C1": c, "D1": c + 1, "END": len(words)}
    return PromptPair(
        clean=join_words(clean),
        corrupt=join_words(corrupt),
        answer=words[a + 1],
        wrong=words[c + 1],
        roles={role: position(lm, clean, i) for role, i in index.items()},
    )
