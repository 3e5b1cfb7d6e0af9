"""Teaching with the widgets: predict, commit, reveal; reports, grading, models of one's own."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .attempts import read_answers
    from .card import Card
    from .first_minutes import first_ten_minutes
    from .gains import gain
    from .grading import grade
    from .lesson import Lesson
    from .misconceptions import MISCONCEPTIONS, Misconception
    from .picking import Do, Pick
    from .questions import Choice, Number, Question, Text, Verdict
    from .shuffle import Shuffle, load, roles

_HOMES = {
    "attempts": ["read_answers"],
    "card": ["Card"],
    "gains": ["gain"],
    "first_minutes": ["first_ten_minutes"],
    "grading": ["grade"],
    "lesson": ["Lesson"],
    "misconceptions": ["MISCONCEPTIONS", "Misconception"],
    "picking": ["Do", "Pick"],
    "questions": ["Choice", "Number", "Question", "Text", "Verdict"],
    "shuffle": ["Shuffle", "load", "roles"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "MISCONCEPTIONS",
    "Card",
    "Choice",
    "Do",
    "Lesson",
    "Misconception",
    "Number",
    "Pick",
    "Question",
    "Shuffle",
    "Text",
    "Verdict",
    "first_ten_minutes",
    "gain",
    "grade",
    "load",
    "read_answers",
    "roles",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
