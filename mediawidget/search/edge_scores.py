"""A number for every edge of a network, and the circuits that are made of the largest ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..circuit import Circuit
from ..edits.base import Base
from ..errors import MediationError, is_one_of, require
from ..inference.base import count
from ..sites import Position, Site
from ..wiring import Edge, Wiring, at

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
By = Literal["absolute", "signed"]


@dataclass(frozen=True, eq=False)
class EdgeScores:
    """What every edge carries of the metric, estimated or run.

    ``scores[edge]`` is the mean over pairs of one edge, over all positions or added up over its
    own.

    Attributes:
        method: how it was found.
        base: the prompts whose edges are cut: "clean" asks what is lost without the edge, as TIE
            does, "corrupt" what is gained by it, as PIE does.
        values: (pair, sender, receiver) or (pair, sender, receiver, position), in the metric's
            unit; NaN where there is no edge. An edge that supports the clean behaviour has the
            sign of the total effect: positive, but for metrics that fall, such as KL. Published
            scores (Syed et al. 2023, Hanna et al. 2024) have the other sign.
        total: the mean total effect.
        metric: its name.
        wiring: what senders and receivers are.
        positions: a name per position; empty where all are taken together.
        exact: whether every edge was cut, or the effect estimated.
        unit: of the values.
        ablation: what a cut edge carries.
        passes: forward passes that it took, those of the proof before them left out.
        rows: rows of their batches.
        seconds: wall time.
        backward: backward passes.
        options: what else it was asked with.
        refused: why nothing is said as a share of TE, where TE may be 0; else empty.
    """

    method: str
    base: Base
    values: Array
    wiring: Wiring
    positions: tuple[str, ...] = ()
    exact: bool = False
    unit: str = ""
    metric: str = ""
    total: float = 1.0
    ablation: str = "resample"
    passes: int = 0
    backward: int = 0
    rows: int = 0
    seconds: float = 0.0
    options: Mapping[str, Any] = field(default_factory=dict)
    refused: str = ""

    @property
    def mean(self) -> Array:
        """(sender, receiver[, position]) the mean of ``values`` over pairs."""
        return np.asarray(self.values.mean(axis=0))

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """Names of senders, of receivers, and of positions if they are told apart."""
        receivers = [site.label() for site in self.wiring.receivers[:-1]]
        named = {
            "sender": tuple(site.label() for site in self.wiring.senders),
            "receiver": (*receivers, "logits"),
        }
        return named | ({"position": self.positions} if self.positions else {})

    @property
    def completeness(self) -> float:
        """What the embedding's edges sum to, as a share of TE; NaN of all but EAP between prompts.

        NaN too where ``effect.normalized`` refuses: TE is near 0, or its 95% interval holds 0.

        Everything that tells the prompts apart goes through them, so with a gradient averaged
        over enough inputs it is 1 (integrated gradients over the inputs, of which EAP-IG is a sum
        of ``steps`` terms). Far from 1 the scores hang on where the steps happen to fall: in an
        IOI study of the teaching model it is 0.84 with 5 steps, 1.99 with 30 and 0.74 with 300, in
        one of greater-than 0.97 with 5 and 1.00 with 30. It says nothing of any single edge.
        """
        averaged = "steps" in self.options and not self.exact
        if not averaged or self.ablation != "resample" or self.refused or not self.total:
            return float("nan")
        return float(np.nansum(self.mean[0]) / self.total)

    def __getitem__(self, edge: Edge) -> float:
        """The mean over pairs of one edge, over all positions or added up over its own.

        Raises:
            MediationError: a position that these scores do not tell apart.
        """
        value = self.mean[self.wiring.sender(edge.sender), self.wiring.receiver(edge.receiver)]
        place = edge.receiver.position
        if place is None:
            return float(np.sum(value))
        places = place if isinstance(place, tuple) else (place,)
        known = range(len(self.positions))
        if not all(isinstance(one, int) and one in known for one in places):
            raise MediationError(
                "These scores do not tell this position apart.",
                value=edge.label(),
                expected=f"0 to {len(known) - 1}" if known else "an edge without a position",
                fix="mw.search.eap(study, by='position'), and positions as numbers",
            )
        return float(value[list(places)].sum())

    def edges(self, by: By = "absolute") -> tuple[tuple[Edge, float], ...]:
        """Every edge with its mean, the largest first.

        Args:
            by: "absolute" ranks by size, so that what opposes the clean behaviour counts, "signed"
                by how much it supports it: what has the sign of the total effect comes first.

        Raises:
            MediationError: another ``by``.
        """
        mean, known = self.mean, self.wiring.reach
        where = np.argwhere(np.broadcast_to(known.T, mean.T.shape).T if self.positions else known)
        numbers = mean[tuple(where.T)]
        toward = numbers if self.total >= 0 else -numbers
        order = np.argsort(-(np.abs(numbers) if _ranked(by) else toward), kind="stable")
        return tuple((self._edge(where[i]), float(numbers[i])) for i in order)

    def _edge(self, index: NDArray[np.int64]) -> Edge:
        edge = Edge(self.wiring.senders[index[0]], self.wiring.receivers[index[1]])
        position: Position = int(index[2]) if len(index) > 2 else None
        return edge if position is None else at(edge, position)

    def circuit(self, n: int, by: By = "absolute") -> Circuit:
        """The ``n`` largest edges, less those from which nothing reaches the logits.

        An edge that no path of chosen edges joins to the embedding and to the logits carries
        nothing that was found, so the circuit may be smaller than ``n``.

        Args:
            n: how many edges.
            by: "absolute" or "signed", as for ``edges``.

        Raises:
            MediationError: an n that is no count, or another ``by``.
        """
        given: Any = n
        require(
            isinstance(given, int) and not isinstance(given, bool) and given >= 0,
            "A circuit has a number of edges.",
            value=n,
            expected=f"a whole number; there are {self.wiring.n_edges} edges",
            fix="scores.circuit(50)",
        )
        chosen = [edge for edge, _ in self.edges(by)[:n]]
        kept = joined(chosen, self.wiring)
        source = (
            f"{self.method} of {self.metric}, base {self.base}, {self.ablation} ablation: of the "
            f"{len(chosen)} largest edges by {by} value the {len(kept)} that hang together"
        )
        return Circuit(edges=kept, name=self.method, source=source)

    def nodes(self) -> dict[Site, float]:
        """Per head and MLP the sum of what its outgoing edges carry."""
        total = np.nansum(self.mean.reshape(*self.wiring.reach.shape, -1), axis=(1, 2))
        return dict(zip(self.wiring.senders[1:], total[1:].tolist(), strict=True))

    def to_dataframe(self) -> pd.DataFrame:
        """A row per edge: its names, the mean over pairs and their standard deviation."""
        import pandas as pd

        several = len(self.values) > 1
        spread = self.values.std(axis=0, ddof=1) if several else np.nan * self.mean
        index = pd.MultiIndex.from_product(list(self.axes.values()), names=list(self.axes))
        table = pd.DataFrame({"score": self.mean.ravel(), "sd": spread.ravel()}, index=index)
        return table.dropna(subset="score").reset_index()

    def top(self, n: int = 10, by: By = "absolute") -> pd.DataFrame:
        """The largest edges.

        Args:
            n: how many edges.
            by: "absolute" or "signed", as for ``edges``.

        Returns:
            A row per edge: ``edge``, its name, and ``score``, the mean over pairs.

        Raises:
            MediationError: an n that is no count, or another ``by``.
        """
        import pandas as pd

        n = count(n, "edges", "scores.top(10)")
        rows = [(edge.label(), value) for edge, value in self.edges(by)[:n]]
        return pd.DataFrame(rows, columns=["edge", "score"])

    def __repr__(self) -> str:
        how = "runs" if self.exact else "estimate"
        best = "; ".join(f"{edge.label()} {value:+.3f}" for edge, value in self.edges()[:3])
        return (
            f"EdgeScores({self.method}, {how}, {self.wiring.n_edges} edges, {len(self.values)} "
            f"pairs, {self.unit}, base {self.base}, {self.ablation} ablation; {best})"
        )


def joined(edges: list[Edge], wiring: Wiring) -> list[Edge]:
    """The edges on some path of them from the embedding to the logits, positions aside."""
    fed: set[Site] = {wiring.senders[0]}
    forward = sorted(edges, key=lambda edge: wiring.receiver(edge.receiver))
    for node in wiring.senders[1:]:
        inputs = set(wiring.inputs(node))
        if any(wiring.receiver(e.receiver) in inputs and e.sender in fed for e in forward):
            fed.add(node)
    heard: set[Site] = set()
    last = len(wiring.receivers) - 1
    for node in reversed(wiring.senders):
        mine = [wiring.receiver(e.receiver) for e in edges if e.sender == node]
        if any(r == last or any(r in wiring.inputs(other) for other in heard) for r in mine):
            heard.add(node)
    feeds = {r: {n for n in heard if r in wiring.inputs(n)} for r in range(last)}
    return [
        edge
        for edge in edges
        if edge.sender in fed and ((r := wiring.receiver(edge.receiver)) == last or feeds[r])
    ]


def _ranked(by: str) -> bool:
    if not is_one_of(by, ("absolute", "signed")):
        raise MediationError(
            "Edges are ranked by size or by value.",
            value=repr(by),
            expected="'absolute' or 'signed'",
            fix="scores.circuit(50, by='absolute')",
        )
    return by == "absolute"
