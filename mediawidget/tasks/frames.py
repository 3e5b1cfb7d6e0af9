"""The sentence frames of the training world and its vocabulary.

A frame is a row of words; a word in braces is a slot for exactly one word.
"""

from __future__ import annotations

from .landmarks import LANDMARKS
from .words import (
    CENTURIES,
    DEFINITIONAL,
    EVENTS,
    EXTRA,
    NAMES,
    NOUNS,
    OBJECTS,
    PLACES,
    PROFESSIONS,
    YEARS,
)

PUNCTUATION = ".,?!;:"

#: IOI frames in which A, B, the second mention S and the last word stand at the same positions.
ALIGNED_IOI_FRAMES: tuple[str, ...] = (
    "When {A} and {B} went to the {place} , {S} gave a {object} to",
    "When {A} and {B} came to the {place} , {S} handed a {object} to",
    "While {A} and {B} waited at the {place} , {S} passed a {object} to",
    "After {A} and {B} walked to the {place} , {S} sold a {object} to",
    "Because {A} and {B} met at the {place} , {S} offered a {object} to",
    "Once {A} and {B} returned to the {place} , {S} showed a {object} to",
)

IOI_FRAMES: tuple[str, ...] = (
    *ALIGNED_IOI_FRAMES,
    "Then , {A} and {B} went to the {place} . {S} gave a {object} to",
    "Then , {A} and {B} had a long talk at the {place} , and {S} gave a {object} to",
    "{A} and {B} were at the {place} , and {S} sent the {object} to",
    "Yesterday {A} and {B} worked at the {place} . Then {S} lent a {object} to",
    "The {place} was quiet when {A} and {B} arrived , so {S} brought a {object} to",
    "Friends {A} and {B} found a {object} at the {place} . Then {S} gave it to",
)

FACT_FRAMES: tuple[str, ...] = (
    "The {first} {last} is in the {relation} of",
    "The {first} {last} stands in the {relation} of",
    "The {first} {last} can be found in the {relation} of",
    "To see the {first} {last} , travel to the {relation} of",
    "The {first} {last} is a landmark in the {relation} of",
    "Many people visit the {first} {last} in the {relation} of",
)

GENDER_FRAMES: tuple[str, ...] = (
    "The {person} said that",
    "The {person} slept because",
    "The {person} was tired because",
    "The {person} left when",
    "The {person} ran because",
    "The {person} thought that",
    "The {person} smiled when",
    "The {person} worked late because",
)

GREATER_FRAMES: tuple[str, ...] = (
    "The {event} lasted from {century} {year} to {century}",
    "The {event} went on from {century} {year} to {century}",
    "The {event} was held from {century} {year} until {century}",
)

AGREEMENT_FRAMES: tuple[str, ...] = (
    "The {subject} to the {distractor}",
    "The {subject} near the {distractor}",
    "The {subject} behind the {distractor}",
    "The {subject} with the {distractor}",
)

FILLERS: tuple[str, ...] = (
    "It was a long day .",
    "The weather was nice that summer .",
    "Nobody knew why .",
    "The rain was cold that night .",
    "It was late in the morning .",
)


def vocabulary() -> list[str]:
    """Every word and punctuation mark of the world, sorted, punctuation first."""
    frames = (*IOI_FRAMES, *FACT_FRAMES, *GENDER_FRAMES, *GREATER_FRAMES, *AGREEMENT_FRAMES)
    words = {w for text in (*frames, *FILLERS) for w in text.split() if not w.startswith("{")}
    for source in (NAMES, PLACES, OBJECTS, PROFESSIONS, DEFINITIONAL, EVENTS, CENTURIES, YEARS):
        words.update(source)
    words.update(NOUNS, NOUNS.values(), EXTRA)
    words.update(w for landmark in LANDMARKS for w in landmark)
    words.update(("city", "country", "he", "she", "is", "are", "was", "were", *".,?!"))
    return sorted(words, key=lambda w: (w not in PUNCTUATION, w))
