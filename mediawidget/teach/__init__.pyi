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
