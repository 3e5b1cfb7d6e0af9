"""What the models' arguments may be."""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from ..errors import require

MOST_SEED = 2**63 - 1
MOST_DECOYS = 64
MOST_PAIRS = 10**5
MOST_NUMBER = 1e6
"""Larger numbers leave no digits for the smaller ones beside them."""


def is_whole(value: object) -> bool:
    """Whether ``value`` is an int, numpy's too."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def refuse_no_count(value: object, name: str, least: int, most: int) -> None:
    """Raise unless ``value`` is a whole number from ``least`` to ``most``."""
    require(
        is_whole(value) and least <= value <= most,  # type: ignore[operator]
        f"{name} is a whole number.",
        value=value,
        expected=f"an int from {least} to {most}",
        fix=f"{name}={least}",
    )


def refuse_no_seed(seed: object) -> None:
    """Raise unless ``seed`` can start a generator of random numbers."""
    refuse_no_count(seed, "seed", 0, MOST_SEED)


def refuse_no_circuit(beta: object, decoys: object, seed: object) -> None:
    """Raise unless these describe a circuit of one-hot features."""
    refuse_no_number(beta, "beta")
    require(beta > 0, "beta is above 0.", value=beta, expected="a number above 0", fix="beta=20.0")  # type: ignore[operator]
    refuse_no_count(decoys, "decoys", 0, MOST_DECOYS)
    refuse_no_seed(seed)


def refuse_no_number(value: object, name: str) -> None:
    """Raise unless ``value`` is a number of a size that can be computed with."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    require(
        number and -MOST_NUMBER <= value <= MOST_NUMBER and isfinite(value),  # type: ignore[operator, arg-type]
        f"{name} is a number.",
        value=value,
        expected=f"a number from {-MOST_NUMBER:.0f} to {MOST_NUMBER:.0f}",
        fix=f"{name}=1.0",
    )


def as_numbers(
    values: Any, name: str, least: int = 1, most: int = 2 * MOST_PAIRS
) -> tuple[float, ...]:
    """The numbers as a tuple of floats; an array is taken too.

    Raises:
        MediationError: no list of numbers, or fewer or more than asked.
    """
    given = values.tolist() if hasattr(values, "tolist") else values
    length = f"{least}" if least == most else f"at least {least}"
    require(
        isinstance(given, list | tuple) and least <= len(given) <= most,
        f"{name} is a list of numbers.",
        value=values,
        expected=f"a list of {length} of them",
        fix=f"{name}=({', '.join(['1.0'] * least)},)",
    )
    for value in given:
        refuse_no_number(value, f"every entry of {name}")
    return tuple(float(value) for value in given)
