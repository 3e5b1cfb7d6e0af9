"""What a board's circuit is worth: its numbers, each run once per question."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...circuit import NODES, Circuit
from ...edits import Edit
from ...errors import MediationError
from ...evaluation import CircuitValues, EdgeValues, Faithfulness, NodeValues, Rest
from ...evaluation.shares import refused
from ...evaluation.values import Ablation, refuse_no_candidates
from ...evaluation.ways import refuse_kinds_among_edges
from ...jobs import Job
from ...sites import Site
from ...wiring import Edge
from .graph import Mode, links, of_edges, refuse_no_mode, without

if TYPE_CHECKING:
    from ...study import Study

Array = NDArray[np.float64]
Element = Site | Edge

ROWS = {"node": 256, "edge": 16}
"""Pairs times circuits that are run without a pause, so that the next click does not wait long."""
MOST_EDGES = 96
"""Of a circuit with more edges it is the nodes alone that are left out one by one."""


@dataclass(frozen=True, eq=False, repr=False)
class BoardResult:
    """What a board shows of its circuit.

    Attributes:
        circuit: which one.
        mode: "edge" or "node": what is ablated outside it.
        faithfulness: m(C), m(M) and m(empty) per pair, under which terms.
        rest: (pair,) m(M without C), the network without the circuit's nodes; None: not run yet.
        n_edges: how many it has, in edge mode.
        of: how many nodes are candidates, and how many edges the network has.
        left_out: by node and by edge, (pair,) m(C without it), as far as that was run.
        found: per class of the overlay, how many of its nodes are in the circuit, of how many.
    """

    circuit: Circuit
    mode: Mode
    faithfulness: Faithfulness
    rest: Array | None
    n_edges: int | None
    of: tuple[int, int]
    left_out: Mapping[Element, Array] = field(default_factory=dict)
    found: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    def __repr__(self) -> str:
        size = f"{len(self.circuit.nodes)} of {self.of[0]} nodes"
        size += "" if self.n_edges is None else f", {self.n_edges} of {self.of[1]} edges"
        f = self.faithfulness
        share = "" if self.normalized is None else f", {self.normalized:.3g} of the way"
        means = (
            f"{name} {values.mean():+.3f}"
            for name, values in (("circuit", f.kept), ("model", f.model), ("empty", f.empty))
        )
        return f"BoardResult({self.mode} mode, {size}; {', '.join(means)} {f.terms.unit}{share})"

    @cached_property
    def refused(self) -> str:
        """Why nothing is normalised: m(M) - m(empty) is next to nothing; empty where it is."""
        f = self.faithfulness
        return refused(f.model, f.empty, f.terms)

    @cached_property
    def normalized(self) -> float | None:
        """(m(C) - m(empty)) / (m(M) - m(empty)); None where that is refused."""
        return None if self.refused else self.faithfulness.normalized

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """Its 95% bootstrap interval over pairs; None for fewer than three clusters."""
        if self.refused:
            return None
        low, high = self.faithfulness.normalized_ci().tolist()
        return (low, high) if np.isfinite([low, high]).all() else None

    @property
    def gap(self) -> float | None:
        """|m(empty) - m(M without C)|: completeness for K = all of C, in the metric's unit.

        0 where what is left of the network without the circuit does no more than nothing.
        ``mw.evaluation.completeness`` searches for the worst K.
        """
        if self.rest is None:
            return None
        return abs(float((self.faithfulness.empty - self.rest).mean()))

    def change(self, element: Element) -> float | None:
        """By how much faithfulness changes without a node or an edge.

        Normalised, or where that is refused m(C) itself, in the metric's unit. None: not run.
        """
        without = self.left_out.get(element)
        if without is None:
            return None
        f = self.faithfulness
        change = float((without - f.kept).mean())
        return change if self.refused else change / float((f.model - f.empty).mean())


class Worth:
    """The metric of circuits, kept as long as prompts, weights and metric stay what they are.

    Args:
        study: its pairs and metric.
        ablation: what is set outside a circuit.
        over: the kinds of component that may be outside it; single edges need all of them.

    Raises:
        MediationError: an ablation or kinds that there are not.
    """

    def __init__(self, study: Study, ablation: Ablation, over: Sequence[str] = NODES) -> None:
        self.study = study
        self.ablation = ablation
        nodes = NodeValues(study, ablation, over)
        self.over = nodes.over
        self._limited = self.over != NodeValues(study, ablation).over
        self._values: dict[Mode, CircuitValues] = {"node": nodes}
        self._known: dict[Any, Array] = {}
        self._around: dict[Any, dict[Element, Circuit]] = {}
        self._question: Any = None

    @property
    def edit(self) -> Edit:
        """What is set outside a circuit."""
        return self.values("node").edit

    def values(self, mode: Mode) -> CircuitValues:
        """What evaluates circuits in a mode.

        Raises:
            MediationError: an ablation or candidates that the mode does not have, a model without
                single edges.
        """
        if mode not in self._values:
            refuse_kinds_among_edges(self.over if self._limited else NODES)
            self._values[mode] = EdgeValues(self.study, self.ablation)
        return self._values[mode]

    def fitting(self, circuit: Circuit) -> Mode:
        """The mode in which ``faithfulness`` evaluates a circuit where none is named.

        Edge mode also for a circuit of nothing, to which edges may come.
        """
        by_nodes = bool(circuit.nodes) and circuit.edges is None
        return "node" if by_nodes or self._limited else "edge"

    def possible(self, mode: Mode) -> tuple[Mode, str]:
        """The mode, or node mode and why where this model and these terms have no other."""
        refuse_no_mode(mode)
        try:
            self.values(mode)
        except MediationError as error:
            return "node", f"Shown node by node. {error.message}"
        return mode, ""

    @property
    def question(self) -> Any:
        """Changes when what was run is no longer an answer."""
        study = self.study
        return study.revision, study.lm.version(), study.metric, id(study.engine)

    def of(self, mode: Mode, circuits: Sequence[Circuit | Rest]) -> Array:
        """(circuit, pair) the metric; those that are not known yet are one experiment.

        Raises:
            MediationError: a circuit with nodes that are no candidates, and what values raise.
        """
        values = self.values(mode)
        for one in circuits:
            refuse_no_candidates(one.nodes if isinstance(one, Circuit) else one.without, values)
        if self._question != self.question:
            self._question = self.question
            self._known.clear()
            self._around.clear()
        keys = [_key(mode, circuit) for circuit in circuits]
        new = {k: c for k, c in zip(keys, circuits, strict=True) if k not in self._known}
        if new:
            with self.study.unmoved():
                found = values(list(new.values()))
            self._known.update(zip(new, found, strict=True))
        return np.array([self._known[key] for key in keys])

    def known(self, mode: Mode, circuit: Circuit | Rest) -> Array | None:
        """(pair,) its metric if it was run under the present question."""
        if self._question != self.question:
            return None
        return self._known.get(_key(mode, circuit))

    def job(self, mode: Mode, circuits: Sequence[Circuit | Rest]) -> Job[int]:
        """All of them in parts between which clicks are answered."""
        new = [circuit for circuit in circuits if self.known(mode, circuit) is None]
        size = max(1, ROWS[mode] // len(self.study.contrast))

        def chunks() -> Iterator[int]:
            for start in range(0, len(new), size):
                part = new[start : start + size]
                self.of(mode, part)
                yield len(part)

        return Job(chunks(), len(new), lambda: len(new), self.study.lm.worker)

    def job_around(self, circuit: Circuit, mode: Mode) -> Job[int]:
        """The network without a circuit, and the circuit without each of its elements."""
        key = _key(mode, circuit)
        if key not in self._around:
            self._around[key] = leave_one_out(circuit, mode, self.study)
        without = self._around[key]
        return self.job(mode, [Rest(circuit.nodes), *without.values()])

    def result(self, circuit: Circuit, mode: Mode, overlay: Circuit | None) -> BoardResult:
        """What is known of a circuit; what is not run is its own value and the two ends of f."""
        values = self.values(mode)
        kept, model, empty = self.of(mode, [circuit, values.full, values.empty])
        wiring = self.study.lm.wiring
        around = self._around.get(_key(mode, circuit), {})
        left_out = {
            element: found
            for element, without in around.items()
            if (found := self.known(mode, without)) is not None
        }
        return BoardResult(
            circuit,
            mode,
            Faithfulness(circuit, kept, model, empty, values.terms),
            self.known(mode, Rest(circuit.nodes)),
            len(links(circuit, wiring)) if mode == "edge" else None,
            (sum(s.mediator in self.over for s in wiring.senders[1:]), wiring.n_edges),
            left_out,
            found_in(circuit, overlay),
        )


def leave_one_out(circuit: Circuit, mode: Mode, study: Study) -> dict[Element, Circuit]:
    """The circuit without each of its nodes, and in edge mode without each of its edges."""
    wiring = study.lm.wiring
    found: dict[Element, Circuit] = {
        node: without(circuit, node, wiring) for node in circuit.ordered
    }
    if mode == "edge":
        edges = {link.edge for link in links(circuit, wiring)}
        if len(edges) <= MOST_EDGES:
            found |= {edge: of_edges(circuit, edges - {edge}) for edge in edges}
    return found


def found_in(circuit: Circuit, overlay: Circuit | None) -> dict[str, tuple[int, int]]:
    """Per class of a known circuit how many of its components are in this one, of how many."""
    if overlay is None:
        return {}
    mine = {_place(node) for node in circuit.nodes}
    counts: dict[str, list[bool]] = {}
    seen: set[object] = set()
    for node in overlay.ordered:
        if _place(node) not in seen:
            seen.add(_place(node))
            counts.setdefault(overlay.classes.get(node, "node"), []).append(_place(node) in mine)
    return {name: (sum(hits), len(hits)) for name, hits in counts.items()}


def _place(node: Site) -> tuple[str, int, int | None]:
    return node.mediator, node.layer, node.head


def _key(mode: Mode, circuit: Circuit | Rest) -> Any:
    if isinstance(circuit, Rest):
        return mode, "rest", circuit.without
    return mode, circuit.nodes, circuit.edges
