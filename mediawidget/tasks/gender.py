"""Gender: which pronoun does a profession call for, and whom does a pronoun stand for?"""

from __future__ import annotations

from random import Random
from typing import Literal, NamedTuple, get_args

from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect, too_few
from ._fit import Fit, fit, one_token_words
from ._pronouns import GROUPS, PRONOUNS, reading_pairs
from ._text import HasTokens, as_text, fill_text
from .frames import GENDER_FRAMES
from .words import PROFESSIONS
from .world import Split, gender_frame_held_out, in_split

Style = Literal["professions", "winogender", "winobias"]

_FRAMES = tuple(as_text(frame) for frame in GENDER_FRAMES)
_PEOPLE = ("woman", "man")

#: Professions by stereotype, female first; one that leans to neither side is left out.
STEREOTYPES = (
    tuple(person for person, she in PROFESSIONS.items() if she > 0.5),
    tuple(person for person, she in PROFESSIONS.items() if she < 0.5),
)


class _Words(NamedTuple):
    frame: str
    person: str
    side: int


def gender(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    style: Style = "professions",
    split: Split = "any",
) -> Contrast:
    """Prompts such as "The nurse said that" -> she; corrupt: "The man said that" -> he.

    The stereotypes are those that the published data sets measure, and describe nobody. Half of
    the professions are stereotypically female. All pairs have as many tokens, one token differs,
    and the answer is what the stereotype says.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        style: which prompts.
            "professions": a profession, and in its place a man or a woman, whichever goes against
            the stereotype ("set-gender", Vig et al. 2020).
            "winobias": "The nurse thanked the farmer because she was" -> grateful; corrupt "he"
            -> helpful. Two professions of opposite stereotypes, and the answers are what would be
            said of either (in the manner of Zhao et al. 2018, frames of our own).
            "winogender": the same with one profession and a person of no stereotype, such as a
            visitor (in the manner of Rudinger et al. 2018, frames of our own).
        split: of "professions": "heldout" for each profession in the one frame in which the
            teaching model never met it (too few for 64 pairs), "train" for the other frames,
            "any" for all. It has no meaning for other models. The other styles have no splits.

    Returns:
        A contrast with the roles person (the profession) and END; in the other styles also other
        (the second person) and pronoun. Its groups say the stereotype of the profession, and the
        templates of "professions" are the professions.
        ``dropped`` counts drawn pairs that had a word of several tokens.

    Raises:
        MediationError: an unknown option, or too few of the words are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("style", style, get_args(Style))
    check_choice("split", split, SPLITS if style == "professions" else ("any",))
    one_token_words(lm, "pronouns", PRONOUNS, 2)
    good = one_token_words(lm, "professions", [*STEREOTYPES[0], *STEREOTYPES[1]], 2)
    rng = Random(int(seed))
    if style != "professions":
        return reading_pairs(lm, n, rng, style, STEREOTYPES, good)
    good |= one_token_words(lm, "people", _PEOPLE, 2)
    fitting = fit(lm, _FRAMES, {"person": _PEOPLE[0]})

    choices = [
        [
            _Words(frame, person, side)
            for frame in fitting.frames
            for person in STEREOTYPES[side]
            if in_split(_FRAMES[gender_frame_held_out(person)] == frame, split)
        ]
        for side in (0, 1)
    ]
    if not all(choices):
        raise too_few(n, 0)
    return collect(
        "gender, professions",
        n,
        lambda k: rng.choice(choices[k % 2]),
        lambda words: _pair(fitting, words) if words.person in good else None,
    )


def _pair(fitting: Fit, words: _Words) -> PromptPair | None:
    clean = fill_text(words.frame, {"person": words.person})
    return fitting.pair(
        clean,
        fill_text(words.frame, {"person": _PEOPLE[1 - words.side]}),
        (PRONOUNS[words.side], PRONOUNS[1 - words.side]),
        {"person": clean.span("person")},
        template=words.person,
        group=GROUPS[words.side],
    )
