"""Random circuits of the same size: what any circuit of that many nodes would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import pandas as pd

from ..circuit import NODES, Circuit
from ..errors import MediationError, require
from ..sites import Site
from ..statistics import refuse_no_seed
from ..statistics.resampling import refuse_no_flag, refuse_no_share, whole
from ..study import Study
from ..wiring import Edge, at
from .scoring import as_elements
from .values import Ablation, Array, CircuitValues, Terms, refuse_no_circuit
from .ways import values_of

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class AgainstRandom:
    """A circuit beside random ones of its size.

    Attributes:
        circuit: what is held against them.
        random: the random circuits.
        kept: (pair,) m(C).
        model: (pair,) m(M).
        of_random: (circuit, pair) m of the random ones.
        per_layer: whether they have as many nodes in every layer too.
        terms: mode, ablation, candidates, metric, n.
    """

    circuit: Circuit
    random: tuple[Circuit, ...]
    kept: Array
    model: Array
    of_random: Array
    per_layer: bool
    terms: Terms

    @property
    def gaps(self) -> Array:
        """(circuit,) |F(M) - F(R)| of the random circuits, in the unit."""
        return np.asarray(np.abs((self.of_random - self.model).mean(axis=1)))

    @property
    def gap(self) -> float:
        """|F(M) - F(C)|."""
        return abs(float((self.kept - self.model).mean()))

    @property
    def less_faithful(self) -> float:
        """The share of random circuits that are further from the network than this one."""
        return float((self.gaps > self.gap).mean())

    def less_faithful_ci(self, level: float = 0.95) -> tuple[float, float]:
        """Its interval over draws of random circuits (Wilson 1927).

        Raises:
            MediationError: a level that is not between 0 and 1.
        """
        from scipy.stats import binomtest  # takes a second to import

        refuse_no_share("level", level)
        n = len(self.gaps)
        found = binomtest(int((self.gaps > self.gap).sum()), n).proportion_ci(level, "wilson")
        return float(found.low), float(found.high)

    def to_dataframe(self) -> pd.DataFrame:
        """A row per circuit, this one first: its mean metric and its gap."""
        means = [self.kept.mean(), *self.of_random.mean(axis=1)]
        names = ["circuit", *["random"] * len(self.random)]
        return pd.DataFrame({"what": names, "kept": means, "gap": [self.gap, *self.gaps]})

    def __repr__(self) -> str:
        low, high = self.less_faithful_ci()
        matched = "kind and layer" if self.per_layer else "kind"
        return (
            f"AgainstRandom(|F(M)-F(C)| {self.gap:.3g} {self.terms.unit}; {self.less_faithful:.0%} "
            f"[{low:.0%}, {high:.0%}] of {len(self.random)} random circuits, matched by "
            f"{matched}, are less faithful; {self.terms.words})"
        )


def against_random(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    circuit: Circuit,
    n: int = 100,
    *,
    per_layer: bool = False,
    seed: int = 0,
    ablation: Ablation = "resample",
    over: Sequence[str] = NODES,
    values: CircuitValues | None = None,
) -> AgainstRandom:
    """Hold a circuit against random circuits of its size, in one experiment.

    Args:
        study: its pairs and metric.
        circuit: what is held against them.
        n: how many random circuits.
        per_layer: whether they have as many nodes of a kind in every layer, not only in all.
        seed: of the draw.
        ablation: what is set outside, as ``NodeValues`` has it.
        over: the kinds of component that are candidates.
        values: another way to evaluate circuits.

    Raises:
        MediationError: an n that is no count, fewer candidates of a kind than the circuit has, and
            what ``values`` raises.
    """
    values = values_of(study, ablation, over, values, [circuit])
    random = random_circuits(circuit, values.candidates, n, per_layer=per_layer, seed=seed)
    found = values([circuit, values.full, *random])
    return AgainstRandom(circuit, random, found[0], found[1], found[2:], per_layer, values.terms)


def random_circuits(
    circuit: Circuit,
    candidates: Sequence[Site] | Sequence[Edge],
    n: int,
    *,
    per_layer: bool = False,
    seed: int = 0,
) -> tuple[Circuit, ...]:
    """Circuits of as many nodes of each kind, or of as many edges, at the same positions.

    Args:
        circuit: whose size is matched. Nodes of kinds that are no candidates are left out.
        candidates: what is drawn from, without positions.
        n: how many circuits.
        per_layer: match the number in each layer (of an edge the layer of its receiver) too.
        seed: of the draw.

    Raises:
        MediationError: no circuit, candidates that are none, fewer of a kind than the circuit has,
            or an n that is no count.
    """
    refuse_no_circuit(circuit)
    candidates = as_elements(candidates)
    refuse_no_flag("per_layer", per_layer)
    refuse_no_seed(seed)
    require(whole(n, 1), "Circuits are counted.", value=n, expected="an int from 1", fix="n=100")
    draw = _random_nodes if circuit.edges is None else _random_edges
    return draw(circuit, candidates, n, np.random.default_rng(seed), per_layer=per_layer)


def _random_edges(
    circuit: Circuit,
    candidates: Sequence[Site] | Sequence[Edge],
    n: int,
    rng: np.random.Generator,
    *,
    per_layer: bool,
) -> tuple[Circuit, ...]:
    ordered = sorted(circuit.edges or (), key=lambda edge: edge.label())
    needed = Counter((_edge_class(e, per_layer), e.receiver.position) for e in ordered)
    pools: dict[object, list[Edge]] = {}
    for wire in candidates:
        if isinstance(wire, Edge):
            pools.setdefault(_edge_class(wire, per_layer), []).append(wire)
    return tuple(
        Circuit(
            [],
            (
                at(edge, position)
                for (key, position), k in needed.items()
                for edge in _draw(rng, pools, key, k)
            ),
        )
        for _ in range(n)
    )


def _random_nodes(
    circuit: Circuit,
    candidates: Sequence[Site] | Sequence[Edge],
    n: int,
    rng: np.random.Generator,
    *,
    per_layer: bool,
) -> tuple[Circuit, ...]:
    kinds: dict[object, list[Site]] = {}
    for site in candidates:
        if isinstance(site, Site):
            kinds.setdefault(_class(site, per_layer), []).append(site)
    known = {site.mediator for some in kinds.values() for site in some}
    counts = Counter(
        (_class(node, per_layer), node.position)
        for node in circuit.ordered
        if node.mediator in known
    )
    return tuple(
        Circuit(
            replace(site, position=position)
            for (key, position), k in counts.items()
            for site in _draw(rng, kinds, key, k)
        )
        for _ in range(n)
    )


def _class(site: Site, per_layer: bool) -> object:
    return (site.mediator, site.layer) if per_layer else site.mediator


def _edge_class(edge: Edge, per_layer: bool) -> object:
    return edge.receiver.layer if per_layer else None


def _draw(rng: np.random.Generator, pools: dict[object, list[T]], key: object, k: int) -> list[T]:
    """``k`` different ones of a pool."""
    pool = pools.get(key, [])
    if len(pool) < k:
        raise MediationError(
            "There are not as many candidates as the circuit has.",
            value=f"{k} of {key}, and {len(pool)} candidates",
            expected="candidates of every kind of the circuit",
            fix="over=('head', 'mlp_out')",
        )
    return [pool[i] for i in rng.choice(len(pool), size=k, replace=False)]
