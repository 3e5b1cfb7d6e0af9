"""Contrasts with known questions, for any tokenizer that has their words.

A pair's template, by which statistics know what is no independent evidence, is the clean prompt
with slots for the words that are studied (the names, the year, the subject), or the profession or
landmark that it asks about.
"""

from __future__ import annotations

from .agreement import agreement
from .arithmetic import arithmetic
from .colored_objects import colored_objects
from .docstring import docstring
from .facts import facts
from .files import from_csv, from_jsonl
from .gender import gender
from .greater_than import greater_than
from .induction import induction
from .ioi import ioi

__all__ = [
    "agreement",
    "arithmetic",
    "colored_objects",
    "docstring",
    "facts",
    "from_csv",
    "from_jsonl",
    "gender",
    "greater_than",
    "induction",
    "ioi",
]
