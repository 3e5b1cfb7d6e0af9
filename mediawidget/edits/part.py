"""What an edit may be confined to: a part of a site's value, and what of a change lies in it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..errors import MediationError, reading, require

Arrays = Mapping[str, Any]
"""By name: numpy arrays, or the same as tensors of torch."""

Moved = Callable[[Any, Any, Arrays], Any]
"""(old, new, arrays) -> the change in the part, tensors (entry, width)."""

_KINDS: dict[str, type[Part]] = {}


class Part:
    """A part of a site's value. An edit within it sets old to old + moved(old, edited).

    Parts are values: frozen, comparable, hashable. The arithmetic is a static method on tensors,
    so that it can run on a server which knows nothing of the part itself.

    Attributes:
        kind: its name in files.
        width: how many numbers a value of the site has.
    """

    kind: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        _KINDS[cls.kind] = cls

    @property
    def width(self) -> int:
        """How many numbers a value of the site has."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What it is, for people: "1 direction", "feature 12", "the error"."""
        raise NotImplementedError

    @property
    def fixed(self) -> bool:
        """Whether it is set to numbers of its own, whatever the edit's value is."""
        return False

    @property
    def family(self) -> Hashable:
        """Parts of one family have the same ``shared`` arrays and are set in one go."""
        return self

    def shared(self) -> dict[str, NDArray[Any]]:
        """Arrays of any shape that ``moved`` needs, the same for all parts of the family."""
        raise NotImplementedError

    def own(self) -> dict[str, NDArray[Any]]:
        """Arrays of this part alone, of shape (...); ``moved`` gets them as (entry, ...)."""
        return {}

    @staticmethod
    def moved(old: Any, new: Any, arrays: Arrays) -> Any:
        """How much of the change from ``old`` to ``new``, (entry, width) each, is in the part.

        Args:
            old: the values as they are.
            new: what the edit makes of them.
            arrays: by name: those of ``shared`` and of ``own``.

        Returns:
            (entry, width): what is added to ``old``.
        """
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``part_from_json`` reads back, its ``kind`` among it."""
        raise NotImplementedError

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Part:
        """The inverse of ``to_json``."""
        raise NotImplementedError


def part_from_json(data: Mapping[str, Any]) -> Part:
    """The inverse of ``Part.to_json``, of any kind."""
    with reading("part", data):
        if data.get("kind") in _KINDS:
            return _KINDS[data["kind"]].from_json(data)
    raise MediationError(
        "Unknown part of a site.",
        value=repr(data.get("kind")),
        expected="one of " + ", ".join(sorted(_KINDS)),
        fix="mw.Within(mw.Subspace.spanned(direction), mw.Patch())",
    )


def refuse_another_width(part: Part, width: int, where: str, fix: str) -> None:
    """Raise unless a part is of a space as wide as the values it is to be a part of."""
    require(
        part.width == width,
        "The part is of another space than the site.",
        value=f"{part!r} at {where}",
        expected=f"values of {width} numbers",
        fix=fix,
    )


def stacked(parts: list[Part], index: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    """What ``moved`` needs for entries of parts of one family: ``index`` says whose each is."""
    own = [part.own() for part in parts]
    each = {name: np.stack([arrays[name] for arrays in own])[index] for name in own[0]}
    return {**parts[0].shared(), **each}
