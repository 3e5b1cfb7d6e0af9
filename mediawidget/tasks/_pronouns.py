"""Whom a pronoun stands for: frames of our own in the manner of WinoBias and Winogender."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from ..prompts import Contrast, PromptPair
from ._draw import collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, fill_text

PRONOUNS = ("she", "he")
GROUPS = ("stereotypically female", "stereotypically male")

_FRAME = "The {{first}} {verb} the {{second}} because {{pronoun}} was"

#: A verb, and what would be said of the one who acts and of the other.
VERBS: dict[str, tuple[str, str]] = {
    "thanked": ("grateful", "helpful"),
    "visited": ("curious", "sick"),
    "trusted": ("naive", "honest"),
    "warned": ("worried", "careless"),
    "helped": ("kind", "lost"),
    "called": ("anxious", "late"),
    "paid": ("satisfied", "finished"),
    "missed": ("lonely", "away"),
    "teased": ("mean", "shy"),
    "followed": ("lost", "famous"),
}
FRAMES: dict[str, tuple[str, str]] = {
    _FRAME.format(verb=verb): answers for verb, answers in VERBS.items()
}

#: People of no stereotype.
OTHERS = ("visitor", "guest", "customer", "stranger", "neighbor", "tourist")


class _Words(NamedTuple):
    """``side`` is the person's stereotype, ``place`` whether the person acts or is the other."""

    frame: str
    person: str
    other: str
    side: int
    place: int


def reading_pairs(
    lm: HasTokens,
    n: int,
    rng: Random,
    style: str,
    stereotypes: tuple[Sequence[str], Sequence[str]],
    good: set[str],
) -> Contrast:
    """Pairs of which only the pronoun differs, and with it whom the last word is said of.

    Args:
        lm: whose tokenizer is asked.
        n: number of pairs.
        rng: draws the words.
        style: "winobias" for two professions of opposite stereotypes, "winogender" for one
            and a person of none.
        stereotypes: the professions, female first.
        good: those of them that are single tokens.

    Raises:
        MediationError: too few of the words are single tokens.
    """
    said = one_token_words(lm, "last words", [w for both in FRAMES.values() for w in both], 2)
    others = (stereotypes[1], stereotypes[0])
    if style == "winogender":
        others = (OTHERS, OTHERS)
        good = good | one_token_words(lm, "people", OTHERS, 1)
    frames = [frame for frame, answers in FRAMES.items() if said.issuperset(answers)]
    sample = next(word for word in (*stereotypes[0], *stereotypes[1]) if word in good)
    slots = {"first": sample, "second": sample, "pronoun": PRONOUNS[0]}
    fitting = fit(lm, frames or FRAMES, slots)

    def draw(k: int) -> _Words:
        side, place = k % 2, k // 2 % 2
        person, other = rng.choice(stereotypes[side]), rng.choice(others[side])
        return _Words(rng.choice(fitting.frames), person, other, side, place)

    def build(words: _Words) -> PromptPair | None:
        known = good.issuperset(words[1:3]) and said.issuperset(FRAMES[words.frame])
        return _pair(fitting, words) if known else None

    return collect(f"gender, {style}", n, draw, build)


def _pair(fitting: Fit, words: _Words) -> PromptPair | None:
    places = ("first", "second")
    slots = {places[words.place]: words.person, places[1 - words.place]: words.other}
    answers = FRAMES[words.frame]
    clean = fill_text(words.frame, slots | {"pronoun": PRONOUNS[words.side]})
    return fitting.pair(
        clean,
        fill_text(words.frame, slots | {"pronoun": PRONOUNS[1 - words.side]}),
        (answers[words.place], answers[1 - words.place]),
        {
            "person": clean.span(places[words.place]),
            "other": clean.span(places[1 - words.place]),
            "pronoun": clean.span("pronoun"),
        },
        template=fill_text(words.frame, slots | {"pronoun": "{pronoun}"}).text,
        group=GROUPS[words.side],
    )
