"""Set a site to its mean over a contrast (mean ablation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sites import Site
from .base import Base, Edit, MeanOf, Recipe, check_base


@dataclass(frozen=True)
class Mean(Edit):
    """The mean over the prompts of ``base`` (default: the run's own), per position.

    Over those of the contrast that have the run's own token length, itself included.

    A contrast of one pair has no mean worth the name, so it is refused there.

    Raises:
        MediationError: no such base.
    """

    kind: ClassVar[str] = "mean"

    base: Base | None = None

    def __post_init__(self) -> None:
        if self.base is not None:
            check_base(self.base)

    @property
    def pairwise(self) -> bool:
        return True

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe(add=1.0, constant=MeanOf(self.base or base))
