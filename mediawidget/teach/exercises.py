"""Exercises that are answered in code: a check that gives nothing away, and the grader's."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import require
from ..sites import Site
from .questions import is_near

FORMS = {
    "number": "a number",
    "site": "a site, as mw.Site('head', layer=2, head=1)",
    "sites": "a list of sites",
    "text": "a text",
    "yes-no": "True or False",
}
"""What an answer can be, by name."""


class Exercises:
    """Answers that live in a notebook's cells, as nbgrader wants them."""

    def check(self, name: str, answer: object, form: str = "number") -> None:
        """Say whether an answer is there and has the right form; never whether it is right.

        Args:
            name: of the exercise.
            answer: ``...`` where nobody answered yet.
            form: a key of ``FORMS``.

        Raises:
            MediationError: no such form.
        """
        require(
            form in FORMS,
            "There is no such form of answer.",
            value=form,
            expected="one of " + ", ".join(FORMS),
            fix="lesson.check('sum', answer, 'number')",
        )
        if answer is ...:
            print(f"{name}: not answered yet.")
        elif _has_form(answer, form):
            print(f"{name}: an answer is there, {FORMS[form].split(',')[0]}.")
        else:
            print(f"{name}: this is no answer: expected {FORMS[form]}, got {answer!r:.100}.")

    def grade(self, name: str, answer: object, truth: Any, *, within: float = 0.0) -> None:
        """Hold an answer against what was computed.

        Args:
            name: of the exercise.
            answer: the student's.
            truth: a number, a site, sites (in any order), a text, or True or False.
            within: how far off a number may be, in its unit.

        Raises:
            AssertionError: it is not the truth; nbgrader takes the points off.
        """
        if answer is ...:
            raise AssertionError(f"{name}: not answered.")
        if not _agrees(answer, truth, within):
            raise AssertionError(f"{name}: {answer!r:.100} is not what the model says.")
        print(f"{name}: right.")


def _has_form(answer: object, form: str) -> bool:
    answer = _scalar(answer)
    if form == "number":
        return _is_number(answer)
    if form == "yes-no":
        return isinstance(answer, bool | np.bool_)
    if form == "sites":
        several = list(answer) if isinstance(answer, Sequence | set | frozenset) else []
        return bool(several) and all(isinstance(it, Site) for it in several)
    return isinstance(answer, {"site": Site, "text": str}[form])


def _agrees(answer: object, truth: Any, within: float) -> bool:
    answer, truth = _scalar(answer), _scalar(truth)
    if isinstance(truth, bool | np.bool_):
        return isinstance(answer, bool | np.bool_) and bool(answer) == bool(truth)
    if _is_number(truth):
        return _is_number(answer) and is_near(float(answer), float(truth), within)  # type: ignore[arg-type]
    if isinstance(truth, Site | str):
        return isinstance(answer, type(truth)) and bool(answer == truth)
    return _has_form(answer, "sites") and set(answer) == set(truth)  # type: ignore[call-overload]


def _scalar(value: object) -> object:
    """The one number of an array or a tensor without axes; anything else as it is."""
    whole = getattr(value, "ndim", None) == 0 and hasattr(value, "item")
    return value.item() if whole else value  # type: ignore[attr-defined]


def _is_number(value: object) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and bool(np.isfinite(float(value)))  # type: ignore[arg-type]
