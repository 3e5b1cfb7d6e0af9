"""The edges of a decoder: who writes to the residual stream, and who reads what was written.

A sender adds to the stream: the embedding, a head, an MLP. A receiver reads it through an input of
its own: a head its query, its key and its value, an MLP its input, the final norm the logits. An
edge is one sender as one receiver sees it (Elhage et al. 2021; Wang et al. 2023).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError, reading
from .mediators import Shape
from .sites import Position, Site

SENDERS = ("embedding", "head", "mlp_out")
RECEIVERS = ("query", "key", "value", "mlp_out", "residual")


@dataclass(frozen=True)
class Edge:
    """What one component writes, as one reader sees it.

    Args:
        sender: the embedding, a head or an MLP (``Site("mlp_out", layer)``).
        receiver: a head's query, key or value, an MLP, or ``Site("residual", n_layers)``: the
            stream after the last block, which the logits are read from. Its position is where it
            reads; None: everywhere.

    Raises:
        MediationError: a sender or a receiver that is no such component, or a sender with a
            position.

    Example:
        >>> mw.Edge(mw.Site("head", 0, head=1), mw.Site("key", 3, head=0)).label()
        'L0H1 → L3H0.k'
    """

    sender: Site
    receiver: Site

    def __post_init__(self) -> None:
        for name, kinds in (("sender", SENDERS), ("receiver", RECEIVERS)):
            given: object = getattr(self, name)
            if not isinstance(given, Site) or given.mediator not in kinds:
                raise MediationError(
                    f"An edge's {name} is no such component.",
                    value=repr(given),
                    expected="a site of " + ", ".join(map(repr, kinds)),
                    fix="Edge(Site('head', 0, head=1), Site('key', 3, head=0))",
                )
        if self.sender.position is not None:
            raise MediationError(
                "An edge is read at one place, and that is its receiver's.",
                value=repr(self.sender),
                expected="a sender without a position",
                fix="give the position to the receiver",
            )

    def label(self) -> str:
        """The name people read: ``L0H1 → L3H0.k``, ``mlp2 → logits @ END``."""
        end = self.receiver
        name = end.label()
        if end.mediator == "residual":
            name = "logits" + name.removeprefix(replace(end, position=None).label())
        return f"{self.sender.label()} \N{RIGHTWARDS ARROW} {name}"

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that ``Edge.from_json`` reads back."""
        return {"sender": self.sender.to_json(), "receiver": self.receiver.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Edge:
        """The inverse of ``to_json``.

        Raises:
            MediationError: no saved edge, or one that could not be made anew.
        """
        with reading("edge", data):
            return cls(Site.from_json(data["sender"]), Site.from_json(data["receiver"]))


@dataclass(frozen=True)
class Wiring:
    """All senders, receivers and edges of a network of one shape, in forward order.

    Args:
        shape: its sizes.
        mlps: whether it has MLPs.
        parallel: whether an MLP reads the stream beside its block's heads, not after them.

    Example:
        >>> Wiring(Shape(n_layers=2, n_heads=1), mlps=False).n_edges
        12
    """

    shape: Shape
    mlps: bool = True
    parallel: bool = False

    @cached_property
    def senders(self) -> tuple[Site, ...]:
        """The embedding, then per layer its heads and its MLP."""
        found = [Site("embedding", 0)]
        for layer in range(self.shape.n_layers):
            found += [Site("head", layer, head=h) for h in range(self.shape.n_heads)]
            found += [Site("mlp_out", layer)] * self.mlps
        return tuple(found)

    @cached_property
    def receivers(self) -> tuple[Site, ...]:
        """Per layer the queries, keys and values of its heads and its MLP; then the logits."""
        counts = {"query": self.shape.n_heads, "key": self.shape.kv_heads}
        counts["value"] = self.shape.kv_heads
        found: list[Site] = []
        for layer in range(self.shape.n_layers):
            for kind, n in counts.items():
                found += [Site(kind, layer, head=h) for h in range(n)]
            found += [Site("mlp_out", layer)] * self.mlps
        return (*found, Site("residual", self.shape.n_layers))

    @cached_property
    def reach(self) -> NDArray[np.bool_]:
        """(sender, receiver) whether the receiver comes after the sender."""
        written = np.array([_moment(site) for site in self.senders])
        read = np.array([self._read(site) for site in self.receivers])
        return np.asarray(written[:, None] < read[None])

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        """Every edge, by sender and then by receiver."""
        pairs = np.argwhere(self.reach)
        return tuple(Edge(self.senders[s], self.receivers[r]) for s, r in pairs)

    @property
    def n_edges(self) -> int:
        """How many there are."""
        return int(self.reach.sum())

    def sender(self, site: Site) -> int:
        """Which of ``senders`` a component is.

        Raises:
            MediationError: it writes nothing of its own to the stream, or is not in this network.
        """
        return _found(site, self._senders, "sender")

    def receiver(self, site: Site) -> int:
        """Which of ``receivers`` it is, at whatever position.

        Raises:
            MediationError: it does not read the stream by an input of its own, or is not here.
        """
        return _found(site, self._receivers, "receiver")

    def inputs(self, node: Site) -> tuple[int, ...]:
        """Which receivers feed a component: a head's query, key and value, an MLP's input."""
        if node.mediator == "mlp_out":
            return (self.receiver(node),)
        if node.mediator != "head":
            return ()
        assert node.head is not None
        shared = node.head * self.shape.kv_heads // self.shape.n_heads
        heads = {"query": node.head, "key": shared, "value": shared}
        return tuple(self.receiver(Site(k, node.layer, head=h)) for k, h in heads.items())

    def _read(self, site: Site) -> int:
        """The first moment whose writes a receiver does not see."""
        if site.mediator == "mlp_out" and self.parallel:
            return 2 * site.layer + 1
        return _moment(site)

    @cached_property
    def _senders(self) -> dict[Site, int]:
        return {site: i for i, site in enumerate(self.senders)}

    @cached_property
    def _receivers(self) -> dict[Site, int]:
        return {site: i for i, site in enumerate(self.receivers)}


def _moment(site: Site) -> int:
    """When a component writes: two steps a layer, heads before the MLP."""
    if site.mediator == "embedding":
        return 0
    return 2 * site.layer + (2 if site.mediator == "mlp_out" else 1)


def _found(site: Site, known: Mapping[Site, int], what: str) -> int:
    anywhere = replace(site, position=None)
    if anywhere not in known:
        raise MediationError(
            f"This network has no such {what}.",
            value=site.label(),
            expected=f"one of its {len(known)}: " + ", ".join(s.label() for s in known)[:200],
            fix="lm.wiring lists what writes to and reads from the residual stream",
        )
    return known[anywhere]


def at(edge: Edge, position: Position) -> Edge:
    """The same edge read at some positions alone."""
    return Edge(edge.sender, replace(edge.receiver, position=position))
