"""Add Gaussian noise to a site."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from ..errors import MediationError, require
from ..sites import Site
from .base import Base, Edit, NoiseOf, Recipe, check_number, check_seed

MOST_SAMPLES = 10_000
"""Draws of noise; every one of them is a run of its own at every site."""


@dataclass(frozen=True)
class Noise(Edit):
    """The site's value plus Gaussian noise, the corruption of causal tracing.

    Args:
        sigma: in standard deviations of the site's own numbers on the run's base prompt, over
            the positions it names: of the embeddings of the subject, where those are the site.
        samples: how many draws; a sweep has an axis for them if there are several.
        seed: of the draws. A draw is the same for every pair.
        first: the draw that a single run takes.

    Raises:
        MediationError: a sigma that is no finite number or below 0, samples that are no count or
            too many, or a seed that is none.

    Source: Meng et al. 2022 (three standard deviations, ten samples).
    """

    kind: ClassVar[str] = "noise"

    sigma: float = 3.0
    samples: int = 1
    seed: int = 0
    first: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma", check_number(self.sigma, "sigma", "Noise"))
        require(
            self.sigma >= 0,
            "sigma of Noise is a standard deviation.",
            value=self.sigma,
            expected="a float, at least 0",
            fix="Noise(sigma=3.0)",
        )
        check_seed(self.samples, "samples", "Noise", least=1, most=MOST_SAMPLES)
        check_seed(self.seed, "seed", "Noise")
        check_seed(self.first, "first", "Noise")

    def check(self, site: Site) -> None:
        if site.mediator == "edge":
            raise MediationError(
                "Noise on attention is added to whole rows of a pattern.",
                value=repr(site),
                expected="a site of the mediator 'pattern'",
                fix="Site('pattern', layer=3, head=1, position=7)",
            )

    def sample(self, index: int) -> Noise:
        return replace(self, samples=1, first=self.first + index)

    def recipe(self, base: Base, site: Site) -> Recipe:
        noise = NoiseOf(base, site, self.seed, self.first)
        return Recipe(keep=1.0, add=self.sigma, constant=noise)
