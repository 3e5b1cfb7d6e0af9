"""Addresses of mediators: which component, in which layer, at which positions."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import MediationError, reading, require

Position = int | str | tuple[int | str, ...] | None
"""A token position, the name of a role that every pair has, several of them, or all."""

_NAMES = {
    "embedding": "embed",
    "embedding_unit": "embed[{unit}]",
    "residual": "L{layer}",
    "residual_mid": "L{layer}.mid",
    "residual_post": "L{layer}.post",
    "attn_out": "attn{layer}",
    "mlp_out": "mlp{layer}",
    "cross_out": "cross{layer}",
    "cross_head": "L{layer}H{head}.cross",
    "mixer_out": "mixer{layer}",
    "mixer_channel": "mixer{layer}[{unit}]",
    "mlp_unit": "mlp{layer}[{unit}]",
    "neuron": "L{layer}N{unit}",
    "neurons": "neurons{layer}",
    "head": "L{layer}H{head}",
    "query": "L{layer}H{head}.q",
    "key": "L{layer}H{head}.k",
    "value": "L{layer}H{head}.v",
    "pattern": "L{layer}H{head}.pattern",
    "edge": "L{layer}H{head}",
    "layer": "point{layer}",
    "channel": "channel{layer}[{unit}]",
    "unit": "unit{layer}[{unit}]",
    "hidden": "h{layer}[{unit}]",
    "hidden_unit": "h{layer}[{unit}]",
    "cell": "c{layer}[{unit}]",
    "cell_unit": "c{layer}[{unit}]",
}


@dataclass(frozen=True, order=False)
class Site:
    """One address in a network.

    Args:
        mediator: the kind of component, a name registered in ``mediawidget.mediators``.
        layer: counted from 0. The residual stream has one more: ``n_layers`` is its value after
            the last block.
        head: which attention head (for keys and values, which key-value head), for mediators that
            come per head.
        position: one token position, several, or ``None`` for all of them; a name is a role of
            the pair (``PromptPair.roles``). Positions count from 0 and include the
            beginning-of-sequence token. For attention, the position that attends.
        unit: which single number, for mediators that come per unit (neurons).
        key: for an attention edge, the positions attended to; ``None`` for all.

    Raises:
        MediationError: a mediator that is no text, or what is no count for layer, head and unit, or
            no position.

    Example:
        >>> mw.Site("head", layer=3, head=1).label()
        'L3H1'
        >>> mw.Site("residual", layer=2, position=7).label(["When"] * 7 + [" store"])
        'L2 @ store'
    """

    mediator: str
    layer: int
    head: int | None = None
    position: Position = None
    unit: int | None = None
    key: Position = None

    def __post_init__(self) -> None:
        require(
            isinstance(self.mediator, str),
            "A site's mediator is a name.",
            value=self.mediator,
            expected="a kind of component, such as 'head', 'residual' or 'mlp_out'",
            fix="Site('head', layer=3, head=1)",
        )
        object.__setattr__(self, "layer", _whole(self.layer, "layer"))
        for name in ("head", "unit"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _whole(value, name))
        for name in ("position", "key"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, _positions(value, name))

    def label(self, tokens: Sequence[str] | None = None, n_layers: int | None = None) -> str:
        """The name people read: ``L3H1``, ``mlp2 @ store``, ``L2 @ John(9)``, ``out @ to``.

        With ``tokens`` a position shows as its token, numbered where the token occurs twice; with
        ``n_layers`` the residual stream after the last block is ``out``.

        Args:
            tokens: the prompt's, by position.
            n_layers: how many blocks the network has.
        """
        name = _NAMES.get(self.mediator, self.mediator + "{layer}H{head}[{unit}]")
        if self.head is None:
            name = name.replace("H{head}", "")
        if self.unit is None:
            name = name.replace("[{unit}]", "")
        name = name.format(layer=self.layer, head=self.head, unit=self.unit)
        if self.mediator == "residual" and self.layer == n_layers:
            name = "out"
        if self.position is not None:
            name += f" @ {_positions_label(self.position, tokens)}"
        if self.key is not None:
            name += f" \N{LEFTWARDS ARROW} {_positions_label(self.key, tokens)}"
        return name

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Site.from_json`` reads back; what is not set is left out."""
        named = {name: getattr(self, name) for name in ("head", "position", "unit", "key")}
        given = {name: value for name, value in named.items() if value is not None}
        return {"mediator": self.mediator, "layer": self.layer, **given}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Site:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved site, or one that could not be made anew.
        """
        with reading("site", data):
            return cls(**data)


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


def _positions(value: object, name: str) -> Position:
    """One position as an int or a role's name, several as a tuple of them."""
    if isinstance(value, str):
        return value
    if not isinstance(value, Iterable) or getattr(value, "ndim", 1) == 0:
        return _whole(value, name)
    several = tuple(p if isinstance(p, str) else _whole(p, name) for p in value)
    if not several or len(set(several)) < len(several):
        raise MediationError(
            "A site's positions are different from each other, and there is at least one.",
            value=f"{name}={value!r}",
            expected="an int, a role's name, a tuple of different ones, or None for all positions",
            fix="Site('residual', layer=2, position=(3, 4))",
        )
    return several


def _positions_label(position: Position, tokens: Sequence[str] | None) -> str:
    given: object = tokens
    named = isinstance(given, Sequence) and not isinstance(given, str)
    require(
        given is None or (named and all(isinstance(token, str) for token in given)),  # type: ignore[attr-defined]
        "A label shows the tokens of a prompt.",
        value=tokens,
        expected="a list of texts, one a token, or None",
        fix="site.label(lm.tokens(prompt))",
    )
    several = position if isinstance(position, tuple) else (position,)
    return ", ".join(p if isinstance(p, str) else _position_label(p, tokens) for p in several)  # type: ignore[arg-type]


def _position_label(position: int, tokens: Sequence[str] | None) -> str:
    if tokens is None or not 0 <= position < len(tokens):
        return str(position)
    text = tokens[position].strip() or repr(tokens[position])
    twice = sum(token.strip() == tokens[position].strip() for token in tokens) > 1
    return f"{text}({position})" if twice else text
