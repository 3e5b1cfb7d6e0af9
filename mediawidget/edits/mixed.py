"""Different edits at the sites of one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from ..errors import MediationError, require
from ..sites import Site
from .base import Base, Edit, Recipe, as_edit, edit_from_json


@dataclass(frozen=True)
class Mixed(Edit):
    """What an effect of several edits says that it is an effect of; no site is set to it.

    Args:
        parts: the edits, each once.

    Raises:
        MediationError: no tuple or list of edits, or an empty one.
    """

    kind: ClassVar[str] = "mixed"

    parts: tuple[Edit, ...]

    def __post_init__(self) -> None:
        given: object = self.parts
        require(
            isinstance(given, tuple | list) and len(given) > 0,
            "A mixed edit is made of edits.",
            value=given,
            expected="a tuple of edits",
            fix="study.intervene({site: mw.Patch(), other: mw.Zero()})",
        )
        read = (edit_from_json(part) if isinstance(part, dict) else part for part in self.parts)
        object.__setattr__(self, "parts", tuple(as_edit(part) for part in read))

    @property
    def corners(self) -> bool:
        return all(part.corners for part in self.parts)

    @property
    def pairwise(self) -> bool:
        return any(part.pairwise for part in self.parts)

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        self._refuse()

    def check(self, site: Site) -> None:  # noqa: ARG002
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise MediationError(
            "A mixed edit sets no site; its parts do.",
            value=repr(self),
            expected="one edit for every site",
            fix="study.intervene({site: mw.Patch(), other: mw.Zero()})",
        )

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "parts": [part.to_json() for part in self.parts]}
