"""What the models' arguments may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from ..errors import require


def refuse_no_count(value: object, name: str, least: int = 0) -> None:
    """Raise unless ``value`` is a whole number from ``least``."""
    require(
        isinstance(value, int) and not isinstance(value, bool) and value >= least,
        f"{name} is a whole number.",
        value=value,
        expected=f"an int from {least}",
        fix=f"{name}={least}",
    )


def refuse_no_number(value: object, name: str, *, positive: bool = False) -> None:
    """Raise unless ``value`` is a finite number, above 0 where it must be."""
    ok = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    require(
        ok and (not positive or value > 0),  # type: ignore[operator]
        f"{name} is a number.",
        value=value,
        expected="a finite number above 0" if positive else "a finite number",
        fix=f"{name}=1.0",
    )


def as_numbers(values: object, name: str, count: int | None = None) -> tuple[float, ...]:
    """The numbers as a tuple of floats.

    Raises:
        MediationError: no list of finite numbers, or not as many as asked.
    """
    several = isinstance(values, Sequence) and not isinstance(values, str)
    require(
        several and len(values) == (len(values) if count is None else count),  # type: ignore[arg-type]
        f"{name} is a list of numbers.",
        value=values,
        expected="a list of numbers" if count is None else f"a list of {count} numbers",
        fix=f"{name}=({', '.join(['1.0'] * (count or 1))},)",
    )
    for value in values:  # type: ignore[attr-defined]
        refuse_no_number(value, f"every entry of {name}")
    return tuple(float(value) for value in values)  # type: ignore[attr-defined]
