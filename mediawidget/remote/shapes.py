"""Whether an answer has a number for each that was asked for."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ..errors import MediationError
from .asking import accept, reject

Shapes = tuple[int, ...] | list[Any] | str
"""Of a tensor, or of a list of what has shapes; of anything else what it is."""


def shape_of(found: Any) -> Shapes:
    """The shapes of an answer."""
    if isinstance(found, Tensor):
        return tuple(found.shape)
    if isinstance(found, list | tuple):
        return [shape_of(one) for one in found]
    return type(found).__name__


def refuse_other_shapes(found: Any, expected: Shapes) -> None:
    """Raise where an answer is of other shapes: others' numbers would be shown. It is not kept.

    Raises:
        MediationError: it is.
    """
    shapes = shape_of(found)
    if shapes == expected:
        accept()
        return
    reject()
    raise MediationError(
        "The server's answer has other numbers than those that were asked for.",
        value=f"shapes {shapes}"[:300],
        expected=f"shapes {expected}"[:300],
        fix="ask again; if it stays so, print(nnsight.ndif.compare()) compares the versions",
    )
