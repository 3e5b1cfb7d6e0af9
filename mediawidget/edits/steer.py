"""Add a vector to a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import MediationError
from ..sites import Site
from .base import Base, Edit, Recipe, Vector, as_number, check_number


@dataclass(frozen=True, repr=False)
class Steer(Edit):
    """The site's value plus ``scale`` times ``vector``, at each of its positions.

    Args:
        vector: (width,) as many numbers as the site is wide: d_model, or d_head for a head.
        scale: how much of it.

    Raises:
        MediationError: a vector or a scale that is not of finite numbers.

    Source: activation addition (Turner et al. 2023).
    """

    kind: ClassVar[str] = "steer"

    vector: tuple[float, ...]
    scale: float = 1.0

    def __init__(self, vector: Any, scale: float = 1.0) -> None:
        listed = vector.tolist() if hasattr(vector, "tolist") else vector
        if isinstance(listed, str | bytes | Mapping | set):
            raise _no_vector(vector)
        try:
            numbers = tuple(as_number(number) for number in listed)
        except TypeError as error:
            raise _no_vector(vector) from error
        if not numbers or any(not abs(number) < float("inf") for number in numbers):
            raise _no_vector(vector)
        object.__setattr__(self, "vector", numbers)
        object.__setattr__(self, "scale", check_number(scale, "scale", "Steer"))

    def __repr__(self) -> str:
        size = float(np.linalg.norm(self.vector))
        return f"Steer({len(self.vector)} numbers of size {size:.3g}, scale={self.scale:g})"

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        return Recipe(keep=1.0, add=self.scale, constant=Vector(self.vector))


def _no_vector(vector: object) -> MediationError:
    return MediationError(
        "A steering vector is a row of finite numbers.",
        value=repr(vector)[:200],
        expected="a list, array or tensor of one dimension, as wide as the site",
        fix="Steer(values.array[0, 0] - values.array[1, 0])",
    )
