"""A mediator as a lens: a point in the network and how one unit's value is cut out of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import MediationError
from ..sites import Site

Point = Literal["block_in", "attn_z", "attn_out", "mlp_out"]

POINTS: tuple[Point, ...] = ("block_in", "attn_z", "attn_out", "mlp_out")
"""The points of one block in the order in which a forward pass meets them."""


@dataclass(frozen=True)
class Shape:
    """The sizes a site is checked against, all counts."""

    n_layers: int
    n_heads: int


@dataclass(frozen=True)
class Mediator:
    """A kind of component.

    The activation at ``point`` has shape (row, position, unit * width); a site is one unit at
    some positions, so a value is taken out of, and put back into, its ``width`` columns alone.

    Attributes:
        name: its name in ``Site``, sweeps and files.
        title: its name on screen.
        point: where in a block it lives.
        per_head: one unit per attention head, else one unit in all.
        after_last: it has one more layer, the value after the last block.
    """

    name: str
    title: str
    point: Point
    per_head: bool = False
    after_last: bool = False

    def n_layers(self, shape: Shape) -> int:
        """How many layers of it there are."""
        return shape.n_layers + self.after_last

    def units(self, shape: Shape) -> int:
        """How many units a layer has."""
        return shape.n_heads if self.per_head else 1

    def check(self, site: Site, shape: Shape, n_positions: int) -> None:
        """Raise unless the site exists in a network of this shape and a prompt of this length.

        Raises:
            MediationError: names the part that is out of range and the range.
        """
        _in_range(site, "layer", site.layer, self.n_layers(shape))
        if self.per_head:
            if site.head is None:
                raise MediationError(
                    "This mediator comes per head.",
                    value=repr(site),
                    expected=f"head=0 to {shape.n_heads - 1}",
                    fix=f"Site({self.name!r}, layer={site.layer}, head=0)",
                )
            _in_range(site, "head", site.head, shape.n_heads)
        elif site.head is not None:
            raise MediationError(
                f"A site of {self.name!r} has no head.",
                value=repr(site),
                expected="head=None",
                fix=f"Site({self.name!r}, layer={site.layer}), or the mediator 'head'",
            )
        for position in positions_of(site, 0, n_positions):
            _in_range(site, "position", position, n_positions)


def positions_of(site: Site, start: int, stop: int) -> tuple[int, ...]:
    """The positions a site names; all of them means ``start`` to ``stop`` - 1."""
    if site.position is None:
        return tuple(range(start, stop))
    return (site.position,) if isinstance(site.position, int) else site.position


def _in_range(site: Site, name: str, value: object, stop: int) -> None:
    if not isinstance(value, int) or not 0 <= value < stop:
        raise MediationError(
            f"The site's {name} is out of range.",
            value=f"{name}={value!r} in {site!r}",
            expected=f"a whole number from 0 to {stop - 1}",
            fix=f"{name}s count from 0; negative numbers do not count from the end",
        )
