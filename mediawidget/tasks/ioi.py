"""Indirect object identification: who receives the thing that a repeated name gave away?"""

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
    frames_of_one_length,
    one_token_words,
    position,
)
from .frames import ALIGNED_IOI_FRAMES
from .words import NAMES, OBJECTS, PLACES
from .world import Split, draw_names, fill, join_words

Corruption = Literal["swap", "third-name", "abc"]

_DRAWS_PER_PAIR = 200


def ioi(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    corruption: Corruption = "swap",
    split: Split = "heldout",
) -> Contrast:
    """Prompts such as "When Mary and John went to the store, John gave a book to" -> Mary.

    Half of the pairs name the giver second (ABBA), half first (BABA). All pairs have as many
    tokens, and the second mention and the last word are at the same positions in all of them.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        corruption: what the corrupt prompt changes.
            "swap": the second mention becomes the other name, so the answer is exchanged. One
            token differs.
            "third-name": the second mention becomes a third name, so neither name is repeated.
            One token differs.
            "abc": all three mentions become three other names. Three tokens differ.
        split: "heldout" for pairs of names that the teaching model never met together in
            training, "train" for the others, "any" for both. It has no meaning for other models.

    Returns:
        A contrast with the roles IO (the receiver), S1 and S2 (the giver's two mentions), S1+1
        and END; ``dropped`` counts drawn pairs that had a word of several tokens.

    Raises:
        MediationError: an unknown option, or too few names, places or objects are single tokens.

    Example:
        >>> contrast = ioi(lm, n=8, corruption="third-name")  # doctest: +SKIP
        >>> contrast[0].roles  # doctest: +SKIP
        {'IO': 2, 'S1': 4, 'S1+1': 5, 'S2': 10, 'END': 14}
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    check_choice("split", split, SPLITS)
    good = one_token_words(lm, "names", NAMES, 6)
    good |= one_token_words(lm, "places", PLACES, 1)
    good |= one_token_words(lm, "objects", OBJECTS, 1)
    sample = {
        slot: next(word for word in words if word in good)
        for slot, words in (("A", NAMES), ("place", PLACES), ("object", OBJECTS))
    }
    sample |= {"B": sample["A"], "S": sample["A"]}
    frames = frames_of_one_length(lm, ALIGNED_IOI_FRAMES, sample)
    rng = Random(seed)
    pairs: dict[str, PromptPair] = {}
    dropped = 0
    last = 0
    for draw in range(n * _DRAWS_PER_PAIR):
        if len(pairs) == n or draw - last > MOST_MISSES:
            break
        slots, fresh = _draw_words(rng, split)
        if not good.issuperset((*slots.values(), *fresh)):
            dropped += 1
            continue
        giver = "B" if len(pairs) % 2 == 0 else "A"
        pair = _pair(lm, rng.choice(frames), slots, giver, _corrupted(fresh, corruption))
        if pairs.setdefault(pair.clean, pair) is pair:
            last = draw
    if len(pairs) < n:
        raise MediationError(
            "The tokenizer's words do not give that many different pairs.",
            value=f"n={n}",
            expected=f"at most about {len(pairs)}",
            fix=f"n={max(1, len(pairs))}",
        )
    return Contrast(list(pairs.values()), f"IOI, {corruption}", dropped)


def _draw_words(rng: Random, split: Split) -> tuple[dict[str, str], list[str]]:
    """The two names, the place and the object, and three further names."""
    a, b = draw_names(rng, split)
    fresh = rng.sample([name for name in NAMES if name not in (a, b)], 3)
    slots = {"A": a, "B": b, "place": rng.choice(PLACES), "object": rng.choice(OBJECTS)}
    return slots, fresh


def _corrupted(fresh: list[str], corruption: Corruption) -> dict[str, str]:
    """What the corrupt prompt changes; no "S" means that the names exchange roles."""
    if corruption == "third-name":
        return {"S": fresh[0]}
    if corruption == "abc":
        return dict(zip("ABS", fresh, strict=True))
    return {}


def _pair(
    lm: HasTokens, frame: str, slots: dict[str, str], giver: str, changes: dict[str, str]
) -> PromptPair:
    receiver = "A" if giver == "B" else "B"
    words, where = fill(frame, slots | {"S": slots[giver]})
    corrupt, _ = fill(frame, slots | {"S": slots[receiver]} | changes)
    index = {
        "IO": where[receiver],
        "S1": where[giver],
        "S1+1": where[giver] + 1,
        "S2": where["S"],
        "END": len(words) - 1,
    }
    return PromptPair(
        clean=join_words(words),
        corrupt=join_words(corrupt),
        answer=slots[receiver],
        wrong=slots[giver],
        roles={role: position(lm, words, i) for role, i in index.items()},
    )
