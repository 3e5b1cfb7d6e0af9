"""Edge attribution patching: a number for every edge from three forward passes and one backward.

The metric moves with a receiver's input; what a sender writes now less what it writes elsewhere is
how that input would change (Syed, Rager and Conmy 2023). With ``steps`` the gradient is averaged
over inputs between the two prompts (Hanna, Pezzelle and Belinkov 2024), by the left Riemann rule
k = 0 ... steps - 1, counted from the other prompt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..chunks import half_of, in_halves
from ..edits.base import Base, check_base
from ..engine import Engine
from ..errors import MediationError, is_one_of, require
from ..evaluation.shares import no_divisor
from ..groups import Group
from ..memory import budget_bytes
from ..metrics import KL, Metric
from ..plain_hooks import counted
from ..plan.frame import Ints
from ..rewiring import Ablation, Writes, prove, refuse_no_rewiring, written
from ..rewiring.evaluating import (
    others_of,
    read_rows,
    references_of,
    refuse_no_ablation,
    row_bytes,
)
from ..rewiring.slopes import reader_slopes, spread
from ..study import Study, refuse_no_study
from .edge_scores import EdgeScores

Array = NDArray[np.float64]
Number = Callable[[Tensor], Tensor]


def eap(
    study: Study,
    *,
    base: Base = "clean",
    steps: int = 1,
    by: str | None = None,
    ablation: Ablation = "resample",
) -> EdgeScores:
    """Estimate what every edge carries.

    Args:
        study: its pairs and metric.
        base: the prompts whose edges would be cut: on "clean" the estimate is of what is lost (as
            TIE), on "corrupt" of what is gained (as PIE).
        steps: 1: the gradient at the base (EAP); more: averaged over so many inputs on the way
            from the other prompt to the base (EAP-IG, inputs). Whether they were enough is in
            ``completeness`` of the result.
        by: "position" tells positions apart.
        ablation: what a cut edge would carry; ``steps`` go from the embedding of the same.

    Returns:
        Estimates, in the metric's unit; positive supports the clean behaviour.

    Raises:
        MediationError: a model whose edges cannot be told apart, a metric that moves in steps,
            pairs of unequal length under "resample", answers of several tokens.

    Source: Syed, Rager and Conmy 2023; with ``steps`` Hanna, Pezzelle and Belinkov 2024 (EAP-IG).
    """
    refuse_no_study(study)
    engine, metric = study.engine, study.metric
    refuse_no_rewiring(engine.lm)
    check_base(base)
    refuse_no_ablation(engine, ablation)
    _refuse_flat(metric, base)
    _check(steps, by, study)
    began = time.perf_counter()
    gradients = _Gradients(engine, metric, base, steps, by is not None, ablation)
    total = study.total
    y11, y00 = total.scores(total.bases).T
    prove(engine, base)
    with counted(engine.lm) as cost:
        values = gradients.values()
    return EdgeScores(
        metric=metric.name,
        total=float(total["TE"]),
        method="EAP" if steps == 1 else f"EAP-IG ({steps} steps)",
        base=base,
        values=values if base == "clean" else -values,
        wiring=engine.lm.wiring,
        positions=study.position_names if by else (),
        unit=metric.unit,
        ablation=ablation,
        passes=cost.passes,
        backward=gradients.backward,
        rows=cost.rows,
        seconds=time.perf_counter() - began,
        options={"steps": steps},
        refused=no_divisor(y11, y00, total.clusters, "TE", metric.unit),
    )


@dataclass
class _Gradients:
    """The passes behind the scores of one base's edges."""

    engine: Engine
    metric: Metric
    base: Base
    steps: int
    by_position: bool
    ablation: Ablation
    backward: int = 0

    def values(self) -> Array:
        """(pair, sender, receiver[, position]) by how much the metric would fall."""
        engine = self.engine
        reach = engine.lm.wiring.reach
        places = (engine.groups[0].frame.n_positions,) if self.by_position else ()
        values = np.zeros((len(engine.pairs), *reach.shape, *places))
        for group in engine.groups:
            if self.base in group.frame.bases:
                self._add(group, values)
        values[:, ~reach] = np.nan
        return values

    def _add(self, group: Group, values: Array) -> None:
        lm = self.engine.lm
        others = others_of(self.engine, group, self.base, self.ablation)
        fixed = references_of(lm, group)
        ids = group.ids[group.frame.bases.index(self.base)]

        def do(strands: Ints) -> Array:
            index = torch.from_numpy(strands).to(lm.device)
            instead = others if len(others.start) == 1 else others.of(index)
            number = _number(self.metric, group, index, fixed, self.engine.columns)
            return self._carried(ids[index], instead, group.frame.read_at, number)

        parts = np.array_split(np.arange(len(ids)), self._n_parts(group))
        for strands, found in in_halves(parts, do, half_of, group.frame.n_positions):
            values[group.members[strands]] += found

    def _carried(
        self, ids: Tensor, instead: Writes, reads: tuple[int, ...], number: Number
    ) -> Array:
        """Gradient times change: (strand, sender, receiver[, position])."""
        lm = self.engine.lm
        with torch.inference_mode(mode=False), torch.no_grad():
            own = written(lm, ids)
            total = torch.zeros(())
            for step in range(self.steps):
                share = step / self.steps if self.steps > 1 else 1.0
                start = torch.lerp(instead.start.expand_as(own.start), own.start, share)
                total = total + reader_slopes(lm, ids, start, reads, number)
                self.backward += 1
            change = spread(lm, own, instead)
            formula = "nspd,rnpd->nsrp" if self.by_position else "nspd,rnpd->nsr"
            carried = torch.einsum(formula, change, total / self.steps)
        return carried.double().cpu().numpy()

    def _n_parts(self, group: Group) -> int:
        """In how many chunks: every receiver's input is kept, and its gradient."""
        lm, frame = self.engine.lm, group.frame
        free = budget_bytes(lm.device) if self.engine.budget is None else self.engine.budget
        size = torch.empty((), dtype=lm.dtype).element_size()
        inputs = (6 * len(lm.wiring.receivers) + len(lm.wiring.senders)) * lm.d_model
        each = row_bytes(lm, frame.n_positions, len(frame.read_at))
        each += size * inputs * frame.n_positions
        return -(-len(group.members) // max(1, free // each))


def _number(
    metric: Metric,
    group: Group,
    index: Tensor,
    fixed: tuple[Tensor, Tensor] | None,
    columns: tuple[str, ...],
) -> Number:
    """What is differentiated: the sum over rows of what moves their pair's metric there."""

    def number(logits: Tensor) -> Tensor:
        kept = read_rows(logits, group, index, fixed)
        seen = kept.detach().double().cpu().numpy()
        at = {name: columns.index(name) for name in metric.columns}
        slopes = np.zeros_like(seen)
        for name, slope in metric.slopes({n: seen[:, k] for n, k in at.items()}).items():
            slopes[:, at[name]] = slope
        weights = torch.from_numpy(slopes).to(kept)
        return (torch.where(weights == 0, 0.0, kept) * weights).sum()

    return number


def _refuse_flat(metric: Metric, base: Base) -> None:
    """Raise where the metric is at its lowest on the base, so that it has no slope there."""
    if isinstance(metric, KL) and metric.base == base:
        raise MediationError(
            "The divergence from a prompt's own distribution has no slope at that prompt.",
            value=f"KL({metric.base!r}) with base={base!r}",
            expected="another metric, or the other base",
            fix="study.metric = mw.LogitDiff(), or mw.search.exact_edges(study)",
        )


def _check(steps: Any, by: str | None, study: Study) -> None:
    require(
        isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1,
        "Gradients are taken at a number of inputs.",
        value=steps,
        expected="1 for EAP, more for EAP-IG (5 to 30 are usual)",
        fix="mw.search.eap(study, steps=10)",
    )
    require(
        by is None or is_one_of(by, ("position",)),
        "Edges are told apart by position, or not.",
        value=by,
        expected="None or 'position'",
        fix="mw.search.eap(study, by='position')",
    )
    if by and not study.position_names:
        raise MediationError(
            "Prompts of several lengths have no common positions.",
            value=", ".join(sorted({str(len(pair)) for pair in study.token_pairs})) + " tokens",
            expected="a contrast whose prompts are all of one length",
            fix="mw.search.eap(study), over all positions",
        )
    study.metric.refuse_missing(study.engine.columns)
    if any(group.gives != "both" for group in study.engine.groups):
        raise MediationError(
            "Edges are not estimated for answers of several tokens.",
            value=study.contrast.name or "a contrast with such answers",
            expected="answers of one token",
            fix="give single tokens, or cut the edges: mw.search.exact_edges(study)",
        )
