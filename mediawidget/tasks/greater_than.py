"""Greater-than: which years can an end year be, once the start year is known?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, as_text, fill_text
from .frames import GREATER_FRAMES
from .words import CENTURIES, EVENTS, YEARS
from .world import Split, held_out, in_split

Corruption = Literal["earlier", "01"]

#: Start years, so that there are years before and after each.
_FIRST, _LAST = 12, 97
_STEP = 10


class _Words(NamedTuple):
    frame: str
    event: str
    century: str
    year: str
    corrupt_year: str


def greater_than(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    corruption: Corruption = "earlier",
    split: Split = "heldout",
) -> Contrast:
    """Prompts such as "The war lasted from 17 32 to 17" -> 33, 34, ..., 99.

    The answer is the set of later years, the wrong answer the start year and those before it. All
    pairs have as many tokens, and their roles lie alike. After Hanna et al. (2023); a year is
    written as two words, so that it is two tokens.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        corruption: what the start year becomes. One token differs.
            "earlier": a year at least ten years before, so that some wrong years become possible.
            "01": the first year, as in the paper, so that nearly all years do.
        split: "heldout" for an event, century and start year that the teaching model never met
            together in training (it never met the year 01 at all), "train" for the others, "any"
            for both. It has no meaning for other models.

    Returns:
        A contrast with the roles event, XX (the century), YY (the start year) and END (the
        century again); ``dropped`` counts drawn pairs that had a word of several tokens.

    Raises:
        MediationError: an unknown option, or too few events, centuries or years are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("corruption", corruption, get_args(Corruption))
    check_choice("split", split, SPLITS)
    years = one_token_words(lm, "years", YEARS, len(YEARS) // 2)
    good = years | one_token_words(lm, "events", EVENTS, 1)
    good |= one_token_words(lm, "centuries", CENTURIES, 1)
    sample = {
        slot: next(word for word in words if word in good)
        for slot, words in (("event", EVENTS), ("century", CENTURIES), ("year", YEARS))
    }
    fitting = fit(lm, map(as_text, GREATER_FRAMES), sample)
    rng = Random(int(seed))

    def build(words: _Words) -> PromptPair | None:
        return _pair(fitting, words, years) if good.issuperset(words[1:]) else None

    return collect(
        f"greater-than, {corruption}",
        n,
        lambda _: _draw_words(rng, fitting, corruption, split),
        build,
    )


def _draw_words(rng: Random, fitting: Fit, corruption: Corruption, split: Split) -> _Words:
    """Words of the split; enough combinations are held out for this to end soon."""
    while True:
        event, century = rng.choice(EVENTS), rng.choice(CENTURIES)
        year = rng.randint(_FIRST, _LAST)
        earlier = 1 if corruption == "01" else rng.randint(2, year - _STEP)
        asked = (year,) if corruption == "01" else (year, earlier)
        if all(in_split(held_out("greater", event, century, YEARS[y]), split) for y in asked):
            frame = rng.choice(fitting.frames)
            return _Words(frame, event, century, YEARS[year], YEARS[earlier])


def _pair(fitting: Fit, words: _Words, years: set[str]) -> PromptPair | None:
    slots = {"event": words.event, "century": words.century, "year": words.year}
    clean = fill_text(words.frame, slots)
    known = [year for year in YEARS if year in years]
    return fitting.pair(
        clean,
        fill_text(words.frame, slots | {"year": words.corrupt_year}),
        (
            [year for year in known if year > words.year],
            [year for year in known if year <= words.year],
        ),
        {"event": clean.span("event"), "XX": clean.span("century"), "YY": clean.span("year")},
        template=fill_text(words.frame, slots | {"year": "{year}"}).text,
    )
