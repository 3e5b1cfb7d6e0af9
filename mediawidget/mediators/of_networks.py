"""Kinds of component of networks that are no language models: their points, in forward order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from ..errors import MediationError
from ..sites import Site
from .base import Mediator, Place, Shape, _in_range, positions_of


@dataclass(frozen=True)
class PointSize:
    """How much there is at one point: positions, and numbers at each.

    Attributes:
        n_positions: how many positions.
        width: how many numbers at each.
    """

    n_positions: int
    width: int


@dataclass(frozen=True)
class PointShape(Shape):
    """Of a network that has points instead of layers.

    Attributes:
        kinds: name of a kind -> the sizes of its points, in forward order.
    """

    n_layers: int = 0
    n_heads: int = 0
    kinds: Mapping[str, tuple[PointSize, ...]] | None = None


@dataclass(frozen=True)
class PointMediator(Mediator):
    """A kind of component at the points of a network; ``layer`` counts those points.

    Attributes:
        alone: whether a site may name a single number of a point that is edited as a whole.
    """

    alone: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", self._widest)

    def points(self, shape: Shape) -> tuple[PointSize, ...]:
        """The sizes of its points.

        Raises:
            MediationError: the network has none of the kind.
        """
        kinds = shape.kinds if isinstance(shape, PointShape) else None
        found = (kinds or {}).get(self.name, ())
        if not found:
            self._refuse(kinds)
        return found

    def n_layers(self, shape: Shape) -> int:
        return len(self.points(shape))

    def place(self, site: Site, shape: Shape) -> Place:
        raise NotImplementedError("a network's own engine knows its points")

    def check(
        self,
        site: Site,
        shape: Shape,
        n_positions: int,  # noqa: ARG002 - every point has its own
        roles: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        points = self.points(shape)
        _in_range(site, "layer", site.layer, len(points))
        point = points[site.layer]
        for name in ("head", "key"):
            if getattr(site, name) is not None:
                raise MediationError(
                    f"A site of {self.name!r} has no {name}.",
                    value=repr(site),
                    expected=f"{name}=None",
                    fix=f"Site({self.name!r}, layer={site.layer})",
                )
        if site.unit is not None and self.index is None and not self.alone:
            raise MediationError(
                f"A site of {self.name!r} is a whole point.",
                value=repr(site),
                expected="unit=None",
                fix=f"Site('unit', layer=0, unit={site.unit}), or 'channel' for maps",
            )
        if site.unit is None and self.index == "unit":
            raise MediationError(
                "This mediator comes per unit.",
                value=repr(site),
                expected=f"unit=0 to {point.width - 1}",
                fix=f"Site({self.name!r}, layer={site.layer}, unit=0)",
            )
        if site.unit is not None:
            _in_range(site, "unit", site.unit, point.width)
        if site.position is not None:
            for position in positions_of(site.position, point.n_positions, roles):
                _in_range(site, "position", position, point.n_positions)

    def _widest(self, shape: Shape) -> int:
        """Of the widest point."""
        return max(point.width for point in self.points(shape)) if self.index else 1

    def _refuse(self, kinds: Mapping[str, tuple[PointSize, ...]] | None) -> NoReturn:
        if kinds is None:
            raise MediationError(
                f"A language model has no mediator {self.name!r}.",
                value=self.name,
                expected="a mediator of language models, such as 'head', 'residual' or 'neuron'",
                fix="mw.load(module, points={...}) is for other networks",
            )
        raise MediationError(
            f"None of this network's points has the mediator {self.name!r}.",
            value=self.name,
            expected="one of " + ", ".join(kind for kind, points in kinds.items() if points),
            fix="name further modules: mw.load(module, points={'name': 'path.of.module'})",
        )


def _kind(name: str, title: str, *, each: bool = False, alone: bool = False) -> PointMediator:
    return PointMediator(name, title, "block_in", index="unit" if each else None, alone=alone)


OF_NETWORKS: dict[str, PointMediator] = {
    kind.name: kind
    for kind in (
        _kind("layer", "Point"),
        _kind("channel", "Channel", each=True),
        _kind("unit", "Unit", each=True),
        _kind("hidden", "Hidden state", alone=True),
        _kind("hidden_unit", "Hidden unit", each=True),
        _kind("cell", "Cell state", alone=True),
        _kind("cell_unit", "Cell unit", each=True),
    )
}
"""Whole points; channels of maps; single numbers of the others; states of recurrent layers."""
