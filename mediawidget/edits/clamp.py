"""Set a site to a constant (clamping)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..errors import MediationError, require
from ..mediators import mediator_named
from ..sites import Site
from .base import Base, Edit, Recipe, Vector, as_number, check_number


@dataclass(frozen=True)
class Clamp(Edit):
    """The site becomes ``value``, at each of its positions, whatever it was.

    Args:
        value: a number, for a site that is a single one (a neuron, a coordinate of an embedding or
            of an MLP's output, an attention edge's probability); or as many as the site is wide:
            d_model, or d_head for a head. In the unit of the activation.

    Raises:
        MediationError: no finite numbers.

    Source: Li et al. 2016 (a dimension erased, the value 0); Bau et al. 2019 (a unit held up).

    Example:
        >>> mw.Clamp(3.0).recipe("clean", mw.Site("neuron", 2, unit=5)).constant.numbers
        (3.0,)
    """

    kind: ClassVar[str] = "clamp"

    value: float | tuple[float, ...]

    def __init__(self, value: Any) -> None:
        listed = value.tolist() if hasattr(value, "tolist") else value
        several = isinstance(listed, list | tuple)
        kept = _vector(listed) if several else check_number(value, "value", "Clamp")
        object.__setattr__(self, "value", kept)

    def recipe(self, base: Base, site: Site) -> Recipe:  # noqa: ARG002
        numbers = self.value if isinstance(self.value, tuple) else (self.value,)
        return Recipe(add=1.0, constant=Vector(numbers))

    def check(self, site: Site) -> None:
        mediator = mediator_named(site.mediator)
        alone = mediator.index == "unit" or mediator.keyed
        require(
            alone or isinstance(self.value, tuple),
            "One number clamps a site of one number.",
            value=f"{self!r} at {site!r}",
            expected="a vector as wide as the site: d_model, or d_head for a head",
            fix="mw.Zero() sets all of a site to 0; Site('neuron', 2, unit=5) is a single number",
        )
        require(
            site.mediator != "pattern",
            "Attention weights are clamped edge by edge.",
            value=repr(site),
            expected="a site of the mediator 'edge'",
            fix="Site('edge', layer=3, head=1, position=7, key=2)",
        )


def _vector(value: list[Any] | tuple[Any, ...]) -> tuple[float, ...]:
    numbers = tuple(as_number(one) for one in value)
    if not numbers or not np.isfinite(numbers).all():
        raise MediationError(
            "A site is clamped to finite numbers.",
            value=repr(value)[:200],
            expected="a number, or a list, array or tensor of one dimension, as wide as the site",
            fix="mw.Clamp(0.0), mw.Clamp(values.array[0, 0])",
        )
    return numbers
