"""Indirect object identification: who receives the thing that a repeated name gave away?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, as_text, fill_text
from .frames import ALIGNED_IOI_FRAMES
from .words import NAMES, OBJECTS, PLACES
from .world import Split, draw_names

Corruption = Literal["swap", "third-name", "abc"]
Order = Literal["both", "ABBA", "BABA"]


class _Words(NamedTuple):
    """What one pair is made of; ``fresh`` are three further names."""

    frame: str
    a: str
    b: str
    place: str
    object: str
    giver: str
    fresh: tuple[str, ...]


def ioi(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    corruption: Corruption = "swap",
    split: Split = "heldout",
    order: Order = "both",
) -> Contrast:
    """Prompts such as "When Mary and John went to the store, John gave a book to" -> Mary.

    All pairs have as many tokens, and the second mention and the last word are at the same
    positions in all of them. After Wang et al. (2023).

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
        order: "ABBA" names the giver second, "BABA" first; "both" takes turns.

    Returns:
        A contrast with the roles IO (the receiver), S1 and S2 (the giver's two mentions), S1+1
        and END, whose groups are the orders; ``dropped`` counts drawn pairs that had a word of
        several tokens.

    Raises:
        MediationError: an unknown option, or too few names, places or objects are single tokens.

    Example:
        >>> contrast = mw.tasks.ioi(lm, n=8, corruption="third-name")
        >>> contrast[0].roles
        {'IO': 2, 'S1': 4, 'S1+1': 5, 'S2': 10, 'END': 14}
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    check_choice("split", split, SPLITS)
    check_choice("order", order, get_args(Order))
    good = one_token_words(lm, "names", NAMES, 6)
    good |= one_token_words(lm, "places", PLACES, 1)
    good |= one_token_words(lm, "objects", OBJECTS, 1)
    sample = {
        slot: next(word for word in words if word in good)
        for slot, words in (("A", NAMES), ("place", PLACES), ("object", OBJECTS))
    }
    sample |= {"B": sample["A"], "S": sample["A"]}
    fitting = fit(lm, map(as_text, ALIGNED_IOI_FRAMES), sample)
    rng = Random(int(seed))

    def draw(k: int) -> _Words:
        giver = "AB"[k % 2 == 0] if order == "both" else order[1]
        return _draw_words(rng, fitting, split, giver)

    def build(words: _Words) -> PromptPair | None:
        changes = _corrupted(words, corruption)
        if not good.issuperset((*words[1:5], *changes.values())):
            return None
        return _pair(fitting, words, changes)

    return collect(f"IOI, {corruption}", n, draw, build)


def _draw_words(rng: Random, fitting: Fit, split: Split, giver: str) -> _Words:
    a, b = draw_names(rng, split)
    fresh = rng.sample([name for name in NAMES if name not in (a, b)], 3)
    place, thing = rng.choice(PLACES), rng.choice(OBJECTS)
    return _Words(rng.choice(fitting.frames), a, b, place, thing, giver, tuple(fresh))


def _corrupted(words: _Words, corruption: Corruption) -> dict[str, str]:
    """What the corrupt prompt has in its slots instead."""
    if corruption == "third-name":
        return {"S": words.fresh[0]}
    if corruption == "abc":
        return dict(zip("ABS", words.fresh, strict=True))
    return {"S": words.a if words.giver == "B" else words.b}


def _pair(fitting: Fit, words: _Words, changes: dict[str, str]) -> PromptPair | None:
    slots = {"A": words.a, "B": words.b, "place": words.place, "object": words.object}
    giver, receiver = words.giver, "A" if words.giver == "B" else "B"
    slots["S"] = slots[giver]
    clean = fill_text(words.frame, slots)
    roles = {
        "IO": clean.span(receiver),
        "S1": clean.span(giver),
        "S1+1": clean.span(giver, shift=1),
        "S2": clean.span("S"),
    }
    return fitting.pair(
        clean,
        fill_text(words.frame, slots | changes),
        (slots[receiver], slots[giver]),
        roles,
        template=fill_text(words.frame, slots | {slot: f"{{{slot}}}" for slot in "ABS"}).text,
        group="ABBA" if giver == "B" else "BABA",
    )
