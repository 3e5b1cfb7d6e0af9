"""What questions about causal models are given, refused where it is nothing of the kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..errors import require
from ..statistics.resampling import whole


def is_sequence(value: object) -> bool:
    """Whether ``value`` is a sequence, or an array of one axis."""
    axes = None if isinstance(value, type) else getattr(value, "ndim", None)
    return isinstance(value, Sequence) or (whole(axes, 1) and axes == 1)


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
