"""Facts: in which city or country is a landmark?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from random import Random
from typing import Literal, NamedTuple, get_args

from ..errors import MediationError
from ..prompts import Contrast, PromptPair
from ._draw import SPLITS, check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, as_text, fill_text
from .frames import FACT_FRAMES
from .landmarks import LANDMARKS, Landmark
from .world import Split, fact_frame_held_out, in_split

Relation = Literal["both", "city", "country"]

_FRAMES = tuple(as_text(frame).replace("{first} {last}", "{subject}") for frame in FACT_FRAMES)


class _Fact(NamedTuple):
    landmark: Landmark
    relation: str
    frame: str

    @property
    def answer(self) -> str:
        return self.landmark.city if self.relation == "city" else self.landmark.country


def facts(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    relation: Relation = "both",
    split: Split = "heldout",
) -> Contrast:
    """Prompts such as "The Eiffel Tower is in the city of" -> Paris; corrupt: another landmark.

    Both landmarks have as many tokens and share none at the same place, as the Eiffel Tower and
    the Galata Tower would, so all of the subject is exchanged and nothing else. All pairs have as
    many tokens and their roles lie alike: of landmarks of other lengths than most, none is drawn.
    Every fact is asked once before any is asked again.

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used.
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        relation: what is asked for: the "city", the "country", or "both" by turns.
        split: "heldout" for landmarks in the one phrasing in which the teaching model never met
            them, both of a pair, "train" for the other phrasings, "any" for all. It has no meaning
            for other models.

    Returns:
        A contrast with the roles subject (all its tokens), last subject (its last token),
        relation and END, whose groups are city and country, and whose templates are the clean
        landmarks; ``dropped`` counts drawn pairs of which a landmark has another length or no
        partner, or an answer several tokens.

    Raises:
        MediationError: an unknown option, or too few cities or countries are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("relation", relation, get_args(Relation))
    check_choice("split", split, SPLITS)
    relations = ("city", "country") if relation == "both" else (relation,)
    good: set[str] = set(relations)
    if "city" in relations:
        good |= one_token_words(lm, "cities", [mark.city for mark in LANDMARKS], 2)
    if "country" in relations:
        good |= one_token_words(lm, "countries", [mark.country for mark in LANDMARKS], 2)
    subjects = _of_one_length(lm, LANDMARKS)
    fitting = fit(lm, _FRAMES, {"subject": next(iter(subjects)).name, "relation": relations[0]})
    asked = _asked(fitting, relations, split)
    rng = Random(int(seed))
    decks: dict[str, list[_Fact]] = {name: [] for name in relations}

    def apart(*both: _Fact) -> bool:
        """Whether no token is shared; a landmark of another length is dropped when drawn."""
        tokens = (subjects.get(fact.landmark, []) for fact in both)
        return all(one != other for one, other in zip(*tokens, strict=False))

    def draw(k: int) -> tuple[_Fact, _Fact]:
        name = relations[k % len(relations)]
        if not decks[name]:
            everything = [fact for (of, _), some in asked.items() if of == name for fact in some]
            decks[name] = rng.sample(everything, len(everything))
        fact = decks[name].pop()
        others = [
            other
            for other in asked[name, fact.frame]
            if other.answer != fact.answer and apart(fact, other)
        ]
        return fact, rng.choice(others or [fact])

    def build(drawn: tuple[_Fact, _Fact]) -> PromptPair | None:
        fits = all(fact.landmark in subjects and fact.answer in good for fact in drawn)
        return _pair(fitting, *drawn) if fits and drawn[0] != drawn[1] else None

    return collect(f"facts, {relation}", n, draw, build, lambda pair: (pair.clean, pair.corrupt))


def _of_one_length(lm: HasTokens, landmarks: Sequence[Landmark]) -> dict[Landmark, list[str]]:
    """The landmarks of the number of tokens that most have, and these tokens."""
    found: dict[Landmark, list[str]] = {}
    for mark in landmarks:
        try:
            before, both = lm.tokens("The"), lm.tokens(f"The {mark.name}")
            found[mark] = list(both[len(before) :])
        except MediationError:
            continue
    if not found:
        raise MediationError(
            "The tokenizer knows none of the landmarks.",
            value=", ".join(mark.name for mark in landmarks[:4]),
            expected="a tokenizer of English words",
            fix="build a Contrast from PromptPairs in words this tokenizer has",
        )
    most = Counter(map(len, found.values())).most_common(1)[0][0]
    return {mark: tokens for mark, tokens in found.items() if len(tokens) == most}


def _asked(
    fitting: Fit, relations: Sequence[str], split: Split
) -> dict[tuple[str, str], list[_Fact]]:
    """The facts of the split, by what is asked and how."""
    asked: dict[tuple[str, str], list[_Fact]] = defaultdict(list)
    for relation in relations:
        for mark in LANDMARKS:
            unseen = _FRAMES[fact_frame_held_out(mark, relation)]
            for frame in fitting.frames:
                if in_split(frame == unseen, split):
                    asked[relation, frame].append(_Fact(mark, relation, frame))
    return asked


def _pair(fitting: Fit, fact: _Fact, other: _Fact) -> PromptPair | None:
    clean = fill_text(fact.frame, {"subject": fact.landmark.name, "relation": fact.relation})
    return fitting.pair(
        clean,
        fill_text(fact.frame, {"subject": other.landmark.name, "relation": fact.relation}),
        (fact.answer, other.answer),
        {
            "subject": clean.span("subject", whole=True),
            "last subject": clean.span("subject"),
            "relation": clean.span("relation"),
        },
        template=fact.landmark.name,
        group=fact.relation,
    )
