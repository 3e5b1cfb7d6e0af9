"""Completeness: whether a circuit without some nodes does what the network without them does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..circuit import NODES, Circuit
from ..errors import require
from ..sites import Site
from ..statistics import mean_interval, refuse_no_seed
from ..statistics.resampling import whole
from ..study import Study
from .scoring import as_elements, listed
from .values import (
    Ablation,
    Array,
    CircuitValues,
    Rest,
    Terms,
    refuse_no_candidates,
    refuse_placed_among_edges,
    without,
)
from .ways import values_of

NodeSet = frozenset[Site]


@dataclass(frozen=True, eq=False)
class Completeness:
    """F(C without K) beside F(M without K) for sets K of the circuit's nodes.

    A circuit that misses a node is found out by a K whose absence that node makes up for in the
    network and not in the circuit.

    Attributes:
        circuit: what was evaluated.
        sets: the sets K.
        kinds: how each was chosen: "none" (K is empty), "class", "given", "random", "greedy".
        labels: their names.
        of_circuit: (set, pair) m(C without K).
        of_model: (set, pair) m(M without K).
        terms: mode, ablation, candidates, metric, n.
    """

    circuit: Circuit
    sets: tuple[NodeSet, ...]
    kinds: tuple[str, ...]
    labels: tuple[str, ...]
    of_circuit: Array
    of_model: Array
    terms: Terms

    @property
    def incompleteness(self) -> Array:
        """(set,) |F(C without K) - F(M without K)|, in the metric's unit (Wang et al. 2023)."""
        return np.asarray(np.abs((self.of_circuit - self.of_model).mean(axis=1)))

    @property
    def worst(self) -> tuple[NodeSet, float]:
        """The set of largest incompleteness. It was picked on these pairs, so it is a maximum."""
        at = int(np.argmax(self.incompleteness))
        return self.sets[at], float(self.incompleteness[at])

    def to_dataframe(self, level: float = 0.95) -> pd.DataFrame:
        """A row per set: its kind, name, size, both means, their difference and its interval.

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        apart = self.of_circuit - self.of_model
        low, high = mean_interval(apart.T, self.terms.clusters, level)
        columns = {
            "kind": self.kinds,
            "K": self.labels,
            "size": [len(one) for one in self.sets],
            "circuit": self.of_circuit.mean(axis=1),
            "model": self.of_model.mean(axis=1),
            "difference": apart.mean(axis=1),
            "low": low,
            "high": high,
            "incompleteness": self.incompleteness,
        }
        return pd.DataFrame(columns)

    def __repr__(self) -> str:
        at = int(np.argmax(self.incompleteness))
        worst = f"worst {self.incompleteness[at]:.3g} {self.terms.unit}"
        named = f"K = {self.labels[at] or 'nothing'} ({self.kinds[at]})"
        return f"Completeness({len(self.sets)} sets; {worst}, {named}; {self.terms.words})"


def completeness(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    circuit: Circuit,
    sets: Iterable[Iterable[Site]] = (),
    *,
    greedy: int = 5,
    random: int = 10,
    seed: int = 0,
    ablation: Ablation = "resample",
    over: Sequence[str] = NODES,
    values: CircuitValues | None = None,
) -> Completeness:
    """Take sets of nodes out of the circuit and out of the network, and compare.

    K is empty, each class of nodes, the given sets, random sets (each node with chance 1/2; none
    empty, no two alike), and what a greedy search comes to: every step adds the node that makes the
    incompleteness largest.
    All candidates of a step are one experiment, and so is everything before the search.

    Args:
        study: its pairs and metric.
        circuit: its nodes, with ``classes`` where K is to be one of them.
        sets: further sets K of its nodes.
        greedy: how many nodes the greedy search takes out; 0 for none.
        random: how many random sets; all there are, 2^n - 1 of n nodes, where that is fewer.
        seed: of their draw.
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
    _refuse_no_count("greedy", greedy)
    _refuse_no_count("random", random)
    chosen = _chosen(circuit, sets, random, seed)
    of_circuit, of_model = _both(values, circuit, [one for _, _, one in chosen])
    path, more_circuit, more_model = _greedy(values, circuit, greedy)
    chosen += [("greedy", "", one) for one in path]
    return Completeness(
        circuit,
        tuple(one for _, _, one in chosen),
        tuple(kind for kind, _, _ in chosen),
        tuple(name or label(one) for _, name, one in chosen),
        np.concatenate([of_circuit, more_circuit]),
        np.concatenate([of_model, more_model]),
        values.terms,
    )


def label(nodes: Iterable[Site]) -> str:
    """The names of some nodes, in forward order."""
    return " + ".join(node.label() for node in Circuit(nodes).ordered)


def _chosen(
    circuit: Circuit, sets: Iterable[Iterable[Site]], random: int, seed: int
) -> list[tuple[str, str, NodeSet]]:
    """The sets before any search: kind, name and nodes."""
    refuse_no_seed(seed)
    chosen = [("none", "", NodeSet())]
    for name in dict.fromkeys(circuit.classes.values()):
        members = (node for node in circuit.ordered if circuit.classes.get(node) == name)
        chosen.append(("class", name, frozenset(members)))
    chosen += [("given", "", one) for one in _given(sets)]
    chosen += [("random", "", one) for one in _drawn(circuit.ordered, random, seed)]
    return chosen


def _given(sets: object) -> list[NodeSet]:
    several = listed(sets)
    require(
        several is not None,
        "Sets of nodes are several.",
        value=sets,
        expected="a list of lists of Site",
        fix="sets=[[mw.Site('head', 3, head=1)]]",
    )
    return [frozenset(as_elements(one, Site)) for one in several or ()]


def _drawn(nodes: Sequence[Site], n: int, seed: int) -> list[NodeSet]:
    """Sets of nodes at random, each node with chance 1/2: none empty, no two alike."""
    rng, most = np.random.default_rng(seed), 2 ** len(nodes) - 1
    found: dict[NodeSet, None] = {}
    if n >= most:
        # All there are: the last ones would be waited for.
        masks = (rng.permutation(most) + 1).tolist() if most else []
        return [frozenset(one for i, one in enumerate(nodes) if mask >> i & 1) for mask in masks]
    while len(found) < n:
        drawn = np.flatnonzero(rng.random(len(nodes)) < 0.5)
        if len(drawn):
            found[frozenset(nodes[i] for i in drawn.tolist())] = None
    return list(found)


def _both(values: CircuitValues, circuit: Circuit, sets: Sequence[NodeSet]) -> tuple[Array, Array]:
    """m(C without K) and m(M without K) of some sets, (set, pair) each, in one experiment."""
    asked = [without(circuit, one) for one in sets]
    found = values([*asked, *(Rest(one) for one in sets)])
    return found[: len(sets)], found[len(sets) :]


def _greedy(
    values: CircuitValues, circuit: Circuit, steps: int
) -> tuple[list[NodeSet], Array, Array]:
    """The sets on the way of the greedy search, and both sides of each."""
    path: list[NodeSet] = []
    sides: list[tuple[Array, Array]] = []
    for _ in range(min(steps, len(circuit.nodes))):
        before = path[-1] if path else NodeSet()
        asked = [before | {node} for node in circuit.ordered if node not in before]
        ours, theirs = _both(values, circuit, asked)
        at = int(np.argmax(np.abs((ours - theirs).mean(axis=1))))
        path.append(asked[at])
        sides.append((ours[at], theirs[at]))
    nothing = np.zeros((0, values.terms.n_pairs))
    of_circuit = np.stack([a for a, _ in sides]) if sides else nothing
    of_model = np.stack([b for _, b in sides]) if sides else nothing
    return path, of_circuit, of_model


def _refuse_no_count(name: str, value: object) -> None:
    require(
        whole(value, 0),
        f"{name} is a number of sets or of steps.",
        value=value,
        expected="an int from 0",
        fix=f"{name}=5",
    )
