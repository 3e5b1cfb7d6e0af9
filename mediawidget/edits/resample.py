"""Set a site to its value on another pair's prompt (resample ablation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..sites import Site
from .base import Base, Donor, Edit, Recipe, check_base, check_seed


@dataclass(frozen=True)
class Resample(Edit):
    """The site's value on the prompt of another pair of the same length, one drawn per pair.

    Args:
        seed: of the draw; every pair gets another one, and the same one at every site.
        base: which prompt of the other pair (default: the same as the run's own).

    Raises:
        MediationError: a seed that is no whole number from 0, or no such base.

    Source: causal scrubbing (Chan et al. 2022); Zhang and Nanda 2024.
    """

    kind: ClassVar[str] = "resample"

    seed: int = 0
    base: Base | None = None

    def __post_init__(self) -> None:
        check_seed(self.seed, "seed", "Resample")
        if self.base is not None:
            check_base(self.base)

    @property
    def pairwise(self) -> bool:
        return True

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe(take=1.0, source=Donor(self.base or base, self.seed))
