"""What questions about causal models are given, refused where it is nothing of the kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from ..errors import require
from ..statistics.resampling import whole


def is_sequence(value: object) -> bool:
    """Whether ``value`` is a sequence, or an array of one axis."""
    axes = None if isinstance(value, type) else getattr(value, "ndim", None)
    return isinstance(value, Sequence) or (whole(axes, 1) and axes == 1)


def is_value(value: object) -> bool:
    """Whether ``value`` can be told from others: it has a hash, and equals another or does not.

    So does all that is in it, if it is a tuple.
    """
    if isinstance(value, tuple):
        return all(map(is_value, value))
    try:
        hash(value)
        # A tensor has the hash of an object, and is compared number by number.
        return isinstance(value == value, bool | np.bool_)  # noqa: PLR0124
    except (RuntimeError, TypeError, ValueError):
        return False


def refuse_no_value(name: str, value: object) -> None:
    """Raise unless the value of a variable can be told from others."""
    require(
        is_value(value),
        "A variable's values are told apart, and this one cannot be.",
        value={name: value},
        expected="a number, a text or a tuple",
        fix=f"make what {name!r} is a tuple: tuple(value)",
    )


def names_of(variables: object) -> tuple[object, ...]:
    """One name or several as a tuple, empty for what is neither."""
    if isinstance(variables, str):
        return (variables,)
    try:
        return tuple(variables)  # type: ignore[arg-type]
    except TypeError:
        return ()


def refuse_no_mapping(value: object, what: str, names: Collection[str], fix: str) -> None:
    """Raise unless ``value`` is a mapping; ``names`` says of which names."""
    require(
        isinstance(value, Mapping),
        what,
        value=value,
        expected="{name: value} of " + ", ".join(names),
        fix=fix,
    )


def refuse_no_function(value: object, name: str, what: str, fix: str) -> None:
    """Raise unless ``value`` can be called; ``what`` says from what to what it leads."""
    require(
        callable(value),
        f"{name} is a function.",
        value=value,
        expected=f"a function: {what}",
        fix=fix,
    )


def refuse_no_count(value: object, name: str, what: str, example: int) -> None:
    """Raise unless ``value`` is a whole number from 1; ``what`` says of what."""
    require(
        whole(value, 1),
        f"{what} are counted.",
        value=value,
        expected="an int from 1",
        fix=f"{name}={example}",
    )
