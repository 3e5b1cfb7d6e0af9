"""Addresses of mediators: which component, in which layer, at which positions."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import MediationError

Position = int | tuple[int, ...] | None

_PREFIX = {"residual": "L", "attn_out": "attn", "mlp_out": "mlp", "head": "L"}


@dataclass(frozen=True, order=False)
class Site:
    """One address in a network.

    Args:
        mediator: the kind of component, a name registered in ``mediawidget.mediators``.
        layer: counted from 0. The residual stream has one more: ``n_layers`` is its value after
            the last block.
        head: which attention head, for mediators that come per head.
        position: one token position, several, or ``None`` for all of them. Positions count from
            0 and include the beginning-of-sequence token.

    Example:
        >>> Site("head", layer=3, head=1).label()
        'L3H1'
        >>> Site("residual", layer=2, position=7).label(["When"] * 7 + [" store"])
        'L2 @ store'
    """

    mediator: str
    layer: int
    head: int | None = None
    position: Position = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "layer", _whole(self.layer, "layer"))
        if self.head is not None:
            object.__setattr__(self, "head", _whole(self.head, "head"))
        if self.position is not None:
            object.__setattr__(self, "position", _positions(self.position))

    def label(self, tokens: Sequence[str] | None = None, n_layers: int | None = None) -> str:
        """The name people read: ``L3H1``, ``mlp2 @ store``, ``L2 @ John(9)``, ``out @ to``.

        With ``tokens`` a position shows as its token, numbered where the token occurs twice; with
        ``n_layers`` the residual stream after the last block is ``out``.
        """
        name = f"{_PREFIX.get(self.mediator, self.mediator)}{self.layer}"
        if self.mediator == "residual" and self.layer == n_layers:
            name = "out"
        if self.head is not None:
            name += f"H{self.head}"
        if self.position is None:
            return name
        positions = (self.position,) if isinstance(self.position, int) else self.position
        return f"{name} @ " + ", ".join(_position_label(p, tokens) for p in positions)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Site.from_json`` reads back."""
        position = list(self.position) if isinstance(self.position, tuple) else self.position
        return {
            "mediator": self.mediator,
            "layer": self.layer,
            "head": self.head,
            "position": position,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Site:
        """The inverse of ``to_json``."""
        position = data.get("position")
        return cls(
            mediator=data["mediator"],
            layer=data["layer"],
            head=data.get("head"),
            position=tuple(position) if isinstance(position, list) else position,
        )


def _whole(value: object, name: str) -> int:
    """A whole number of any library as an int."""
    try:
        if not isinstance(value, bool):
            return operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        pass
    raise MediationError(
        f"A site's {name} is a whole number.",
        value=f"{name}={value!r}",
        expected="an int, counted from 0",
        fix="Site('head', layer=3, head=1), Site('residual', layer=2, position=7)",
    )


def _positions(value: object) -> Position:
    """One position as an int, several as a tuple of ints."""
    if not isinstance(value, Iterable) or isinstance(value, str):
        return _whole(value, "position")
    several = tuple(_whole(position, "position") for position in value)
    if not several or len(set(several)) < len(several):
        raise MediationError(
            "A site's positions are different from each other, and there is at least one.",
            value=f"position={value!r}",
            expected="an int, a tuple of different ints, or None for all positions",
            fix="Site('residual', layer=2, position=(3, 4))",
        )
    return several


def _position_label(position: int, tokens: Sequence[str] | None) -> str:
    if tokens is None or not 0 <= position < len(tokens):
        return str(position)
    text = tokens[position].strip() or repr(tokens[position])
    twice = sum(token.strip() == tokens[position].strip() for token in tokens) > 1
    return f"{text}({position})" if twice else text
