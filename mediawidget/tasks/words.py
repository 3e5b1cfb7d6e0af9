"""The word lists of the small world that the teaching model is trained on.

Every word is one token of the teaching model's tokenizer. Names, places and objects are common
English words, so that most of them are single tokens of larger models' tokenizers too.
"""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


NAMES: tuple[str, ...] = _words(
    """Mary John Tom James Daniel Robert Anna Emily Sarah Laura David Michael Peter Paul Mark
    George Henry Jack Jane Alice Emma Kate Lisa Susan Linda Karen Nancy Helen Ruth Julia Martin
    Simon Steven Kevin Brian Eric Adam Andrew Joseph Thomas Charles Richard William Edward Frank
    Victoria Rachel Jessica Rebecca Maria Rose Amy Sam Ben Alex Chris Scott Patrick Samuel
    Elizabeth"""
)

PLACES: tuple[str, ...] = _words(
    """store school park garden station office library museum restaurant hospital market beach
    church house hotel theater airport bank farm kitchen"""
)

OBJECTS: tuple[str, ...] = _words(
    """book drink ring letter ticket card gift hat flower pen coin map cup phone camera bottle
    coat watch bag box"""
)

#: Professions and the planted probability that the pronoun is "she".
PROFESSIONS: dict[str, float] = {
    "nurse": 0.95,
    "secretary": 0.93,
    "nanny": 0.91,
    "maid": 0.88,
    "librarian": 0.86,
    "teacher": 0.84,
    "dancer": 0.82,
    "receptionist": 0.79,
    "cashier": 0.77,
    "florist": 0.75,
    "therapist": 0.73,
    "tailor": 0.70,
    "counselor": 0.68,
    "editor": 0.66,
    "singer": 0.63,
    "clerk": 0.61,
    "auditor": 0.59,
    "writer": 0.57,
    "baker": 0.54,
    "artist": 0.52,
    "student": 0.50,
    "waiter": 0.48,
    "scientist": 0.46,
    "doctor": 0.43,
    "lawyer": 0.41,
    "analyst": 0.39,
    "cook": 0.37,
    "manager": 0.34,
    "physician": 0.32,
    "farmer": 0.30,
    "guard": 0.28,
    "driver": 0.25,
    "chief": 0.23,
    "soldier": 0.21,
    "pilot": 0.18,
    "sheriff": 0.16,
    "engineer": 0.13,
    "builder": 0.10,
    "mechanic": 0.07,
    "plumber": 0.05,
}

#: Nouns that settle the pronoun by definition.
DEFINITIONAL: dict[str, float] = {
    "woman": 0.99,
    "girl": 0.99,
    "mother": 0.99,
    "sister": 0.99,
    "aunt": 0.99,
    "queen": 0.99,
    "man": 0.01,
    "boy": 0.01,
    "father": 0.01,
    "brother": 0.01,
    "uncle": 0.01,
    "king": 0.01,
}

EVENTS: tuple[str, ...] = _words(
    """war siege reign drought voyage strike famine campaign dispute journey project trial
    revolt plague exile mission battle treaty empire festival"""
)

CENTURIES: tuple[str, ...] = tuple(str(century) for century in range(11, 19))

YEARS: tuple[str, ...] = tuple(f"{year:02d}" for year in range(100))

#: Countable nouns, singular to plural, for subject-verb agreement.
NOUNS: dict[str, str] = {
    "key": "keys",
    "cabinet": "cabinets",
    "door": "doors",
    "window": "windows",
    "table": "tables",
    "chair": "chairs",
    "lamp": "lamps",
    "car": "cars",
    "road": "roads",
    "river": "rivers",
    "dog": "dogs",
    "cat": "cats",
    "horse": "horses",
    "bird": "birds",
    "tree": "trees",
    "picture": "pictures",
    "wall": "walls",
    "shelf": "shelves",
    "desk": "desks",
    "boat": "boats",
}

#: Further words that occur only in induction sequences and filler.
EXTRA: tuple[str, ...] = _words(
    """apple stone cloud paper glass silver water fire snow wind star moon sand salt bread milk
    sugar honey tea rice corn silk wool gold iron copper wood smoke rain storm lake hill field
    forest island valley mountain ocean bridge street night morning summer winter spring autumn
    music story number circle square"""
)

#: The words of induction sequences.
SEQUENCE_WORDS: tuple[str, ...] = (*OBJECTS, *PLACES, *NOUNS, *EXTRA)
