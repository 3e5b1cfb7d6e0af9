"""Sets of edges exchanged on both prompts, as an effect with four corners."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import agreement, broken, withheld
from ..edits import Patch
from ..edits.base import BASES
from ..effects import Effect
from ..outcomes import Outcomes
from ..plain import plain_run
from ..precision import logits_of, tolerance
from ..results import Axes, assemble, facts
from ..rewiring import Bench, masks_of
from ..runs import Run
from ..statistics import clusters_of, groups_of
from ..validity import Check, premises

if TYPE_CHECKING:
    from ..study import Study

Edges = Sequence[tuple[int, int]]
"""Senders and receivers, by their places in the wiring."""


def edge_effect(
    study: Study,
    cells: Sequence[Edges],
    axes: Axes,
    labels: tuple[str, ...],
    told: Mapping[str, Any],
    *,
    hold_norm: bool = False,
) -> Effect:
    """What cutting each cell's edges does: TIE on the clean prompts, PIE on the corrupt ones.

    Args:
        study: its pairs and metric; a cut edge carries the sender's write on the other prompt.
        cells: in row-major order of the axes.
        axes: of the effect.
        labels: a name per cell.
        told: what a reader must know of the runs.
        hold_norm: as in ``rewiring.Pass``.
    """
    outcomes = _run(study, cells, hold_norm=hold_norm)
    effect = replace(
        assemble(outcomes, axes, Patch(), study.metric),
        labels=labels,
        facts=facts(study.lm, study.contrast, outcomes) | dict(told),
        clusters=clusters_of(study.contrast),
        groups=groups_of(study.contrast),
    )
    proven = _proofs(study, outcomes)
    checks = (
        *premises(outcomes.bases, study.metric.over(outcomes.columns)),
        *broken(effect, "the model overflows there"),
        *proven,
    )
    return withheld(replace(effect, checks=checks), proven)


def _proofs(study: Study, outcomes: Outcomes) -> list[Check]:
    """Rewired passes against plain ones: with nothing cut, and with every edge cut.

    Cut from everything on the corrupt prompt, all readers see the clean prompt's writes, so that it
    comes to the clean prompt's logits. What they show is said with the effect, so benches of
    their own do without.
    """
    engine = study.engine
    bases = logits_of(outcomes.bases, outcomes.columns)
    allowed = tolerance(engine.lm, bases)
    slow = np.stack([plain_run(engine, Run(base)) for base in BASES])
    same = float(np.abs(bases[0] - logits_of(slow, outcomes.columns)).max())
    gaps = []
    for at, base in enumerate(BASES):
        keep = np.zeros((1, *study.lm.wiring.reach.shape), dtype=np.float32)
        cut = Bench(engine, base, prove=False).job(masks_of(keep), 1).result()[0]
        gaps.append(float(np.abs(logits_of(cut, outcomes.columns) - bases[:, 1 - at]).max()))
    whole = "The first pair rewired with nothing cut, beside a plain forward pass,"
    every = "Cutting every edge"
    return [
        agreement("plain forward", whole, "the same logits", same, allowed),
        agreement("full cut", every, "the other prompt's logits", max(gaps), allowed),
    ]


def _run(study: Study, cells: Sequence[Edges], *, hold_norm: bool) -> Outcomes:
    """Per cell the corrupt and the clean prompt with its edges exchanged, and both as they are."""
    engine, began = study.engine, time.perf_counter()
    passes: list[int] = []
    outcomes = Outcomes.empty(2 * len(cells), len(engine.pairs), engine.columns)
    for at, base in enumerate(BASES):
        keep = np.ones((1 + len(cells), *study.lm.wiring.reach.shape), dtype=np.float32)
        for cell, edges in enumerate(cells, 1):
            senders, receivers = zip(*edges, strict=True)
            keep[cell, senders, receivers] = 0
        bench = Bench(engine, base, hold_norm=hold_norm, prove=False)
        job = bench.job(masks_of(keep), len(keep))
        job.watch(lambda one: None if one.finished else passes.append(one.done))
        found = job.result()
        outcomes.bases[:, at] = found[0]
        # Of the two runs of a cell the first is on the corrupt base.
        outcomes.kept[1 - at :: 2] = found[1:]
    outcomes.implied[:] = False
    outcomes.passes, outcomes.rows = len(passes), 2 * (1 + len(cells)) * len(engine.pairs)
    outcomes.seconds = time.perf_counter() - began
    return outcomes
