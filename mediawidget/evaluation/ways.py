"""Which way circuits are evaluated, where none is given."""

from __future__ import annotations

from collections.abc import Sequence

from ..circuit import NODES, Circuit
from ..errors import require
from ..study import Study
from .edges import EdgeValues
from .keeping import NodeValues
from .values import Ablation, CircuitValues, refuse_no_circuit


def values_of(
    study: Study,
    ablation: Ablation,
    over: Sequence[str],
    values: CircuitValues | None,
    circuits: Sequence[Circuit],
) -> CircuitValues:
    """``values``, or under these terms edge mode where a circuit names edges, else node mode.

    Raises:
        MediationError: no circuit, or kinds of candidates for a circuit of edges.
    """
    for circuit in circuits:
        refuse_no_circuit(circuit)
    if values is not None:
        require(
            isinstance(values, CircuitValues),
            "This evaluates no circuits.",
            value=values,
            expected="CircuitValues, such as NodeValues(study)",
            fix="values=mw.evaluation.NodeValues(study, 'mean')",
        )
        return values
    if any(circuit.edges is not None for circuit in circuits):
        refuse_kinds_among_edges(over)
        return EdgeValues(study, ablation)
    return NodeValues(study, ablation, over)


def refuse_kinds_among_edges(over: Sequence[str]) -> None:
    """Raise where edges are told apart and some kinds of component are to be no candidates."""
    require(
        tuple(over) == NODES,
        "Of a circuit of edges all edges are candidates.",
        value=f"over={over!r}",
        expected="no over, or a circuit of nodes",
        fix="mw.Circuit(circuit.nodes) has all edges between its nodes",
    )
