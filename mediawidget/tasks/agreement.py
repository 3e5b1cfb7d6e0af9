"""Subject-verb agreement: is or are, with a nearer noun in between?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, as_text, fill_text
from .frames import AGREEMENT_FRAMES
from .words import NOUNS
from .world import Split, held_out, in_split

Attractor = Literal["both", "opposite", "same"]

SINGULAR, PLURAL = ("is", "was"), ("are", "were")


class _Words(NamedTuple):
    frame: str
    subject: str
    attractor: str
    plural: bool
    opposite: bool


def agreement(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    attractor: Attractor = "both",
    split: Split = "heldout",
) -> Contrast:
    """Prompts such as "The keys to the cabinet" -> are, were; corrupt: "The key to the cabinet".

    The corrupt prompt has the subject in the other number, and one token differs. The answer is
    a set of verbs, and so is the wrong answer. Half of the clean subjects are singular. All pairs
    have as many tokens, and their roles lie alike. After Linzen et al. (2016) and Finlayson et al.
    (2021).

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        attractor: the number of the nearer noun, compared with the clean subject: "opposite",
            "same", or "both" by turns. The corrupt prompt has the same nearer noun.
        split: "heldout" for a subject and a nearer noun that the teaching model never met together
            in training, "train" for the others, "any" for both. It has no meaning for other
            models.

    Returns:
        A contrast with the roles subject and END (the nearer noun), whose groups are "opposite
        attractor" and "same attractor"; ``dropped`` counts drawn pairs that had a word of
        several tokens.

    Raises:
        MediationError: an unknown option, or too few of the words are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("attractor", attractor, get_args(Attractor))
    check_choice("split", split, SPLITS)
    one_token_words(lm, "verbs", (*SINGULAR, *PLURAL), 4)
    good = one_token_words(lm, "nouns", [*NOUNS, *NOUNS.values()], 4)
    sample = dict.fromkeys(("subject", "distractor"), next(word for word in NOUNS if word in good))
    fitting = fit(lm, map(as_text, AGREEMENT_FRAMES), sample)
    rng = Random(int(seed))

    def draw(k: int) -> _Words:
        opposite = k // 2 % 2 == 0 if attractor == "both" else attractor == "opposite"
        subject, other = rng.sample(list(NOUNS), 2)
        while not in_split(held_out("agreement", subject, other), split):
            subject, other = rng.sample(list(NOUNS), 2)
        return _Words(rng.choice(fitting.frames), subject, other, k % 2 == 0, opposite)

    def build(words: _Words) -> PromptPair | None:
        nouns = (words.subject, words.attractor)
        known = good.issuperset((*nouns, *(NOUNS[noun] for noun in nouns)))
        return _pair(fitting, words) if known else None

    return collect(f"agreement, {attractor} attractor", n, draw, build)


def _pair(fitting: Fit, words: _Words) -> PromptPair | None:
    def numbered(noun: str, plural: bool) -> str:
        return NOUNS[noun] if plural else noun

    slots = {
        "subject": numbered(words.subject, words.plural),
        "distractor": numbered(words.attractor, words.plural != words.opposite),
    }
    clean = fill_text(words.frame, slots)
    other = {"subject": numbered(words.subject, not words.plural)}
    return fitting.pair(
        clean,
        fill_text(words.frame, slots | other),
        (PLURAL, SINGULAR) if words.plural else (SINGULAR, PLURAL),
        {"subject": clean.span("subject")},
        template=fill_text(words.frame, slots | {"subject": "{subject}"}).text,
        group="opposite attractor" if words.opposite else "same attractor",
    )
