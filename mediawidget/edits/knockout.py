"""Cut an attention edge before the softmax."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..errors import MediationError
from ..sites import Site
from .base import Base, Edit, Recipe


@dataclass(frozen=True)
class Knockout(Edit):
    """The score of an attention edge becomes minus infinity, so its weight goes to the others.

    On sites of ``"edge"`` alone. What is left of the pattern still sums to 1; ``Zero`` on the
    same site cuts the edge after the softmax instead, and then it does not.

    Source: Geva et al. 2023.
    """

    kind: ClassVar[str] = "knockout"

    def check(self, site: Site) -> None:
        if site.mediator != "edge":
            raise MediationError(
                "Only attention edges are knocked out.",
                value=repr(site),
                expected="a site of the mediator 'edge'",
                fix="Site('edge', layer=3, head=1, position=7, key=2)",
            )

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe()
