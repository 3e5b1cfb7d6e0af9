"""ACDC: edges are cut one after another, from the logits back, where that costs little.

An edge is cut for good if the loss rises by less than a threshold (Conmy et al. 2023). What is cut
decides what the next test is held against, so the order matters: of two inputs either of which
would do, the one that is tested first goes and the other is kept.

Most tests end in a cut. So of the next edges one pass holds as many wirings as there are edges:
the first cut, the first two cut, and so on. It is what one test after another would have found up
to the first edge that stays, and there the next pass begins.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from ..engine import Engine
from ..errors import MediationError, is_one_of, require
from ..jobs import Job
from ..metrics import KL
from ..rewiring import Ablation, Bench, masks_of
from ..statistics.resampling import refuse_no_flag
from ..study import Study, refuse_no_study
from ..validity import too_near_zero
from .pruned import Loss, Pruned

Array = NDArray[np.float64]

AHEAD = 32
"""Edges that one pass tests at most, per threshold."""


@overload
def acdc(
    study: Study,
    thresholds: float | Sequence[float] = ...,
    *,
    loss: Loss = ...,
    ablation: Ablation = ...,
    progress: bool = ...,
    start: Literal[False] = ...,
) -> Pruned: ...
@overload
def acdc(
    study: Study,
    thresholds: float | Sequence[float] = ...,
    *,
    loss: Loss = ...,
    ablation: Ablation = ...,
    progress: bool = ...,
    start: Literal[True],
) -> Job[Pruned]: ...
def acdc(
    study: Study,
    thresholds: float | Sequence[float] = 0.05,
    *,
    loss: Loss = "kl",
    ablation: Ablation = "resample",
    progress: bool = True,
    start: bool = False,
) -> Pruned | Job[Pruned]:
    """Find a circuit by cutting every edge that is not missed (Conmy et al. 2023).

    Receivers are gone through from the logits back, and the senders of each from the last to the
    first. Several thresholds are searched together.

    Args:
        study: its pairs, and its metric where that is the loss.
        thresholds: by how much the loss may rise for one edge, in its unit.
        loss: "kl": KL(uncut || cut) of the next token in nats; "metric": how far the study's metric
            moves from its value on the clean prompts towards that on the corrupt ones. The other
            way counts as no loss, so that what opposes the answer is cut for nothing, and may make
            up for what is missing: look at completeness too.
        ablation: what a cut edge carries.
        progress: whether to show a bar.
        start: hand back the running job: ``so_far()``, ``cancel()``, ``result()``.

    Raises:
        MediationError: a model whose edges cannot be told apart, pairs of unequal length under
            "resample", no threshold or one below 0.
    """
    refuse_no_study(study)
    levels = _levels(thresholds)
    require(
        is_one_of(loss, ("kl", "metric")),
        "What a cut costs is read off the next token or by the metric.",
        value=loss,
        expected="'kl' or 'metric'",
        fix="mw.search.acdc(study, 0.05, loss='kl')",
    )
    refuse_no_flag("start", start)
    search = _Search(_bench(study, loss, ablation), study, levels, loss)
    job = Job(search.steps(), search.n_edges * len(levels), search.found)
    return job if start else job.result(progress=progress)


def _levels(thresholds: float | Sequence[float]) -> tuple[float, ...]:
    given: Any = thresholds
    try:
        several = np.atleast_1d(np.asarray(given, dtype=float)).ravel()
    except (OverflowError, TypeError, ValueError):
        several = np.zeros(0)
    if not len(several) or not (np.isfinite(several) & (several >= 0)).all():
        raise MediationError(
            "A threshold is what an edge may cost.",
            value=repr(thresholds),
            expected="a number of at least 0, or several",
            fix="mw.search.acdc(study, thresholds=[0.01, 0.1, 1.0])",
        )
    return tuple(sorted(set(several.tolist())))


def _toward(study: Study) -> float:
    """1 where the metric is higher on the clean prompts, -1 where it is lower.

    Raises:
        MediationError: it is neither.
    """
    high, low = float(study.total["Y11"]), float(study.total["Y00"])
    if too_near_zero(high, low):
        raise MediationError(
            "The metric does not tell clean prompts from corrupt ones.",
            value=f"{high:+.3g} and {low:+.3g} {study.metric.unit}",
            expected="a total effect that is not near 0",
            fix="mw.search.acdc(study, 0.05, loss='kl')",
        )
    return float(np.sign(high - low))


def _bench(study: Study, loss: Loss, ablation: Ablation) -> Bench:
    engine = study.engine
    if loss == "kl":
        columns = KL("clean").columns
        engine = Engine(engine.lm, engine.pairs, engine.budget, roles=engine.roles, columns=columns)
    return Bench(engine, "clean", ablation)


@dataclass
class _Level:
    """One threshold's search.

    Attributes:
        keep: (sender, receiver) 1 where an edge is still there.
        place: of the next edge in the order of tests.
        cost: of ``keep``, the mean over pairs.
        ahead: how many edges the next pass tests.
        tested: places of those that this pass tests.
    """

    threshold: float
    keep: Array
    cost: float
    place: int = 0
    ahead: int = 4
    tested: list[int] = field(default_factory=list)


class _Search:
    def __init__(self, bench: Bench, study: Study, levels: tuple[float, ...], loss: Loss) -> None:
        self.bench, self.loss = bench, loss
        self.metric = KL("clean") if loss == "kl" else study.metric
        self.wiring = bench.engine.lm.wiring
        reach = self.wiring.reach
        # From the logits back, and for each receiver from the last sender to the first.
        self.order = [(s, r) for r, s in np.argwhere(reach.T)[::-1].tolist()]
        self.n_edges = len(self.order)
        self._owners = [
            [
                i
                for i, node in enumerate(self.wiring.senders)
                if receiver in self.wiring.inputs(node)
            ]
            for receiver in range(len(self.wiring.receivers))
        ]
        self.levels = [_Level(level, reach.astype(float), 0.0) for level in levels]
        self.toward = _toward(study) if loss == "metric" else 1.0
        self.passes = self.rows = self.tests = 0
        self.began = time.perf_counter()
        self.whole: float | None = None

    def steps(self) -> Iterator[int]:
        """One batch a step; yields how many edges it settled."""
        self.whole = self._values(self.wiring.reach[None].astype(float))[0]
        for level in self.levels:
            level.cost = self._cost(self.whole)
        while any(level.place < self.n_edges for level in self.levels):
            before = sum(level.place for level in self.levels)
            self._test([level for level in self.levels if level.place < self.n_edges])
            yield sum(level.place for level in self.levels) - before

    def found(self) -> Pruned:
        """What is left so far."""
        return Pruned(
            thresholds=tuple(level.threshold for level in self.levels),
            keep=np.stack([level.keep > 0 for level in self.levels]),
            losses=tuple(level.cost for level in self.levels),
            wiring=self.wiring,
            loss=self.loss,
            unit=self.metric.unit,
            metric=self.metric.name,
            ablation=self.bench.ablation,
            finished=all(level.place == self.n_edges for level in self.levels),
            tests=self.tests,
            passes=self.passes,
            rows=self.rows,
            seconds=time.perf_counter() - self.began,
        )

    def _test(self, levels: Sequence[_Level]) -> None:
        """One pass over the next edges of every search that is not at its end."""
        asked = [(level, self._next(level)) for level in levels]
        tried = [np.concatenate(trials) for _, trials in asked if len(trials)]
        values = self._values(np.concatenate(tried)) if tried else np.zeros(0)
        for level, trials in asked:
            self._settle(level, values[: len(trials)])
            values = values[len(trials) :]

    def _next(self, level: _Level) -> list[Array]:
        """Cut what nothing reads; then the wirings with one more edge cut each."""
        level.tested = []
        trials: list[Array] = []
        keep = level.keep.copy()
        for place in range(level.place, self.n_edges):
            sender, receiver = self.order[place]
            if not self._heard(keep, receiver):
                if not trials:
                    level.keep[sender, receiver] = 0
                    level.place = place + 1
                keep[sender, receiver] = 0
                continue
            if len(trials) == level.ahead:
                break
            keep[sender, receiver] = 0
            trials.append(keep[None].copy())
            level.tested.append(place)
        return trials

    def _heard(self, keep: Array, receiver: int) -> bool:
        """Whether anything still reads what a receiver's component writes."""
        if receiver == len(self.wiring.receivers) - 1:
            return True
        return bool(keep[self._owners[receiver]].any())

    def _settle(self, level: _Level, values: Array) -> None:
        """Cut up to the first edge that is missed."""
        for place, value in zip(level.tested, values.tolist(), strict=True):
            cost = self._cost(value)
            self.tests += 1
            for sender, receiver in self.order[level.place : place]:
                level.keep[sender, receiver] = 0  # nothing read them
            level.place = place + 1
            if cost - level.cost >= level.threshold:
                level.ahead = max(1, level.ahead // 2)
                return
            sender, receiver = self.order[place]
            level.keep[sender, receiver] = 0
            level.cost = cost
        if level.tested:
            level.ahead = min(AHEAD, 2 * level.ahead)

    def _cost(self, value: float) -> float:
        if self.loss == "kl":
            return value
        assert self.whole is not None
        return max(0.0, self.toward * (self.whole - value))

    def _values(self, keep: Array) -> Array:
        """(wiring,) the mean over pairs of what is read."""
        engine = self.bench.engine
        kept = self.bench.job(masks_of(keep), len(keep)).result()
        self.passes += 1
        self.rows += len(keep)
        return np.asarray(self.metric.read(kept, engine.columns).mean(axis=1))
