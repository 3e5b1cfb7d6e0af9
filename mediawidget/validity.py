"""Checks that need no model: what a question takes for granted, read off what was run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .metrics import ANSWER, WRONG, Metric

Array = NDArray[np.float64]

Read = Literal["prompt", "input"]
"""What is read: a text, or the numbers of another network."""

NEAR_ZERO = 1e-6
"""A total effect below this share of the two base values' size cannot be normalised by."""

PREMISES = ("clean answer", "total effect")

NOTHING = "Nothing was run."


@dataclass(frozen=True)
class Check:
    """One thing that had to hold for the numbers to mean what they say.

    Attributes:
        name: what was checked.
        ok: whether it held; None where the check does not apply.
        words: what was found, or why it does not apply.
    """

    name: str
    ok: bool | None
    words: str


def too_near_zero(y11: float, y00: float) -> bool:
    """Whether a total effect Y11 - Y00 is too small a number to give shares of."""
    return not abs(y11 - y00) > NEAR_ZERO * max(1.0, abs(y11), abs(y00))


def read_in(checks: Iterable[Check]) -> Read:
    """What the model reads of which these checks speak."""
    first = (check.words for check in checks if check.name == PREMISES[0])
    return "input" if any(" clean input" in words for words in first) else "prompt"


def premises(bases: Array, metric: Metric, read: Read = "prompt") -> list[Check]:
    """Whether the prompts do what the question takes for granted.

    Args:
        bases: (pair, 2, 3), what the clean and the corrupt prompt kept; NaN where not run.
        metric: whose total effect is looked at.
        read: what the model reads.
    """
    return [answers_preferred(bases, read), total_effect(bases, metric)]


def answers_preferred(bases: Array, read: Read = "prompt") -> Check:
    """Whether every clean prompt prefers the answer.

    What the corrupt ones prefer is said and not judged: prompts that hold neither answer are a
    sound contrast, as are noised ones.

    Args:
        bases: (pair, 2, 3) as in ``premises``, or (pair, 1, 3) of the clean prompts alone.
        read: what the model reads.
    """
    ran = _ran(bases)
    if not len(ran):
        return Check(PREMISES[0], None, NOTHING)
    answer, wrong = ran[..., ANSWER], ran[..., WRONG]
    right = answer[:, 0] > wrong[:, 0]
    words = _prefer(right, len(bases), f"clean {read}") + " the answer over the wrong answer"
    if bases.shape[1] > 1:
        other = _prefer(wrong[:, 1] > answer[:, 1], len(bases), f"corrupt {read}")
        words += f"; {other} the wrong one"
    return Check(PREMISES[0], bool(right.all()), f"{words[0].upper()}{words[1:]}.")


def total_effect(bases: Array, metric: Metric) -> Check:
    """Whether the two prompts differ in the metric, so that shares of the difference mean much."""
    ran = _ran(bases)
    if not len(ran):
        return Check(PREMISES[1], None, NOTHING)
    y11, y00 = (float(value) for value in metric(ran).mean(axis=0))
    small = too_near_zero(y11, y00)
    words = f"The total effect is {y11 - y00:+.3g} {metric.unit}".replace("-", "\N{MINUS SIGN}")
    return Check(PREMISES[1], not small, words + (", too near 0 for shares." if small else "."))


def _ran(bases: Array) -> Array:
    return bases[~np.isnan(bases).any(axis=(1, 2))]


def _prefer(which: NDArray[np.bool_], n_pairs: int, who: str) -> str:
    """Who prefers, with the verb: "2 of 4 clean prompts prefer", "the clean prompt prefers"."""
    if n_pairs > 1:
        return f"{int(which.sum())} of {len(which)} {who}s prefer"
    return f"the {who} " + ("prefers" if which[0] else "does not prefer")


def fired(moved: Array, implied: NDArray[np.bool_]) -> Check:
    """Whether the edits changed the values they were written over.

    Args:
        moved: (run, pair) the largest change an edit made; NaN where not run.
        implied: (run, pair) equal to its base by construction, so not run.
    """
    asked = ~implied & ~np.isnan(moved)
    changed, total = int((moved[asked] > 0).sum()), int(asked.sum())
    if total == 0:
        why = "every cell is zero by construction" if implied.all() else "it was cancelled"
        return Check("edit fired", None, f"Nothing was run: {why}.")
    words = f"The edit changed the site's value in {changed} of {total} runs"
    if changed < total:
        words += f"; in {total - changed} the site has the same value already"
    return Check("edit fired", changed > 0, words + ".")
