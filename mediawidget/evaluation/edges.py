"""Edge by edge: a circuit's connections carry what they carry, all others what is ablated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..circuit import Circuit
from ..engine import Engine
from ..errors import MediationError, require
from ..groups import Group
from ..jobs import Job
from ..rewiring import Ablation as Named
from ..rewiring import Bench, refuse_no_rewiring
from ..sites import Position, Site
from ..study import Study
from ..wiring import Edge
from .values import ABLATIONS, Ablation, Array, CircuitValues, Rest, as_circuits

Kept = NDArray[np.float32]


class EdgeValues(CircuitValues):
    """m(C): the metric with every edge that is not in C carrying its sender's ablated write.

    All components are computed; what a reader sees of a sender that it has no edge from is that
    sender's write on the pair's corrupt prompt ("resample"), its mean over the clean prompts of
    one length, or nothing. A circuit that names no edges has all between its nodes, the embedding
    and the logits; a node at a position asks, and an MLP reads, there alone, while a head's keys
    and values are read at all positions. The network without some nodes is without the edges that
    they send. Keys and values that several heads share belong to each of these heads.

    Args:
        study: its pairs and metric.
        ablation: "resample", "zero" or "mean".
        progress: whether to show a bar.

    Raises:
        MediationError: a model whose edges cannot be told apart, and another ablation.

    Example:
        >>> circuit = mw.search.eap(study).circuit(40)
        >>> values = mw.evaluation.EdgeValues(study)
        >>> mw.evaluation.faithfulness(study, circuit, values=values)
    """

    mode: ClassVar[str] = "edge"
    _bench: tuple[Any, Bench] | None = None
    _placed: tuple[Engine, frozenset[str], Engine] | None = None

    def __init__(
        self, study: Study, ablation: Ablation = "resample", *, progress: bool = False
    ) -> None:
        super().__init__(study, ablation, progress=progress)
        refuse_no_rewiring(study.lm)
        named = [name for name, edit in ABLATIONS.items() if edit == self.edit]
        require(
            bool(named),
            "An edge carries the other prompt's write, a mean, or nothing.",
            value=ablation,
            expected=", ".join(map(repr, ABLATIONS)),
            fix="EdgeValues(study, 'resample')",
        )
        self._ablation: Named = named[0]  # type: ignore[assignment]
        self.over = ("all edges",)
        self.wiring = study.lm.wiring

    @property
    def candidates(self) -> tuple[Edge, ...]:
        """Every edge, those from the embedding and to the logits among them."""
        return self.wiring.edges

    @property
    def empty(self) -> Circuit:
        """Every edge is cut."""
        return Circuit([], [], name="empty")

    def job(self, circuits: Sequence[Circuit | Rest]) -> Job[Array]:
        circuits = as_circuits(circuits)
        if not circuits:
            return self._nothing()
        engine, metric = self._engine(circuits), self.study.metric
        placed = any(_places(circuit) for circuit in circuits)

        def masks(group: Group, some: NDArray[np.int64]) -> Kept:
            asked = [circuits[i] for i in some]
            return np.stack([self._mask(circuit, group, placed=placed) for circuit in asked])

        def count(job: Job[Array]) -> None:
            if not job.finished:
                self.passes += 1
            else:
                self.rows += job.done
                self.seconds += job.seconds

        kept = self._bench_of(engine).job(masks, len(circuits))
        job = kept.then(lambda one: np.asarray(metric.read(one, engine.columns)))
        job.watch(count)
        return job

    # --- inside ---------------------------------------------------------------------------------

    def _bench_of(self, engine: Engine) -> Bench:
        """The one of the last call, proven then, where prompts and model are still the same."""
        mark = engine.lm.fingerprint()
        if self._bench is None or mark is None or self._bench[0] != (engine, mark):
            self._bench = (engine, mark), Bench(engine, "clean", self._ablation)
        return self._bench[1]

    def _engine(self, circuits: Sequence[Circuit | Rest]) -> Engine:
        """The study's, or where roles are named one whose groups have them in one place."""
        engine = self.study.engine
        everywhere = (p for circuit in circuits for p in _places(circuit))
        named = frozenset(p for p in everywhere if isinstance(p, str))
        if not named:
            return engine
        if self._placed is None or self._placed[:2] != (engine, named):
            known = Engine(engine.lm, engine.pairs, roles=engine.roles, columns=engine.columns)
            known.groups = known.groups_of(named)
            self._placed = engine, named, known
        self._placed[2].budget = engine.budget
        return self._placed[2]

    def _mask(self, circuit: Circuit | Rest, group: Group, *, placed: bool) -> Kept:
        """(sender, receiver) or (sender, receiver, position): 1 where an edge is in the circuit."""
        shape: tuple[int, ...] = self.wiring.reach.shape
        n = group.frame.n_positions
        mask = np.zeros((*shape, n) if placed else shape, dtype=np.float32)
        if isinstance(circuit, Rest):
            mask[:] = 1
            for node in circuit.without:
                at = self._at(node.position, group, placed=placed)
                mask[self.wiring.sender(node), :, at] = 0
        elif circuit.edges is not None:
            for edge in circuit.edges:
                where = self.wiring.sender(edge.sender), self.wiring.receiver(edge.receiver)
                if not self.wiring.reach[where]:
                    raise _backward(edge)
                mask[(*where, self._at(edge.receiver.position, group, placed=placed))] = 1
        else:
            sends, reads = np.zeros((2, *mask.shape), dtype=bool)
            sends[self.wiring.sender(Site("embedding", 0))] = True
            reads[:, -1] = True
            for node in circuit.nodes:
                at = self._at(node.position, group, placed=placed)
                sends[self.wiring.sender(node), :, at] = True
                for receiver, position in self._reads(node):
                    reads[:, receiver, self._at(position, group, placed=placed)] = True
            mask[sends & reads] = 1
        return mask

    def _at(self, position: Position, group: Group, *, placed: bool) -> Any:
        """An index of the last axis, or, where there is none of positions, nothing."""
        if not placed:
            return ...
        at = group.frame.positions(position)
        if not all(0 <= one < group.frame.n_positions for one in at):
            raise MediationError(
                "An edge of the circuit is read at a position that a prompt does not have.",
                value=f"position {max(at, key=abs)}",
                expected=f"0 to {group.frame.n_positions - 1}",
                fix="name a role that every pair has, such as position='END'",
            )
        return list(at)

    def _reads(self, node: Site) -> Iterable[tuple[int, Position]]:
        """What a node reads by, and at which positions."""
        for receiver in self.wiring.inputs(node):
            asks = self.wiring.receivers[receiver].mediator in ("query", "mlp_out")
            yield receiver, node.position if asks else None


def _places(circuit: Circuit | Rest) -> set[int | str]:
    """The positions and roles that a circuit names."""
    nodes = circuit.without if isinstance(circuit, Rest) else circuit.nodes
    sites = list(nodes)
    if isinstance(circuit, Circuit) and circuit.edges is not None:
        sites = [edge.receiver for edge in circuit.edges]
    found: set[int | str] = set()
    for site in sites:
        several = site.position if isinstance(site.position, tuple) else (site.position,)
        found |= {place for place in several if place is not None}
    return found


def _backward(edge: Edge) -> MediationError:
    return MediationError(
        "This edge does not go forward.",
        value=edge.label(),
        expected="a receiver behind its sender",
        fix="lm.wiring.edges lists all edges",
    )
