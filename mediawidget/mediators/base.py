"""A mediator as a lens: a point in the network and how one unit's value is cut out of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import MediationError
from ..sites import Position, Site

Point = Literal[
    "embed",
    "block_in",
    "mask",
    "query",
    "key",
    "value",
    "qkv",
    "pattern",
    "attn_z",
    "attn_out",
    "cross",
    "cross_z",
    "cross_out",
    "mid",
    "neurons",
    "mlp_out",
]
"""Where in a block, or before all blocks, the values of a mediator are read and set."""

POINTS: tuple[Point, ...] = get_args(Point)
"""The points of one block in the order in which a forward pass meets them."""

LATE: tuple[Point, ...] = ("attn_z", "attn_out", "mid", "neurons", "mlp_out")
"""Points of a block behind attention: a run that is edited first there need not pass through it."""

Layout = Literal["separate", "thirds", "grouped"]
"""How queries, keys and values lie beside each other: in three maps; in one, all queries first,
then all keys, then all values; or per key-value head its queries, its key, its value."""


@dataclass(frozen=True)
class Shape:
    """The sizes a site is checked against and addressed by, all counts.

    Attributes:
        n_layers: blocks.
        n_heads: 0 for a network without attention.
        n_kv_heads: 0 means as many as there are heads.
        d_model: width of the residual stream.
        d_mlp: width of the MLP's hidden layer.
        qkv: how queries, keys and values lie in memory.
        d_mixer: channels of a block that mixes positions by a scan instead of attention.
        causal: a token sees itself and the tokens before it alone.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int = 0
    d_model: int = 1
    d_mlp: int = 1
    qkv: Layout = "separate"
    d_mixer: int = 0
    causal: bool = True

    def sees(self, query: int, key: int) -> bool:
        """Whether a token may attend to another, by their positions.

        Args:
            query: the position that attends.
            key: the position that is attended to.
        """
        return key <= query or not self.causal

    @property
    def kv_heads(self) -> int:
        """How many key-value heads there are."""
        return self.n_kv_heads or self.n_heads


@dataclass(frozen=True)
class Place:
    """Where a value lies: unit ``unit`` of ``n_units`` equal slices of the columns at a point.

    Attributes:
        stage: 0 for the embedding, ``layer`` + 1 inside a block, ``n_layers`` + 1 after the last.
        point: the name of the point in the network.
        n_units: how many equal slices its columns have.
        unit: which of them.
    """

    stage: int
    point: Point
    n_units: int
    unit: int


Units = Callable[[Shape], int]
Cut = Callable[[Shape, int], tuple[Point, int, int]]


@dataclass(frozen=True)
class Mediator:
    """A kind of component.

    The activation at a point has shape (row, position, columns); a site is one of several equal
    slices of the columns at some positions, so a value is taken out of, and put back into, its
    own numbers alone.

    Attributes:
        name: its name in ``Site``, sweeps and files.
        title: its name on screen.
        point: where it lives, for those that have a point of their own.
        index: which field of a site counts its units: "head", "unit", or None for a single one.
        units: how many units a layer has.
        cut: unit -> point, slices at that point, the unit's slice; default: ``point``, its units.
        after_last: it has one more layer, the value after the last block.
        shift: how many layers later than it is named it can be read.
        one_layer: it exists once, before the first block.
        keyed: its sites name the positions attended to as well.
        mixes: the kind of block it belongs to, for those that only one kind has.
    """

    name: str
    title: str
    point: Point
    index: Literal["head", "unit"] | None = None
    units: Units = lambda _: 1
    cut: Cut | None = None
    after_last: bool = False
    shift: int = 0
    one_layer: bool = False
    keyed: bool = False
    mixes: Literal["attention", "scan"] | None = None

    def n_layers(self, shape: Shape) -> int:
        """How many layers of it there are."""
        return 1 if self.one_layer else shape.n_layers + self.after_last

    def place(self, site: Site, shape: Shape) -> Place:
        """Where the site's value lies (of an edge: its head's).

        Args:
            site: of this kind.
            shape: of the network.
        """
        unit = (getattr(site, self.index) or 0) if self.index else 0
        point, n_units, at = self.point, self.units(shape), unit
        if self.cut is not None:
            point, n_units, at = self.cut(shape, unit)
        stage = 0 if self.one_layer else site.layer + self.shift + 1
        return Place(stage, point, n_units, at)

    def check(
        self,
        site: Site,
        shape: Shape,
        n_positions: int,
        roles: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        """Raise unless the site exists in a network of this shape and a prompt of this length.

        Args:
            site: of this kind.
            shape: of the network.
            n_positions: of the prompt.
            roles: name -> positions, which a site may name.

        Raises:
            MediationError: names the part that is out of range and the range.
        """
        _in_range(site, "layer", site.layer, self.n_layers(shape))
        for name in ("head", "unit"):
            self._check_index(site, name, shape)
        if site.key is not None and not self.keyed:
            raise _unwanted(site, self.name, "key", "the mediator 'edge'")
        for given in (site.position, site.key):
            if given is not None:  # all positions are in range
                for position in positions_of(given, n_positions, roles):
                    _in_range(site, "position", position, n_positions)

    def _check_index(self, site: Site, name: str, shape: Shape) -> None:
        value = getattr(site, name)
        if self.index != name:
            if value is not None:
                other = "'head'" if name == "head" else "'neuron'"
                raise _unwanted(site, self.name, name, f"the mediator {other}")
            return
        stop = self.units(shape)
        if value is None and not self.keyed:
            raise MediationError(
                f"This mediator comes per {name}.",
                value=repr(site),
                expected=f"{name}=0 to {stop - 1}",
                fix=f"Site({self.name!r}, layer={site.layer}, {name}=0)",
            )
        if value is not None:
            _in_range(site, name, value, stop)


def positions_of(
    position: Position, n_positions: int, roles: Mapping[str, tuple[int, ...]] | None = None
) -> tuple[int, ...]:
    """The positions a site names, each role looked up; None means all of them.

    Raises:
        MediationError: a role that the pairs do not have.
    """
    if position is None:
        return tuple(range(n_positions))
    several = position if isinstance(position, tuple) else (position,)
    found: list[int] = []
    for one in several:
        if isinstance(one, str):
            found += _role(one, roles or {})
        else:
            found.append(one)
    return tuple(dict.fromkeys(found))


def _role(name: str, roles: Mapping[str, tuple[int, ...]]) -> tuple[int, ...]:
    if name not in roles:
        raise no_role(name, roles)
    return roles[name]


def no_role(name: str, roles: Iterable[str]) -> MediationError:
    """What to say of a role that a pair does not have.

    Args:
        name: the role.
        roles: those that every pair has.
    """
    return MediationError(
        "A pair has no such role.",
        value=repr(name),
        expected="one of " + (", ".join(map(repr, roles)) or "none: no role is in every pair"),
        fix="PromptPair(..., roles={'subject': (1, 2), 'END': 7}), on every pair",
    )


def _unwanted(site: Site, mediator: str, name: str, instead: str) -> MediationError:
    return MediationError(
        f"A site of {mediator!r} has no {name}.",
        value=repr(site),
        expected=f"{name}=None",
        fix=f"Site({mediator!r}, layer={site.layer}), or {instead}",
    )


def _in_range(site: Site, name: str, value: object, stop: int) -> None:
    if not isinstance(value, int) or not 0 <= value < stop:
        raise MediationError(
            f"The site's {name} is out of range.",
            value=f"{name}={value!r} in {site!r}",
            expected=f"a whole number from 0 to {stop - 1}",
            fix=f"{name}s count from 0; negative numbers do not count from the end",
        )
