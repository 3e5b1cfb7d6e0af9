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
    ran = bases[~np.isnan(bases).any(axis=(1, 2))]
    if not len(ran):
        return [Check(name, None, "Nothing was run.") for name in PREMISES]
    prefers = ran[:, 0, ANSWER] > ran[:, 0, WRONG]
    n, right = len(ran), int(prefers.sum())
    who = f"{right} of {n} clean {read}s prefer"
    if len(bases) == 1:
        who = f"The clean {read} " + ("prefers" if right else "does not prefer")
    y11, y00 = (float(value) for value in metric(ran).mean(axis=0))
    small = too_near_zero(y11, y00)
    words = f"The total effect is {y11 - y00:+.3g} {metric.unit}".replace("-", "\N{MINUS SIGN}")
    return [
        Check("clean answer", right == n, f"{who} the answer over the wrong answer."),
        Check("total effect", not small, words + (", too near 0 for shares." if small else ".")),
    ]


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
