"""What the prompts of the hand-set models are made of. Needs no torch."""

from __future__ import annotations

START = "<s>"
END = "to"
NAMES = ("Ann", "Bob", "Cal", "Dee", "Eve", "Fay", "Gus", "Hal")
YES, NO = "yes", "no"
N_NOISE_WORDS = 16
DRINKS = ("beer", "coffee", "tea", "water", "milk", "juice")
ASK, THEN = "?", ":"
