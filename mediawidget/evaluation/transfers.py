"""Circuits on other prompts than they were found on, and what their absence does to other tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..circuit import NODES, Circuit
from ..errors import require
from ..prompts import Contrast
from ..sites import Site
from ..statistics import mean_interval
from ..statistics.resampling import refuse_no_flag
from ..study import Study, refuse_no_study
from .faithful import Faithfulness
from .shares import ratio_interval, refused
from .stable import jaccard
from .values import (
    Ablation,
    Array,
    CircuitValues,
    Rest,
    Terms,
    refuse_no_candidates,
    refuse_no_circuit,
)
from .ways import values_of

Finder = Callable[[Study], Circuit]


@dataclass(frozen=True, eq=False)
class Transfer:
    """Circuits found on some pairs, evaluated on others.

    That two circuits share few nodes does not make them two mechanisms: one mechanism may have
    interchangeable parts (backups), and a search keeps one of them. Only low faithfulness on the
    other's pairs says that a circuit does not do the other's work.

    Attributes:
        found_on: names of what the circuits were found on.
        tested_on: names of what they are tested on.
        circuits: the circuits, in the order of ``found_on``.
        results: (found on, tested on) ``Faithfulness``.
    """

    found_on: tuple[str, ...]
    tested_on: tuple[str, ...]
    circuits: tuple[Circuit, ...]
    results: tuple[tuple[Faithfulness, ...], ...]

    @property
    def normalized(self) -> Array:
        """(found on, tested on) normalised faithfulness; NaN where there is nothing to share."""
        return np.array([[_share(one) for one in row] for row in self.results])

    @property
    def gaps(self) -> Array:
        """(found on, tested on) |F(M) - F(C)|, in the unit."""
        return np.array([[one.gap for one in row] for row in self.results])

    @property
    def jaccard(self) -> Array:
        """(found on, found on) the share of both circuits' nodes (or edges) that they share."""
        sets = [c.nodes if c.edges is None else c.edges for c in self.circuits]
        return np.array([[jaccard(a, b) for b in sets] for a in sets])

    def to_dataframe(self) -> pd.DataFrame:
        """A row per circuit and what it is tested on."""
        shares = self.normalized
        rows = [
            (a, b, self.circuits[i].size, self.results[i][j].gap, shares[i, j])
            for i, a in enumerate(self.found_on)
            for j, b in enumerate(self.tested_on)
        ]
        return pd.DataFrame(rows, columns=["found on", "tested on", "size", "gap", "normalized"])

    def __repr__(self) -> str:
        terms = self.results[0][0].terms
        shares = self.normalized
        least = np.nan if np.isnan(shares).all() else np.nanmin(shares)
        return (
            f"Transfer({len(self.found_on)} circuits on {len(self.tested_on)} contrasts; least "
            f"normalised {least:.3f}; {terms.mode} mode, {terms.ablation} ablation over "
            f"{' and '.join(terms.over)}; {terms.metric})"
        )


def transfer(
    studies: Mapping[str, Study],
    find: Finder | Mapping[str, Circuit],
    *,
    ablation: Ablation = "resample",
    over: Sequence[str] = NODES,
    values: Callable[[Study], CircuitValues] | None = None,
) -> Transfer:
    """Find a circuit on each contrast and test it on all: an experiment per contrast.

    Args:
        studies: by name. ``by_template`` makes one for each template of a study; studies of
            models of several seeds are a matrix of seeds.
        find: the search, from a study to a circuit, or circuits that were found, by name.
        ablation: what is set outside, as ``NodeValues`` has it.
        over: the kinds of component that are candidates.
        values: another way to evaluate circuits, made for each study.

    Raises:
        MediationError: no studies, or what the search or ``values`` raises.
    """
    _refuse_no_studies(studies)
    _refuse_no_way(values)
    given: Any = find
    require(
        callable(given) or (isinstance(given, Mapping) and len(given) > 0),
        "Circuits are found by a function, or given by name.",
        value=given,
        expected="a function of a study, or {name: Circuit}",
        fix="lambda study: mw.search.eap(study).circuit(40)",
    )
    made = find if isinstance(find, Mapping) else {name: find(s) for name, s in studies.items()}
    circuits = tuple(made.values())
    columns = []
    for study in studies.values():
        way = None if values is None else values(study)
        way = values_of(study, ablation, over, way, circuits)
        *kept, model, empty = way([*circuits, way.full, way.empty])
        both = zip(circuits, kept, strict=True)
        columns.append([Faithfulness(c, k, model, empty, way.terms) for c, k in both])
    return Transfer(tuple(made), tuple(studies), circuits, tuple(zip(*columns, strict=True)))


def by_template(study: Study) -> dict[str, Study]:
    """A study of the same question for the pairs of each template, by template.

    Raises:
        MediationError: no study, or pairs without templates.
    """
    refuse_no_study(study)
    pairs = list(study.contrast)
    require(
        all(pair.template for pair in pairs),
        "These pairs name no templates.",
        value=study,
        expected="PromptPair(..., template='When {A} and {B} went')",
        fix="mw.tasks.ioi(lm, n=64) names them",
    )
    found: dict[str, Study] = {}
    for name in dict.fromkeys(pair.template for pair in pairs):
        some = Contrast([pair for pair in pairs if pair.template == name], name)
        found[name] = Study(study.lm, some, study.metric, study.edit, study.readout)
    return found


@dataclass(frozen=True, eq=False)
class SideEffects:
    """What ablating a circuit takes away from each task.

    Attributes:
        circuit: whose nodes were ablated.
        nodes: these, where they were ablated.
        tasks: names.
        broken: per task (pair,) m(M without C).
        model: per task (pair,) m(M).
        total: per task (pair,) TE = Y11 - Y00.
        terms: per task mode, ablation, metric, n.
    """

    circuit: Circuit
    nodes: frozenset[Site]
    tasks: tuple[str, ...]
    broken: tuple[Array, ...]
    model: tuple[Array, ...]
    total: tuple[Array, ...]
    terms: tuple[Terms, ...]

    @property
    def lost(self) -> Array:
        """(task,) (m(M) - m(M without C)) / TE, a ratio of means; NaN where TE is near 0.

        1: all that tells the two prompts apart is gone. Under "zero" and "mean" it may be more.
        """
        return np.array([row["lost"] for row in self._rows()])

    def to_dataframe(self) -> pd.DataFrame:
        """A row per task: n, means, the loss in its unit with interval, and the share of TE."""
        return pd.DataFrame(self._rows())

    def _rows(self) -> list[dict[str, object]]:
        rows = []
        each = zip(self.tasks, self.broken, self.model, self.total, self.terms, strict=True)
        for task, broken, model, total, terms in each:
            loss = model - broken
            ends = mean_interval(loss, terms.clusters, 0.95)
            none = bool(refused(total, np.zeros_like(total), terms))
            share = np.nan if none else float(loss.mean() / total.mean())
            low, high = [np.nan] * 2 if none else ratio_interval(loss, total, terms.clusters)
            row = {"task": task, "n": terms.n_pairs, "unit": terms.unit, "model": model.mean()}
            row |= {"broken": broken.mean(), "loss": loss.mean(), "low": ends[0], "high": ends[1]}
            rows.append(
                row | {"TE": total.mean(), "lost": share, "lost low": low, "lost high": high}
            )
        return rows

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{task} {'no TE' if np.isnan(share) else f'{share:.0%}'}"
            for task, share in zip(self.tasks, self.lost, strict=True)
        )
        named = f"{self.circuit.name}, " if self.circuit.name else ""
        how = f"{self.terms[0].mode} mode, {self.terms[0].ablation} ablation"
        n = len(self.nodes)
        gone = f"{n} node{'s' * (n != 1)} ablated"
        if self.circuit.edges is not None:
            gone += ", with all that they write and not the circuit's edges alone"
        return f"SideEffects({named}{gone}: TE lost {shares}; {how})"


def side_effects(
    circuit: Circuit,
    studies: Mapping[str, Study],
    *,
    everywhere: bool = False,
    ablation: Ablation = "mean",
    over: Sequence[str] = NODES,
    values: Callable[[Study], CircuitValues] | None = None,
) -> SideEffects:
    """Ablate a circuit's nodes in the whole network, on every task: an experiment per task.

    Args:
        circuit: whose nodes are ablated, all else being as it is.
        studies: by name, the circuit's own task among them for comparison.
        everywhere: ablate the nodes at all positions, where the tasks lack the circuit's roles.
        ablation: what they are set to. Under "resample" only what tells the task's two prompts
            apart can be lost, so "mean" is the default here.
        over: the kinds of component of which nodes are ablated.
        values: another way to evaluate circuits, made for each study.

    Raises:
        MediationError: no studies, roles that the pairs of a task do not have, nodes that are no
            candidates; no circuit.
    """
    _refuse_no_studies(studies)
    _refuse_no_way(values)
    refuse_no_circuit(circuit)
    refuse_no_flag("everywhere", everywhere)
    nodes = circuit.nodes
    if everywhere:
        nodes = frozenset(replace(node, position=None) for node in nodes)
    parts = []
    for study in studies.values():
        way = None if values is None else values(study)
        way = values_of(study, ablation, over, way, [Circuit(circuit.nodes)])
        refuse_no_candidates(nodes, way)
        broken, model = way([Rest(nodes), way.full])
        parts.append((broken, model, study.total.pairs("TE"), way.terms))
    broken_, models, totals, terms = zip(*parts, strict=True)
    return SideEffects(circuit, nodes, tuple(studies), broken_, models, totals, terms)


def _share(one: Faithfulness) -> float:
    """Normalised faithfulness, NaN where it is refused."""
    return float("nan") if refused(one.model, one.empty, one.terms) else one.normalized


def _refuse_no_way(values: object) -> None:
    require(
        values is None or callable(values),
        "Another way to evaluate circuits is made for each study.",
        value=values,
        expected="a function from a study to CircuitValues, or None",
        fix="values=lambda study: mw.evaluation.NodeValues(study, 'zero')",
    )


def _refuse_no_studies(studies: object) -> None:
    require(
        isinstance(studies, Mapping)
        and len(studies) > 0
        and all(isinstance(study, Study) for study in studies.values()),
        "Circuits are tested on studies, by name.",
        value=studies,
        expected="{'ioi': study, ...}",
        fix="mw.evaluation.by_template(study), or {'ioi': study, 'greater-than': other}",
    )
