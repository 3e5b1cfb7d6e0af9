"""Colored objects: which color had the thing that is asked for?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, fill_text

Corruption = Literal["question", "colors"]

COLORS = ("red", "blue", "green", "black", "white", "yellow", "purple", "pink", "brown", "gray")
THINGS = (
    *("book", "cup", "hat", "pen", "box", "bag", "coat", "ball", "plate", "bowl", "shirt"),
    *("key", "pencil", "ring", "phone", "map", "towel", "candle", "bottle", "shoe"),
)

_SEEN = "a {color0} {thing0}, a {color1} {thing1}, and a {color2} {thing2}."

FRAMES = (
    f"On the shelf there is {_SEEN} The color of the {{asked}} is",
    f"In the drawer there is {_SEEN} The color of the {{asked}} is",
    f"By the door there is {_SEEN} The color of the {{asked}} is",
    f"On the floor there is {_SEEN} The color of the {{asked}} is",
)


_COLORED = ("color0", "color1", "color2")


class _Words(NamedTuple):
    """``asked`` and ``other`` are numbers of things, counted from 0."""

    frame: str
    colors: tuple[str, ...]
    things: tuple[str, ...]
    asked: int
    other: int


def colored_objects(
    lm: HasTokens, n: int = 64, seed: int = 0, corruption: Corruption = "question"
) -> Contrast:
    """Prompts such as "On the shelf there is a red cup, a blue pen, ... The color of the pen is".

    Three things of three colors, of which the first, second or third is asked for by turns. All
    pairs have as many tokens. The question is that of the colored objects in BIG-bench (2022),
    in frames of our own.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        corruption: what the corrupt prompt changes, so that another color is right.
            "question": another of the things is asked for. One token differs.
            "colors": two things exchange their colors. Two tokens differ.

    Returns:
        A contrast with the roles color and thing (those asked for, where they are first named),
        other color and other thing (those of the corrupt prompt's answer), asked (the thing in
        the question) and END, whose groups say which thing is asked for; ``dropped`` counts
        drawn pairs that had a word of several tokens.

    Raises:
        MediationError: an unknown option, or too few colors or things are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    colors = one_token_words(lm, "colors", COLORS, 3)
    things = one_token_words(lm, "things", THINGS, 3)
    good = colors | things
    sample = {f"color{i}": min(colors) for i in range(3)}
    sample |= {f"thing{i}": min(things) for i in range(3)} | {"asked": min(things)}
    fitting = fit(lm, FRAMES, sample)
    rng = Random(int(seed))

    def draw(k: int) -> _Words:
        asked = k % 3
        other = rng.choice([i for i in range(3) if i != asked])
        drawn = (tuple(rng.sample(COLORS, 3)), tuple(rng.sample(THINGS, 3)))
        return _Words(rng.choice(fitting.frames), *drawn, asked, other)

    def build(words: _Words) -> PromptPair | None:
        known = good.issuperset((*words.colors, *words.things))
        return _pair(fitting, words, corruption) if known else None

    return collect(f"colored objects, {corruption}", n, draw, build)


def _pair(fitting: Fit, words: _Words, corruption: Corruption) -> PromptPair | None:
    asked, other = words.asked, words.other
    slots = {f"color{i}": color for i, color in enumerate(words.colors)}
    slots |= {f"thing{i}": thing for i, thing in enumerate(words.things)}
    slots["asked"] = words.things[asked]
    changes = {"asked": words.things[other]}
    if corruption == "colors":
        changes = {f"color{asked}": words.colors[other], f"color{other}": words.colors[asked]}
    clean = fill_text(words.frame, slots)
    return fitting.pair(
        clean,
        fill_text(words.frame, slots | changes),
        (words.colors[asked], words.colors[other]),
        {
            "color": clean.span(f"color{asked}"),
            "thing": clean.span(f"thing{asked}"),
            "other color": clean.span(f"color{other}"),
            "other thing": clean.span(f"thing{other}"),
            "asked": clean.span("asked"),
        },
        template=fill_text(words.frame, slots | {slot: f"{{{slot}}}" for slot in _COLORED}).text,
        group=("first", "second", "third")[asked],
    )
