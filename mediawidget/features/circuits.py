"""Sparse feature circuits: the few features and errors that are claimed to do the work.

Everything else at the autoencoders' sites is set to its mean. Sites between them are recomputed.

Source: Marks et al. 2024, "Sparse feature circuits": faithfulness (F(C) - F(0)) / (F(M) - F(0)),
completeness the same of all nodes but the circuit's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..checks import Edits
from ..edits.base import as_number
from ..edits.features import clamp
from ..edits.sparse import SAE
from ..effects import SHOWN, Effect
from ..errors import MediationError, is_one_of, require
from ..evaluation.shares import ratio_interval, refused
from ..runs import Run
from ..statistics import clusters_of
from ..study import Study, refuse_no_study
from .cells import ERROR, Cells
from .nodes import Node, refuse_no_nodes

Array = NDArray[np.float64]


def nodes_of(
    saes: Sequence[SAE],
    effects: Sequence[Effect],
    threshold: Any,
    quantity: str = "TIE",
) -> list[Node]:
    """The cells of some effects whose mean is in size above a threshold, as nodes.

    Args:
        saes: one an effect.
        effects: of sweeps or attributions.
        threshold: in the metric's unit.
        quantity: "TIE" (what breaks) or "PIE" (what restores).

    Raises:
        MediationError: effects of other autoencoders, no threshold.

    Example:
        >>> sae = mw.features.teaching(3)
        >>> mw.features.nodes_of([sae], [mw.features.attribute(study, sae)], 0.1)
    """
    size = as_number(threshold)
    require(
        0 <= size < float("inf"),
        "A threshold is a size.",
        value=threshold,
        expected="a number of the metric's unit, 0 or more",
        fix="mw.features.nodes_of([sae], [effect], 0.1)",
    )
    given: tuple[object, object] = (saes, effects)
    require(
        all(isinstance(some, list | tuple) for some in given)
        and all(isinstance(sae, SAE) for sae in saes)
        and all(isinstance(effect, Effect) for effect in effects)
        and [sae.digest for sae in saes] == [effect.facts.get("digest") for effect in effects],
        "Each effect is of the features of its autoencoder.",
        value=given,
        expected="a list of autoencoders, and as many effects of mw.features.sweep or attribute, "
        "in this order",
        fix="mw.features.nodes_of([sae], [mw.features.attribute(study, sae)], 0.1)",
    )
    found = []
    for sae, effect in zip(saes, effects, strict=True):
        by = effect.facts.get("by")
        mean = np.where(np.isin(effect.status, SHOWN), np.abs(effect[quantity]), 0.0)
        for place in np.argwhere(mean > size):
            unit = effect.axes["feature"][place[0]]
            at: Any = effect.axes["position"][place[1]] if len(place) > 1 else None
            # A group goes by a name of its own, which may be that of a role elsewhere.
            at = by[at] if isinstance(by, Mapping) else at
            found.append(Node(sae, None if unit == ERROR else int(unit), at))
    return found


@dataclass(frozen=True, eq=False)
class FeatureCircuit:
    """What a circuit of features keeps, on the clean prompts of every pair.

    Attributes:
        nodes: of the circuit.
        n_nodes: how many there are in all at these sites, those that are active on any prompt.
        circuit: (pair,) F(C), all other nodes at their mean.
        empty: (pair,) F(0), every node at its mean.
        model: (pair,) F(M), nothing set.
        complement: (pair,) the circuit's nodes at their mean, the others as they are.
        unit: of the metric.
        clusters: per pair the name of its cluster.
    """

    nodes: tuple[Node, ...]
    n_nodes: int
    circuit: Array
    empty: Array
    model: Array
    complement: Array
    unit: str
    clusters: tuple[str, ...] = ()

    @property
    def faithfulness(self) -> float:
        """(F(C) - F(0)) / (F(M) - F(0)), of means over pairs: 1 where the circuit does it all.

        NaN where F(M) - F(0) is too near 0 to divide by, or its interval holds 0: see ``refused``.
        """
        return self._share(self.circuit)

    @property
    def completeness(self) -> float:
        """The same of everything but the circuit: 0 where nothing was missed, NaN as there."""
        return self._share(self.complement)

    def ci(self, which: str = "faithfulness", level: float = 0.95) -> tuple[float, float]:
        """A bootstrap interval over pairs, of "faithfulness" or "completeness".

        NaN below three pairs (or clusters), or without a share.

        Args:
            which: "faithfulness" or "completeness".
            level: of the interval, between 0 and 1.

        Raises:
            MediationError: another share than these two.
        """
        kept = {"faithfulness": self.circuit, "completeness": self.complement}
        require(
            is_one_of(which, kept),
            "A circuit of features has two shares.",
            value=which,
            expected="'faithfulness' or 'completeness'",
            fix="circuit.ci('faithfulness')",
        )
        if self.refused:
            return float("nan"), float("nan")
        bottom = self.model - self.empty
        low, high = ratio_interval(kept[which] - self.empty, bottom, self.clusters, level)
        return float(low), float(high)

    def to_dataframe(self) -> pd.DataFrame:
        """A row a node."""
        rows = [(node.label(), node.sae.name, node.unit, node.position) for node in self.nodes]
        return pd.DataFrame(rows, columns=["node", "autoencoder", "feature", "position"])

    @property
    def refused(self) -> str:
        """Why there are no shares; empty where there are."""
        return refused(self.model, self.empty, self)

    def _share(self, kept: Array) -> float:
        if self.refused:
            return float("nan")
        return float((kept - self.empty).mean() / (self.model - self.empty).mean())

    def _said(self, which: str) -> str:
        low, high = self.ci(which)
        ends = f" [{low:.2f}, {high:.2f}]" if np.isfinite(low) else ""
        return f"{which} {getattr(self, which):.2f}{ends}"

    def __repr__(self) -> str:
        shares = f"{self._said('faithfulness')}, {self._said('completeness')}"
        if self.refused:
            shares = (
                f"no shares, as {self.refused}; the circuit alone {self.circuit.mean():+.2f}, "
                f"all but it {self.complement.mean():+.2f}"
            )
        return (
            f"FeatureCircuit({len(self.nodes)} of {self.n_nodes} nodes: {shares}; the model "
            f"{self.model.mean():+.2f} {self.unit}, all nodes at their mean "
            f"{self.empty.mean():+.2f}; n={len(self.model)} pairs)"
        )


def circuit(study: Study, nodes: Sequence[Node]) -> FeatureCircuit:
    """Run a circuit of features, its complement and nothing of it, on the clean prompts.

    What is not kept is set, position by position, to its mean over both prompts of all pairs:
    features to the mean code, errors to the mean error.

    Args:
        study: at least two pairs. Nodes at positions need pairs of one length, nodes at roles
            leave all other positions as they are, and nodes everywhere set all of them to one mean.
        nodes: of one or more autoencoders, each of a site of its own; of each all at positions,
            all at roles, or all everywhere.

    Raises:
        MediationError: nodes of several kinds of position or of groups, two autoencoders of one
            site, one pair.

    Source: Marks et al. 2024.
    """
    refuse_no_study(study)
    refuse_no_nodes(nodes)
    require(
        len(nodes) > 0 and len(study.contrast) > 1,
        "A circuit of features is run beside means over pairs.",
        value=f"{len(nodes)} nodes, {len(study.contrast)} pairs",
        expected="at least one node and two pairs",
        fix="mw.Study(lm, mw.tasks.ioi(lm, n=16))",
    )
    saes = list(dict.fromkeys(node.sae for node in nodes))
    require(
        len({sae.site for sae in saes}) == len(saes),
        "Two autoencoders of one site would each set all of it.",
        value=saes,
        expected="one autoencoder a site",
        fix="a circuit for each: mw.features.circuit(study, nodes_of_one)",
    )
    parts = [_Part(study, [node for node in nodes if node.sae == sae]) for sae in saes]
    kept = ["circuit", "empty", "complement"]
    cells = [{s: e for part in parts for s, e in part.ablated(which).items()} for which in kept]
    outcomes = study.engine.evaluate([Run("clean", cell) for cell in cells])
    study.admit(outcomes.bases)
    read, columns = study.metric.read, outcomes.columns
    values = dict(zip(kept, read(outcomes.kept, columns), strict=True))
    return FeatureCircuit(
        tuple(nodes),
        sum(part.n_nodes for part in parts),
        model=read(outcomes.bases[:, 0], columns),
        unit=study.metric.unit,
        clusters=clusters_of(study.contrast),
        **values,
    )


class _Part:
    """The nodes of one autoencoder, and what is left of its site without some."""

    def __init__(self, study: Study, nodes: Sequence[Node]) -> None:
        sae = nodes[0].sae
        kinds = {_kind(node) for node in nodes}
        if len(kinds) > 1:
            raise MediationError(
                "The nodes of one autoencoder are at positions, at roles, or everywhere.",
                value=", ".join(node.label() for node in nodes[:8]),
                expected="nodes of one attribution or sweep",
                fix="mw.features.nodes_of([sae], [effect], 0.1)",
            )
        (by,) = kinds
        self.cells = Cells(study, sae, by)
        self.kept = {(node.unit, node.position) for node in nodes}
        strange = [node for node in nodes if node.position not in self.cells.spots]
        require(
            not strange,
            "These pairs do not have the node's position.",
            value=strange,
            expected="one of " + ", ".join(map(str, self.cells.spots)),
            fix="nodes of an attribution by position or role, of the same study",
        )

    @property
    def n_nodes(self) -> int:
        """Features and errors that are active anywhere."""
        return int(self.cells.active.sum()) + len(self.cells.spots)

    def ablated(self, which: str) -> Edits:
        """What sets everything but the circuit, everything, or the circuit alone to its mean."""
        found = {}
        for spot in self.cells.spots:
            mine = {unit for unit, at in self.kept if at == spot}
            code, left = self.cells.mean(spot)
            units: list[int | None] = [*range(self.cells.sae.n_features), None]
            if which == "circuit":
                units = [unit for unit in units if unit not in mine]
            elif which == "complement":
                units = [unit for unit in units if unit in mine]
            if units:
                codes = {unit: float(code[unit]) for unit in units if unit is not None}
                rest = left if None in units else None
                found[self.cells.site(spot)] = clamp(self.cells.sae, codes, rest=rest)
        return found


def _kind(node: Node) -> str | None:
    if node.position is None:
        return None
    return "role" if isinstance(node.position, str) else "position"
