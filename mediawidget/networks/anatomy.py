"""What a network's points are on inputs of one shape."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property

from ..errors import MediationError, is_one_of
from ..mediators import MEDIATORS, OF_NETWORKS, PointShape, PointSize
from ..sites import Site
from .points import Layout, Side, sizes


@dataclass(frozen=True)
class Tap:
    """One module's output or input in a forward pass.

    Attributes:
        tail: the shape of one row's value.
        first: which of its point's positions come first there.
    """

    path: str
    side: Side
    layout: Layout
    tail: tuple[int, ...]
    first: int = 0

    @property
    def n_positions(self) -> int:
        """How many of the point's positions there are."""
        return sizes(self.layout, self.tail)[0]

    @property
    def width(self) -> int:
        """Numbers at each position."""
        return sizes(self.layout, self.tail)[1]


@dataclass(frozen=True)
class Spot:
    """A named point, whole: its positions may come at several taps, as a state's time steps do.

    Attributes:
        kinds: of component that there are.
        taps: indices into ``Anatomy.taps``.
        location: the axes that positions are folded from, (height, width) of an image.
    """

    name: str
    kinds: tuple[str, ...]
    taps: tuple[int, ...]
    n_positions: int
    width: int
    location: tuple[int, ...] = ()


@dataclass(frozen=True)
class Anatomy:
    """The points of a network on inputs of one shape, in forward order.

    Attributes:
        row_bytes: of all that the modules give on one row.
        n_classes: numbers in a row of the output.
        cut: a point without which nothing of the input reaches the output; None if there is none.
    """

    taps: tuple[Tap, ...]
    spots: tuple[Spot, ...]
    row_bytes: int
    n_classes: int
    cut: str | None

    def of_kind(self, kind: str) -> tuple[Spot, ...]:
        """The points that have components of that kind: what ``Site.layer`` counts."""
        return tuple(spot for spot in self.spots if kind in spot.kinds)

    def whole(self, kind: str) -> list[Site]:
        """The points that have components of a kind, each as a whole."""
        whole = kind.removesuffix("_unit") if kind not in ("unit", "channel") else "layer"
        spots = self.of_kind(whole)
        return [Site(whole, spots.index(spot)) for spot in self.of_kind(kind)]

    @cached_property
    def shape(self) -> PointShape:
        """The sizes that sites are checked against."""
        kinds = {
            kind: tuple(PointSize(s.n_positions, s.width) for s in self.of_kind(kind))
            for kind in OF_NETWORKS
        }
        return PointShape(kinds=kinds)

    def spot(self, site: Site) -> Spot:
        """The point of a site.

        Raises:
            MediationError: a mediator of language models or none at all, or a number that no
                point has.
        """
        if site.mediator not in OF_NETWORKS:
            raise not_here(site.mediator, self)
        spots = self.of_kind(site.mediator)
        if not 0 <= site.layer < len(spots):
            raise MediationError(
                "The network has no such point.",
                value=repr(site),
                expected=f"layer=0 to {len(spots) - 1}, in forward order: "
                + ", ".join(spot.name for spot in spots),
                fix="network.describe() numbers the points of every kind",
            )
        return spots[site.layer]

    def named(self, name: str) -> Spot:
        """The point of that name.

        Raises:
            MediationError: there is none.
        """
        for spot in self.spots:
            if spot.name == name:
                return spot
        raise MediationError(
            "The network has no such point.",
            value=repr(name),
            expected="one of " + ", ".join(repr(spot.name) for spot in self.spots),
            fix="network.describe() names them",
        )


def not_here(mediator: object, anatomy: Anatomy) -> MediationError:
    """What to say of a mediator of language models, or of none."""
    there = [kind for kind in OF_NETWORKS if anatomy.of_kind(kind)]
    named = is_one_of(mediator, MEDIATORS)
    near = [] if named else get_close_matches(str(mediator), there, n=1, cutoff=0.75)
    whole = f"study.sweep({there[0]!r}) edits every point of that kind as a whole"
    return MediationError(
        f"The mediator {mediator!r} is one of language models." if named else "Unknown mediator.",
        value=repr(mediator),
        expected="one of " + ", ".join(there),
        fix=f"did you mean {near[0]!r}?" if near else whole,
    )
