"""Every edge cut by itself: what estimates of edges are estimates of."""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from ..edits.base import Base
from ..groups import Group
from ..plain_hooks import counted
from ..plan.frame import Ints
from ..rewiring import Ablation, Bench
from ..study import Study, refuse_no_study
from .edge_scores import EdgeScores

Kept = NDArray[np.float32]


def exact_edges(
    study: Study,
    *,
    base: Base = "clean",
    ablation: Ablation = "resample",
    progress: bool = True,
) -> EdgeScores:
    """What every edge carries: the metric with and without it, all that follows recomputed.

    A run for every edge and pair, so its cost grows with the square of the number of components;
    ``eap`` estimates the same.

    Args:
        study: its pairs and metric.
        base: the prompts whose edges are cut: "clean" shows what is lost (as TIE), "corrupt" what
            is gained (as PIE).
        ablation: what a cut edge carries.
        progress: whether to show a bar.

    Raises:
        MediationError: a model whose edges cannot be told apart, pairs of unequal length under
            "resample".
    """
    refuse_no_study(study)
    began, engine = time.perf_counter(), study.engine
    wiring = engine.lm.wiring
    # By receiver: a chunk's wirings are one run up to the block of the first.
    where = np.argwhere(wiring.reach.T)[:, ::-1]

    def masks(_: Group, wirings: Ints) -> Kept:
        """The whole network first, then an edge cut in each."""
        keep = np.ones((len(wirings), *wiring.reach.shape), dtype=np.float32)
        cut = np.flatnonzero(wirings > 0)
        edges = where[wirings[cut] - 1]
        keep[cut, edges[:, 0], edges[:, 1]] = 0
        return keep

    bench = Bench(engine, base, ablation)
    with counted(engine.lm) as cost:
        job = bench.job(masks, 1 + len(where))
        kept = job.result(progress=progress)
    metric = study.metric.read(kept, engine.columns)
    values = np.full((len(engine.pairs), *wiring.reach.shape), np.nan)
    lost = metric[0] - metric[1:]
    values[:, where[:, 0], where[:, 1]] = (lost if base == "clean" else -lost).T
    return EdgeScores(
        method="exact",
        metric=study.metric.name,
        total=float(study.total["TE"]),
        base=base,
        values=values,
        wiring=wiring,
        exact=True,
        unit=study.metric.unit,
        ablation=ablation,
        passes=cost.passes - bench.proofs,
        rows=job.total,
        seconds=time.perf_counter() - began,
    )
