"""Labels: anything that is one of a few kinds, numbered where numbers are needed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..abstraction.given import is_value
from ..errors import require


def one_each(labels: Any) -> NDArray[Any]:
    """Labels as an array, (n,) of a list of n; of no entries if they are no list of labels.

    numpy would make a matrix of tuples and a text of a missing label; these stay what they are.
    """
    listed = isinstance(labels, list | tuple)
    if listed and any(isinstance(one, tuple) or _missing(one) for one in labels):
        return np.fromiter(labels, dtype=object, count=len(labels))
    try:
        return np.asarray(labels)
    except (RuntimeError, TypeError, ValueError):  # lists of several lengths, tensors elsewhere
        return np.empty((0, 0))


def refuse_no_labels(names: NDArray[Any]) -> None:
    """Raise unless these (n,) are labels, at least two different ones.

    Raises:
        MediationError: a label that is missing or that is none, the same label everywhere.
    """
    listed = names.tolist()
    missing = sum(map(_missing, listed))
    require(
        missing == 0,
        "Every label is known.",
        value=f"{missing} of {len(listed)} labels are None or NaN",
        expected="a label of every value, and neither None nor NaN",
        fix="leave those without a label out, or give them one: 'none'",
    )
    unlike = next((one for one in listed if not is_value(one)), None)
    require(
        unlike is None,
        "A label is one thing, the same wherever it is.",
        value=unlike,
        expected="texts, numbers, or tuples of these",
        fix="labels=[str(label) for label in labels]",
    )
    require(
        len(set(listed)) > 1,
        "Labels tell values apart.",
        value=listed[:1],
        expected="at least two different ones",
        fix="labels=None tells the clean prompts from the corrupt ones",
    )


def kinds(names: NDArray[Any]) -> list[Any]:
    """The labels, each once: sorted, or by their types where they have no order."""
    each = list(dict.fromkeys(names.tolist()))
    try:
        return sorted(each)
    except TypeError:
        return sorted(each, key=lambda one: (type(one).__name__, repr(one)))


def numbered(names: NDArray[Any]) -> NDArray[np.intp]:
    """(n,) the number of each label among ``kinds``."""
    place = {label: i for i, label in enumerate(kinds(names))}
    return np.array([place[label] for label in names.tolist()], dtype=np.intp)


def _missing(label: Any) -> bool:
    """Whether it is None, NaN or the like, or a tuple with one of these in it."""
    if isinstance(label, tuple):
        return any(map(_missing, label))
    return bool(pd.api.types.is_scalar(label) and pd.isna(label))
