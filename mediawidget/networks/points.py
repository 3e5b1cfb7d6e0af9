"""Where a network is edited: named modules, and how their values lie as (row, position, column)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ..errors import MediationError, require

Layout = Literal["maps", "time", "flat"]
"""(row, channel, *location): positions are the locations, columns the channels; (row, time,
feature): positions are the steps; (row, feature): one position."""

LAYOUTS: tuple[Layout, ...] = ("maps", "time", "flat")
Side = Literal["output", "input"]

RECURRENT = (nn.RNN, nn.LSTM, nn.GRU)


@dataclass(frozen=True)
class Point:
    """One module of a network, as a place to be edited.

    Args:
        path: of the module, as ``named_modules`` names it.
        layout: how its value lies; None: (row, feature) is flat, (row, a, b) is time, and what
            has more axes is maps. Values of a one-dimensional convolution are "maps".
        side: its "output", which everything after it reads; or its "input", which it alone reads
            in the edited form.

    Raises:
        MediationError: no path, no such layout, or no such side.

    Example:
        >>> mw.load(net, points={"first": "0", "rectified": mw.networks.Point("1", "maps")})
    """

    path: str
    layout: Layout | None = None
    side: Side = "output"

    def __post_init__(self) -> None:
        path: object = self.path
        require(
            isinstance(path, str) and bool(path),
            "A point names a module by its path.",
            value=self.path,
            expected="a path as named_modules() gives it, not that of the whole network",
            fix="Point('features.0')",
        )
        require(
            self.layout is None or self.layout in LAYOUTS,
            "Unknown layout of a point.",
            value=self.layout,
            expected="None, or one of " + ", ".join(LAYOUTS),
            fix="Point('conv1', 'maps')",
        )
        require(
            self.side in ("output", "input"),
            "A point is one side of a module.",
            value=self.side,
            expected="'output' or 'input'",
            fix="Point('head', side='input')",
        )


def as_points(points: Any, module: nn.Module) -> dict[str, Point]:
    """Points by name, refused where the module has no such part.

    Args:
        points: {name: path or Point}, or a list of paths that are their own names.
        module: whose modules they are.

    Raises:
        MediationError: no points, no such module, two points at one place.
    """
    texts = isinstance(points, list | tuple) and all(isinstance(one, str) for one in points)
    given = {path: path for path in points} if texts else points
    require(
        isinstance(given, Mapping)
        and len(given) > 0
        and all(isinstance(name, str) and name for name in given)
        and all(isinstance(one, str | Point) for one in given.values()),
        "A network's points are named.",
        value=points,
        expected="{name: path of a module, or Point(path, layout, side)}, at least one",
        fix="mw.load(net, points={'first': 'conv1', 'last': 'fc'})",
    )
    found = {name: one if isinstance(one, Point) else Point(one) for name, one in given.items()}
    known = dict(module.named_modules())
    for name, point in found.items():
        if point.path not in known:
            raise MediationError(
                "The network has no such module.",
                value=f"{name!r}: {point.path!r}",
                expected="one of " + ", ".join(repr(path) for path in known if path),
                fix="the paths are those of module.named_modules()",
            )
    places = [(point.path, point.side) for point in found.values()]
    twice = [name for name, at in zip(found, places, strict=True) if places.count(at) > 1]
    if twice:
        raise MediationError(
            "Two points are at one place.",
            value=", ".join(map(repr, twice)),
            expected="each module's output, and each module's input, at most once",
            fix="leave one of the names out",
        )
    return found


def layout_of(value: Tensor, given: Layout | None) -> Layout | None:
    """How a value lies; None where it can be none of them."""
    guess: dict[int, Layout] = {2: "flat", 3: "time"}
    layout = given or guess.get(value.dim(), "maps")
    fits = {"flat": value.dim() == 2, "time": value.dim() == 3, "maps": value.dim() >= 3}
    return layout if fits[layout] else None


def to_columns(value: Tensor, layout: Layout) -> Tensor:
    """A value as (row, position, column), in memory of its own."""
    if layout == "maps":
        value = value.flatten(2).transpose(1, 2)
    elif layout == "flat":
        value = value[:, None]
    return value.clone(memory_format=torch.contiguous_format)


def from_columns(columns: Tensor, layout: Layout, tail: tuple[int, ...]) -> Tensor:
    """The inverse; ``tail``: the shape of a row's value as the module gives it."""
    if layout == "maps":
        return columns.transpose(1, 2).reshape(len(columns), *tail)
    return columns[:, 0] if layout == "flat" else columns


def sizes(layout: Layout, tail: tuple[int, ...]) -> tuple[int, int]:
    """Positions and columns of a row's value."""
    if layout == "maps":
        return math.prod(tail[1:]), tail[0]
    return (1, tail[0]) if layout == "flat" else (tail[0], tail[1])
