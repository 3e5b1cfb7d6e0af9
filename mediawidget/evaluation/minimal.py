"""Minimality: whether every node of a circuit is needed in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..circuit import NODES, Circuit
from ..edits.base import as_number
from ..errors import require
from ..sites import Site
from ..statistics import mean_interval
from ..statistics.resampling import whole
from ..study import Study
from .complete import NodeSet, label
from .scoring import as_elements
from .shares import refused
from .values import (
    Ablation,
    Array,
    CircuitValues,
    Terms,
    refuse_no_candidates,
    refuse_placed_among_edges,
    without,
)
from .ways import values_of

_ROUNDING = 1e-9
"""Of the larger of two values: a smaller difference of them is none."""


@dataclass(frozen=True, eq=False)
class Minimality:
    """What each node adds to a circuit, at the set K that shows it best.

    Attributes:
        circuit: what was evaluated.
        nodes: its nodes, in forward order.
        sets: for each the set K, without it.
        with_node: (node, pair) m(C without K).
        without_node: (node, pair) m(C without K and the node).
        model: (pair,) m(M), nothing ablated.
        empty: (pair,) m(empty), all candidates ablated; with ``model`` it tells a small score.
        terms: mode, ablation, candidates, metric, n.
    """

    circuit: Circuit
    nodes: tuple[Site, ...]
    sets: tuple[NodeSet, ...]
    with_node: Array
    without_node: Array
    model: Array
    empty: Array
    terms: Terms

    @property
    def scores(self) -> Array:
        """(node,) |F(C without K and v) - F(C without K)|, in the unit (Wang et al. 2023)."""
        return np.asarray(np.abs((self.with_node - self.without_node).mean(axis=1)))

    def useless(self, share: float = 0.01) -> tuple[Site, ...]:
        """Nodes whose score is at most a share of |F(M) - F(empty)|, or no more than rounding.

        Raises:
            MediationError: a share that is no number from 0.
        """
        require(
            0 <= as_number(share) < float("inf"),
            "A share is a number.",
            value=share,
            expected="a number from 0",
            fix="minimality.useless(0.01)",
        )
        most = share * abs(float((self.model - self.empty).mean()))
        # What the whole does may be nothing, and then every score of 0 is as large.
        sizes = np.abs([self.with_node, self.without_node]).max(axis=(0, 2), initial=0.0)
        idle = self.scores <= np.maximum(most, _ROUNDING * sizes)
        return tuple(node for node, one in zip(self.nodes, idle, strict=True) if one)

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per node: K, score, its share, what the node adds and the interval of that.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        added = self.with_node - self.without_node
        low, high = mean_interval(added.T, self.terms.clusters, level)
        whole_gap = abs(float((self.model - self.empty).mean()))
        none = bool(refused(self.model, self.empty, self.terms))
        columns = {
            "node": [node.label() for node in self.nodes],
            "class": [self.circuit.classes.get(node, "") for node in self.nodes],
            "K": [label(one) for one in self.sets],
            "score": self.scores,
            "share": np.nan if none else self.scores / whole_gap,
            "adds": added.mean(axis=1),
            "low": low,
            "high": high,
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        if not self.nodes:
            return f"Minimality(no nodes; {self.terms.words})"
        at = int(np.argmin(self.scores))
        least = f"{self.nodes[at].label()} {self.scores[at]:.3g} {self.terms.unit}"
        named = ", ".join(node.label() for node in self.useless()) or "none"
        said = f"least {least}; at most 1% of the whole: {named}"
        return f"Minimality({len(self.nodes)} nodes; {said}; {self.terms.words})"


def minimality(
    study: Study,
    circuit: Circuit,
    sets: Mapping[Site, Iterable[Site]] | None = None,
    *,
    size: int = 1,
    ablation: Ablation = "resample",
    over: Sequence[str] = NODES,
    values: CircuitValues | None = None,
) -> Minimality:
    """Take every node out of the circuit, less some set K of others, and see what it changes.

    A node that another one makes up for changes nothing alone, so that K matters: it is given, or
    the best of nothing, of the rest of the node's class, and of what a greedy search comes to
    that adds up to ``size`` nodes to K. Every round of it is one experiment for all nodes.

    Args:
        study: its pairs and metric.
        circuit: its nodes, with ``classes`` where there are any.
        sets: K of some nodes, ``{node: nodes}``; nothing is searched for these.
        size: the largest K that is searched for.
        ablation: what is set outside, as ``NodeValues`` has it.
        over: the kinds of component that are candidates.
        values: another way to evaluate circuits.

    Raises:
        MediationError: nodes that are not in the circuit, nodes at positions beside edges,
            nodes that are no candidates, and what ``values`` raises.

    Source: Wang et al. 2023.
    """
    values = values_of(study, ablation, over, values, [circuit])
    refuse_placed_among_edges(circuit)
    refuse_no_candidates(circuit.nodes, values)
    require(
        whole(size, 0),
        "size is how many nodes the searched K may have.",
        value=size,
        expected="an int from 0",
        fix="size=1",
    )
    given = _as_sets(sets)
    _refuse_no_sets(circuit, given)
    search = _Search(values, circuit, given)
    for _ in range(min(size, len(circuit.nodes) - 1)):
        search.grow()
    model, empty = values([values.full, values.empty])
    best = search.best
    none = np.zeros((0, len(model)))
    kept, left = [best[n] for n in best], [best[n] | {n} for n in best]
    return Minimality(
        circuit,
        tuple(best),
        tuple(best.values()),
        np.stack([search.known[one] for one in kept]) if best else none,
        np.stack([search.known[one] for one in left]) if best else none,
        model,
        empty,
        values.terms,
    )


class _Search:
    """For every node the set K that shows it best; what was run is run once.

    Attributes:
        known: what the circuit without a set of nodes came to, (pair,).
        best: per node the best K so far, in forward order.
    """

    def __init__(
        self, values: CircuitValues, circuit: Circuit, given: Mapping[Site, NodeSet]
    ) -> None:
        self.values, self.circuit = values, circuit
        self.known: dict[NodeSet, Array] = {}
        self.best = {node: given.get(node, NodeSet()) for node in circuit.ordered}
        self._at = {node: NodeSet() for node in self.best if node not in given}
        mates = {node: _mates(circuit, node) for node in self._at}
        self._know((n, k) for found in (self.best, mates) for n, k in found.items())
        self._improve(mates)

    def grow(self) -> None:
        """Add to each K of the greedy search the node that shows its node best."""
        more = {
            node: [some | {other} for other in self.best if other not in some | {node}]
            for node, some in self._at.items()
        }
        self._know((node, some) for node, several in more.items() for some in several)
        self._at = {node: self._best_of(node, several) for node, several in more.items()}
        self._improve(self._at)

    def _know(self, asked: Iterable[tuple[Site, NodeSet]]) -> None:
        """Run C without K, and without K and v, for all that is asked, in one experiment."""
        both = (one for node, some in asked for one in (some, some | {node}))
        new = [one for one in dict.fromkeys(both) if one not in self.known]
        if new:
            found = self.values([without(self.circuit, one) for one in new])
            self.known |= dict(zip(new, found, strict=True))

    def _best_of(self, node: Site, several: Sequence[NodeSet]) -> NodeSet:
        """The set at which the node changes most, in size; the first of equals."""

        def score(some: NodeSet) -> float:
            return abs(float((self.known[some] - self.known[some | {node}]).mean()))

        return max(several, key=score)

    def _improve(self, options: Mapping[Site, NodeSet]) -> None:
        """Put a better K in the place of each node's."""
        for node, some in options.items():
            self.best[node] = self._best_of(node, [self.best[node], some])


def _mates(circuit: Circuit, node: Site) -> NodeSet:
    """The other nodes of a node's class; none where it has none."""
    name = circuit.classes.get(node)
    if name is None:
        return NodeSet()
    return frozenset(n for n in circuit.nodes if n != node and circuit.classes.get(n) == name)


def _as_sets(sets: object) -> dict[Site, NodeSet]:
    require(
        sets is None or isinstance(sets, Mapping),
        "K is given node by node.",
        value=sets,
        expected="{node: other nodes of the circuit}, or None",
        fix="minimality(study, circuit, {node: [other]})",
    )
    named = sets.items() if isinstance(sets, Mapping) else ()
    return {node: frozenset(as_elements(some, Site)) for node, some in named}


def _refuse_no_sets(circuit: Circuit, given: Mapping[Site, NodeSet]) -> None:
    wrong = [node for node, some in given.items() if node not in circuit.nodes or node in some]
    require(
        not wrong,
        "K is given for nodes of the circuit, and leaves the node in.",
        value=wrong,
        expected="{node: other nodes of the circuit}",
        fix="minimality(study, circuit, {node: [other]})",
    )
