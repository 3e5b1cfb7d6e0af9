"""A node of a sparse feature circuit: one feature, or the error, somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..edits import Within
from ..edits.features import Features
from ..edits.sparse import SAE
from ..errors import require
from ..sites import Position, Site


@dataclass(frozen=True)
class Node:
    """One feature of a site at some positions, or its error.

    Args:
        sae: of the site.
        unit: which feature; None: the error.
        position: where, as in ``Site``; None: everywhere.

    Example:
        >>> mw.features.Node(sae, 12, "END").label()
        'L3F12 @ END'
    """

    sae: SAE
    unit: int | None
    position: Position = None

    def __post_init__(self) -> None:
        # Refuses what is no autoencoder and no feature.
        part = Features(self.sae, () if self.unit is None else self.unit, error=self.unit is None)
        object.__setattr__(self, "unit", part.units[0] if part.units else None)

    @property
    def site(self) -> Site:
        """Where it is."""
        return self.sae.at(self.position)

    @property
    def edit(self) -> Within:
        """What sets it to its value on the pair's other prompt."""
        units = () if self.unit is None else self.unit
        return Within(Features(self.sae, units, error=self.unit is None))

    def label(self, tokens: Sequence[str] | None = None) -> str:
        """The name people read; with ``tokens`` a position shows as its token."""
        where = self.site.label(tokens).partition(" @ ")[2]
        return self.sae.label(self.unit) + (f" @ {where}" if where else "")

    def __repr__(self) -> str:
        return f"Node({self.label()})"


def refuse_no_nodes(nodes: object) -> None:
    """Raise unless these are different nodes.

    Raises:
        MediationError: something else.
    """
    some = list(nodes) if isinstance(nodes, Sequence) else []
    require(
        isinstance(nodes, Sequence)
        and all(isinstance(node, Node) for node in some)
        and len(set(some)) == len(some),
        "A sparse feature circuit is made of different nodes.",
        value=nodes,
        expected="a list of mw.features.Node",
        fix="mw.features.Node(mw.features.teaching(3), 12, 'END')",
    )
