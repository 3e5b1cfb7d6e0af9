"""What a circuit is worth: the metric with all else ablated, whatever the way of ablating."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ..circuit import NODES, Circuit
from ..edits import Edit, Mean, Patch, Zero, as_edit
from ..errors import MediationError, require
from ..jobs import Job
from ..mediators import mediator_named
from ..sites import Site
from ..statistics import clusters_of
from ..study import Study, refuse_no_study
from ..wiring import Edge
from .scoring import as_elements, listed

Array = NDArray[np.float64]
Ablation = Literal["resample", "zero", "mean"] | Edit

ABLATIONS: dict[str, Edit] = {"resample": Patch(), "zero": Zero(), "mean": Mean()}
"""By name: the value on the pair's corrupt prompt, zeros, the mean over the clean prompts.

"resample" is ``Patch()``, of the same pair; ``Resample()``, of another pair, is given as an edit.
"""


@dataclass(frozen=True)
class Rest:
    """The whole network but some nodes, which are ablated at their positions (M without K).

    Attributes:
        without: K, nodes with their positions; none: the whole network.
    """

    without: frozenset[Site] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "without", frozenset(as_elements(self.without, Site)))


@dataclass(frozen=True)
class Terms:
    """Under what terms circuits were evaluated: all of them move the result.

    Attributes:
        mode: "node" (a node is kept or ablated) or "edge" (each of its connections is).
        ablation: what is set outside the circuit, in words.
        over: the kinds of component that may be outside it; all others are recomputed.
        metric: the name of the metric that all numbers are of.
        unit: its unit.
        clusters: per pair the name of its cluster, as ``Effect.clusters``.
        n_pairs: how many pairs.
    """

    mode: str
    ablation: str
    over: tuple[str, ...]
    metric: str
    unit: str
    clusters: tuple[str, ...]
    n_pairs: int

    @property
    def words(self) -> str:
        """In one line."""
        over = " and ".join(self.over)
        return f"{self.mode} mode, {self.ablation} ablation over {over}; {self.metric}, " + (
            f"n={self.n_pairs} pair" + "s" * (self.n_pairs != 1)
        )


class CircuitValues(ABC):
    """The metric of circuits: call it with several, and they are run as one experiment.

    Args:
        study: its pairs and its metric.
        ablation: what is set outside a circuit: "resample" (the value on the pair's corrupt
            prompt), "zero", "mean" (over the clean prompts of one length), or an edit, such as
            ``Mean("corrupt")``.
        over: the kinds of component that a circuit may leave out.
        progress: whether to show a bar.

    Attributes:
        passes: forward passes of all calls so far.
        rows: rows of their batches.
        seconds: the wall time that they took.

    Raises:
        MediationError: no study, no such ablation, or ``over`` names what is no head or MLP.
    """

    mode: ClassVar[str]

    def __init__(
        self,
        study: Study,
        ablation: Ablation = "resample",
        over: Sequence[str] = NODES,
        *,
        progress: bool = False,
    ) -> None:
        refuse_no_study(study)
        self.study = study
        self.edit = _as_ablation(ablation)
        self.over = _as_kinds(study, over)
        self.progress = progress
        self.passes = self.rows = 0
        self.seconds = 0.0

    def __call__(self, circuits: Sequence[Circuit | Rest]) -> Array:
        """(circuit, pair) the metric on the clean prompts, in its unit.

        Raises:
            MediationError: a circuit that is not of this network, or has no such positions.
        """
        return self.job(circuits).result(progress=self.progress)

    @abstractmethod
    def job(self, circuits: Sequence[Circuit | Rest]) -> Job[Array]:
        """(circuit, pair) the same, not yet started; after ``cancel`` what was not run is NaN."""

    @property
    @abstractmethod
    def candidates(self) -> tuple[Site, ...] | tuple[Edge, ...]:
        """What a circuit chooses from, in forward order."""

    @property
    @abstractmethod
    def empty(self) -> Circuit:
        """The circuit of nothing: all candidates are ablated."""

    @property
    def full(self) -> Rest:
        """The whole network, m(M): nothing is ablated."""
        return Rest()

    @property
    def terms(self) -> Terms:
        """What a reader must know of the numbers."""
        metric = self.study.metric
        named = {edit: name for name, edit in ABLATIONS.items()}
        return Terms(
            mode=self.mode,
            ablation=named.get(self.edit, repr(self.edit)),
            over=self.over,
            metric=metric.name,
            unit=metric.unit,
            clusters=clusters_of(self.study.contrast),
            n_pairs=len(self.study.contrast),
        )

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.terms.words})"

    def _nothing(self) -> Job[Array]:
        """What no circuits come to."""
        return Job(iter(()), 0, lambda: np.zeros((0, len(self.study.contrast))))


def refuse_no_circuit(circuit: object) -> None:
    """Raise where something else stands for a circuit."""
    require(
        isinstance(circuit, Circuit),
        "What is evaluated is a circuit.",
        value=circuit,
        expected="a Circuit",
        fix="mw.Circuit([mw.Site('head', 3, head=1)])",
    )


def as_circuits(circuits: object) -> tuple[Circuit | Rest, ...]:
    """What is to be evaluated, one by one.

    Raises:
        MediationError: something else, or not several.
    """
    several = listed(circuits)
    strange = [one for one in several or () if not isinstance(one, Circuit | Rest)]
    require(
        several is not None and not strange,
        "What is evaluated is a circuit.",
        value=strange[0] if strange else circuits,
        expected="a list of Circuit, or of Rest(nodes) for the whole network without some",
        fix="values([mw.Circuit([mw.Site('head', 3, head=1)])])",
    )
    return several or ()


def refuse_placed_among_edges(circuit: Circuit) -> None:
    """Raise where nodes at positions are to be taken out of a circuit of edges.

    Its edges go with a whole component, those of the network with a component at its positions:
    the two would not lose the same.
    """
    placed = [node for node in circuit.ordered if node.position is not None]
    if circuit.edges is not None and placed:
        raise MediationError(
            "In a circuit of edges it is the edges that have positions, not the nodes.",
            value=placed[0].label(),
            expected="nodes without positions beside edges",
            fix="mw.Circuit([], circuit.edges) has the nodes of its edges; "
            "mw.Circuit(circuit.nodes) has nodes at positions, and all edges between them",
        )


def refuse_no_candidates(nodes: Iterable[Site], values: CircuitValues) -> None:
    """Raise where nodes are to be ablated that never are: all that is no candidate is computed."""
    if values.mode == "edge":
        return
    known = {replace(one, position=None) for one in values.candidates if isinstance(one, Site)}
    idle = sorted({n.label() for n in nodes if replace(n, position=None) not in known})
    if idle:
        raise MediationError(
            "Nodes that are no candidates are never ablated.",
            value=", ".join(idle[:8]),
            expected="nodes of " + " and ".join(values.over),
            fix="over=('head', 'mlp_out'), or a circuit without these nodes",
        )


def without(circuit: Circuit, nodes: Collection[Site]) -> Circuit:
    """C without K: the circuit less some of its nodes and their edges.

    Args:
        circuit: C.
        nodes: K, as the circuit has them, with their positions.

    Raises:
        MediationError: no circuit, no nodes, or a node that is not in the circuit.
    """
    refuse_no_circuit(circuit)
    nodes = as_elements(nodes, Site)
    strange = [node for node in nodes if node not in circuit.nodes]
    if strange:
        raise MediationError(
            "What is taken out of a circuit is in it.",
            value=strange[0].label(),
            expected="nodes of the circuit, at their positions: "
            + ", ".join(node.label() for node in circuit.ordered[:8]),
            fix="circuit.ordered lists its nodes",
        )
    gone, left = set(nodes), circuit.nodes - set(nodes)
    edges = None
    if circuit.edges is not None:
        edges = [edge for edge in circuit.edges if not _touches(edge, gone, left)]
    classes = {node: text for node, text in circuit.classes.items() if node not in gone}
    return Circuit(left, edges, name=circuit.name, source=circuit.source, classes=classes)


def _touches(edge: Edge, gone: Collection[Site], left: Collection[Site]) -> bool:
    """Whether an edge goes with the nodes that are taken out.

    What a node is asked with goes; keys and values may be of other heads too, and what is read by
    them alone goes nowhere.
    """
    end = edge.receiver
    reader = {"query": "head", "mlp_out": "mlp_out"}.get(end.mediator, "")
    ends = {(edge.sender.mediator, edge.sender.layer, edge.sender.head)}
    ends.add((reader, end.layer, end.head))

    def among(nodes: Collection[Site]) -> set[tuple[str, int, int | None]]:
        return ends & {(node.mediator, node.layer, node.head) for node in nodes}

    return bool(among(gone) - among(left))


def _as_ablation(ablation: object) -> Edit:
    named = isinstance(ablation, str)
    require(
        isinstance(ablation, Edit) or (named and ablation in ABLATIONS),
        "There is no such ablation.",
        value=ablation,
        expected=", ".join(map(repr, ABLATIONS)) + ", or an edit",
        fix="ablation='resample', or ablation=mw.Mean('corrupt')",
    )
    return ABLATIONS[ablation] if isinstance(ablation, str) else as_edit(ablation)


def _as_kinds(study: Study, over: object) -> tuple[str, ...]:
    several = (over,) if isinstance(over, str) else over
    require(
        isinstance(several, list | tuple) and bool(several) and all(k in NODES for k in several),
        "Circuits are made of heads and MLPs.",
        value=over,
        expected="some of " + ", ".join(map(repr, NODES)),
        fix="over=('head',): heads are kept or ablated, MLPs are always recomputed",
    )
    assert isinstance(several, list | tuple)
    return tuple(k for k in NODES if k in several and study.lm.has(mediator_named(k)))
