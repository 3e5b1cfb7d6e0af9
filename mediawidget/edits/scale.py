"""Multiply a site's value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sites import Site
from .base import Base, Edit, Recipe, check_number


@dataclass(frozen=True)
class Scale(Edit):
    """The site's value times ``factor``: 0 is ``Zero``, 1 changes nothing, -1 turns it round.

    Raises:
        MediationError: a factor that is no finite number.
    """

    kind: ClassVar[str] = "scale"

    factor: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "factor", check_number(self.factor, "factor", "Scale"))

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe(keep=self.factor)
