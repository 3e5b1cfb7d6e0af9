"""Set a site to zero (zero ablation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sites import Site
from .base import Base, Edit, Recipe


@dataclass(frozen=True)
class Zero(Edit):
    """Every number of the site becomes 0, a value the network may never have seen.

    Of an attention edge or pattern: the probability after the softmax, so that what is left does
    not sum to 1. ``Knockout`` is the other one.
    """

    kind: ClassVar[str] = "zero"

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe()
