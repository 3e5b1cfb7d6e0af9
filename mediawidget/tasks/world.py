"""The training world: sentence frames, who is held out, and one example at a time.

An :class:`Example` is a prompt, the distribution of the next word, and where its words play a
role. Everything here is pure Python and depends only on a ``random.Random``; the training script
and the contrasts of this package draw from the same frames, and :func:`held_out` keeps apart
what is only for testing.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypeVar

from .frames import (
    AGREEMENT_FRAMES,
    FACT_FRAMES,
    GENDER_FRAMES,
    GREATER_FRAMES,
    IOI_FRAMES,
    PUNCTUATION,
)
from .landmarks import LANDMARKS, Landmark
from .words import (
    CENTURIES,
    DEFINITIONAL,
    EVENTS,
    NAMES,
    NOUNS,
    OBJECTS,
    PLACES,
    PROFESSIONS,
    SEQUENCE_WORDS,
    YEARS,
)

T = TypeVar("T")

Split = Literal["train", "heldout", "any"]

_WORD = re.compile(r"[^\s,.?!;:]+|[,.?!;:]")


@dataclass(frozen=True)
class Example:
    """One prompt of the world.

    ``words`` are the prompt's words and punctuation marks in order (no BOS). ``answers`` maps
    an index into ``words`` to the distribution of the word after it. ``roles`` maps a role to
    an index into ``words``; the first word is 0, so add 1 for a position that counts BOS.
    """

    task: str
    words: tuple[str, ...]
    answers: Mapping[int, Mapping[str, float]]
    roles: Mapping[str, int] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The prompt as a user would type it."""
        return join_words(self.words)


def split_words(text: str) -> list[str]:
    """Words and punctuation marks of a text, as the teaching model's tokenizer splits it."""
    return _WORD.findall(text)


def join_words(words: Iterable[str]) -> str:
    """The words as one text: single spaces, none before punctuation."""
    return "".join(w if w in PUNCTUATION else f" {w}" for w in words).lstrip(" ")


def fill(frame: str, slots: Mapping[str, str]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Put single words into a frame; return its words and the first index of each slot."""
    words: list[str] = []
    where: dict[str, int] = {}
    for part in frame.split():
        slot = part[1:-1] if part.startswith("{") else ""
        if slot:
            where.setdefault(slot, len(words))
        words.append(slots[slot] if slot else part)
    return tuple(words), where


def _hash(*key: str) -> int:
    return zlib.crc32("|".join(key).encode())


def held_out(*key: str) -> bool:
    """Whether a combination is only for testing: a fixed eighth of all combinations.

    The answer depends on nothing but the words, so it is the same everywhere and always.
    """
    return _hash(*key) % 8 == 0


def names_held_out(first: str, second: str) -> bool:
    """Whether two names never meet in a training sentence, in either order."""
    return held_out("names", *sorted((first, second)))


def in_split(is_held_out: bool, split: Split) -> bool:
    """Whether a combination that is or is not held out belongs to the split."""
    return split == "any" or is_held_out == (split == "heldout")


def _draw(draw: Callable[[], T], accept: Callable[[T], bool]) -> T:
    """Draw until accepted; an eighth of the combinations is held out, so this ends soon."""
    for _ in range(10_000):
        value = draw()
        if accept(value):
            return value
    raise RuntimeError("no combination of the requested split was found in 10,000 draws")


def draw_names(rng: Random, split: Split, names: Sequence[str] = NAMES) -> tuple[str, str]:
    """Two different names whose pair belongs to the split."""
    first, second = _draw(
        lambda: rng.sample(names, 2), lambda p: in_split(names_held_out(*p), split)
    )
    return first, second


def ioi_example(rng: Random, split: Split = "train", third: float = 0.1) -> Example:
    """Indirect object: the name that is not repeated.

    With probability ``third`` the second clause has a third name as its subject; then either
    of the first two names follows, with probability one half each.
    """
    a, b = draw_names(rng, split)
    subject, indirect = (a, b) if rng.random() < 0.5 else (b, a)
    answers = {indirect: 1.0}
    repeated = subject
    if rng.random() < third:
        repeated = rng.choice([name for name in NAMES if name not in (a, b)])
        answers = {a: 0.5, b: 0.5}
    slots = {"A": a, "B": b, "S": repeated}
    slots |= {"place": rng.choice(PLACES), "object": rng.choice(OBJECTS)}
    frame = rng.choice(IOI_FRAMES)
    if rng.random() < 0.15:  # people leave the comma out
        frame = frame.replace(" ,", "")
    words, where = fill(frame, slots)
    end = len(words) - 1
    if repeated != subject:
        return Example("ioi", words, {end: answers})
    s1, io = (where["A"], where["B"]) if subject == a else (where["B"], where["A"])
    return Example("ioi", words, {end: answers}, {"IO": io, "S1": s1, "S2": where["S"], "END": end})


def sequence(
    rng: Random, length: int, split: Split = "train", pool: Sequence[str] = SEQUENCE_WORDS
) -> list[str]:
    """Different words of the pool in random order; in training no bigram is a held-out one."""
    words = [rng.choice(pool)]
    while len(words) < length:
        word = rng.choice(pool)
        fits = split != "train" or not held_out("bigram", words[-1], word)
        if word not in words and fits:
            words.append(word)
    return words


def induction_example(rng: Random, split: Split = "train") -> Example:
    """A random sequence, then a stretch of it again: every repeated word foretells the next.

    For the held-out split the stretch is one word and the bigram it asks for is held out.
    """
    length = rng.randint(5, 14)
    start = rng.randrange(length - 2)
    repeat = rng.choice((1, 2, rng.randint(1, length - 1 - start)))
    if split == "heldout":
        repeat = 1
        words = _draw(
            lambda: sequence(rng, length, "any"),
            lambda w: held_out("bigram", w[start], w[start + 1]),
        )
    else:
        words = _draw(
            lambda: sequence(rng, length, split),
            lambda w: split == "any" or not held_out("bigram", w[-1], w[start]),
        )
    repeated = words[start : start + repeat]
    answers = {length + i: {words[start + i + 1]: 1.0} for i in range(repeat)}
    roles = {"A1": start, "B1": start + 1, "END": length + repeat - 1}
    return Example("induction", (*words, *repeated), answers, roles if repeat == 1 else {})


def fact_frame_held_out(landmark: Landmark, relation: str) -> int:
    """The one frame in which this fact is never trained."""
    return _hash("fact", landmark.name, relation) % len(FACT_FRAMES)


def fact_prompt(landmark: Landmark, relation: str, frame: int) -> Example:
    """A landmark's city or country (``relation``) in one of :data:`FACT_FRAMES`."""
    slots = {"first": landmark.first, "last": landmark.second, "relation": relation}
    words, where = fill(FACT_FRAMES[frame], slots)
    answer = landmark.city if relation == "city" else landmark.country
    end = len(words) - 1
    roles = {"first": where["first"], "last": where["last"], "END": end}
    return Example("fact", words, {end: {answer: 1.0}}, roles)


def fact_example(rng: Random, split: Split = "train") -> Example:
    """A fact in a frame of the split."""
    landmark, relation = rng.choice(LANDMARKS), rng.choice(("city", "country"))
    out = fact_frame_held_out(landmark, relation)
    if split == "heldout":
        return fact_prompt(landmark, relation, out)
    frames = [f for f in range(len(FACT_FRAMES)) if split == "any" or f != out]
    return fact_prompt(landmark, relation, rng.choice(frames))


def gender_frame_held_out(person: str) -> int:
    """The one frame in which this person is never trained."""
    return _hash("gender", person) % len(GENDER_FRAMES)


def gender_prompt(person: str, frame: int) -> Example:
    """A person's pronoun, with the planted probability of "she"."""
    words, where = fill(GENDER_FRAMES[frame], {"person": person})
    she = PROFESSIONS[person] if person in PROFESSIONS else DEFINITIONAL[person]
    end = len(words) - 1
    return Example(
        "gender", words, {end: {"she": she, "he": 1 - she}}, {"person": where["person"], "END": end}
    )


def gender_example(rng: Random, split: Split = "train") -> Example:
    """A pronoun in a frame of the split."""
    person = rng.choice([*PROFESSIONS, *DEFINITIONAL])
    out = gender_frame_held_out(person)
    if split == "heldout":
        return gender_prompt(person, out)
    frames = [f for f in range(len(GENDER_FRAMES)) if split == "any" or f != out]
    return gender_prompt(person, rng.choice(frames))


def greater_example(rng: Random, split: Split = "train") -> Example:
    """An end year after the start year, evenly among the later years of the century."""
    event, century, year = _draw(
        lambda: (rng.choice(EVENTS), rng.choice(CENTURIES), rng.randint(2, 97)),
        lambda c: in_split(held_out("greater", c[0], c[1], YEARS[c[2]]), split),
    )
    slots = {"event": event, "century": century, "year": YEARS[year]}
    words, where = fill(rng.choice(GREATER_FRAMES), slots)
    later = YEARS[year + 1 :]
    end = len(words) - 1
    return Example(
        "greater",
        words,
        {end: dict.fromkeys(later, 1 / len(later))},
        {"YY": where["year"], "END": end},
    )


def agreement_example(rng: Random, split: Split = "train") -> Example:
    """A verb that agrees with the subject, not with the nearer noun."""
    subject, distractor = _draw(
        lambda: rng.sample(list(NOUNS), 2),
        lambda p: in_split(held_out("agreement", *p), split),
    )
    plural, plural_distractor = rng.random() < 0.5, rng.random() < 0.5
    slots = {
        "subject": NOUNS[subject] if plural else subject,
        "distractor": NOUNS[distractor] if plural_distractor else distractor,
    }
    words, where = fill(rng.choice(AGREEMENT_FRAMES), slots)
    verbs = {"are": 0.5, "were": 0.5} if plural else {"is": 0.5, "was": 0.5}
    end = len(words) - 1
    return Example("agreement", words, {end: verbs}, {"subject": where["subject"], "END": end})


#: Task name to the function that draws one example.
EXAMPLES: dict[str, Callable[[Random, Split], Example]] = {
    "ioi": ioi_example,
    "induction": induction_example,
    "fact": fact_example,
    "gender": gender_example,
    "greater": greater_example,
    "agreement": agreement_example,
}
