"""Differentiable masks: a gate for every node or edge, trained to keep what the network does.

Gates are hard concrete (Louizos et al. 2018), so most end at 0 or 1 and a penalty on how many are
open has a gradient; subnetworks are found so by Cao et al. 2021, edges by Bhaskar et al. 2024. What
is reported is of the rounded circuit, run exactly.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import pandas as pd
import torch
from torch import Tensor

from ..circuit import NODES, Circuit
from ..edits.base import BASES, Base, as_number
from ..errors import is_one_of, require
from ..evaluation.faithful import Faithfulness
from ..evaluation.values import Terms
from ..filing import weights_changed
from ..jobs import Job
from ..lm import LM
from ..mediators import mediator_named
from ..rewiring import Ablation
from ..statistics import cluster_codes, clusters_of, refuse_no_seed
from ..study import Study, refuse_no_study
from .mask_gates import expected_open, settled
from .mask_goals import Goal, Keep
from .mask_passes import Edges, Masking, Nodes
from .mask_result import THRESHOLD, Ended, Masked
from .pair_splits import Numbers, Split, split

Over = str | Sequence[str]

START = {"node": 2.0, "edge": 4.0}
"""Logits at the start, nearly open: with many edges half shut at random nothing is left to keep."""

PATIENCE = 40
"""Steps in which the rounded circuit stays the same, after which it is taken for final."""

DECIDED = 2.0
"""Logits further from 0 than this: of two nodes of which one is needed, one still has to go."""


def masks(  # noqa: PLR0913 - all but the first are named
    study: Study,
    over: Over = NODES,
    *,
    sparsity: float = 1.0,
    steps: int = 400,
    seed: int = 0,
    base: Base = "clean",
    ablation: Ablation = "resample",
    keep: Keep = "metric",
    train_on: Split = None,
    report_on: Sequence[int] | None = None,
    rate: float = 0.1,
    progress: bool = True,
) -> Masked:
    """Train which nodes or edges are needed.

    The loss of a draw is the mean square of what the metric changes, as a part of that of the empty
    circuit; added is ``sparsity`` times the expected part of the elements that is open. So with a
    sparsity of 1 a network of N elements keeps one if without it the loss rises by more than 1/N.

    Args:
        study: its pairs and metric.
        over: "head", "mlp_out", both, or "edge". The embedding and the logits are always kept.
        sparsity: how much it costs to keep everything.
        steps: of Adam, at most: fewer if the rounded circuit has stayed the same for 40
            and nearly all gates are decided.
        seed: of the draws of the gates, and of the pairs that train.
        base: the prompts that are read.
        ablation: what is written in place of what is not kept, as for circuits.
        keep: "metric": what the metric is on the whole network; "kl": its distribution over next
            tokens, KL(network || masked), also as a part of the empty circuit's.
        train_on: numbers of the pairs that train, "half" of them, or None: half where there are
            several independent ones, else all.
        report_on: numbers of those that the rounded circuit is evaluated on; default the others.
        rate: learning rate, in logits a step.
        progress: whether to show a bar.

    Raises:
        MediationError: unknown elements, a metric without a slope, a model that gives no
            gradients or, over edges, cannot be rewired; pairs of unequal length under "resample";
            answers of several tokens; prompts of which nothing is lost with everything.

    Source: Louizos et al. 2018 (the gates), Cao et al. 2021 (nodes), Bhaskar et al. 2024 (edges).

    Example:
        >>> found = mw.search.masks(study, over="head", seed=1)
        >>> found.circuit(), found.faithfulness.normalized
    """
    job = masks_job(
        study,
        over,
        sparsity=sparsity,
        steps=steps,
        seed=seed,
        base=base,
        ablation=ablation,
        keep=keep,
        train_on=train_on,
        report_on=report_on,
        rate=rate,
    )
    return job.result(progress)


def masks_job(  # noqa: PLR0913 - all but the first are named
    study: Study,
    over: Over = NODES,
    *,
    sparsity: float = 1.0,
    steps: int = 400,
    seed: int = 0,
    base: Base = "clean",
    ablation: Ablation = "resample",
    keep: Keep = "metric",
    train_on: Split = None,
    report_on: Sequence[int] | None = None,
    rate: float = 0.1,
) -> Job[Masked]:
    """``masks``, not yet started; cancelled, it is what was trained so far, rounded and run.

    Arguments and errors as for ``masks``.
    """
    refuse_no_study(study)
    _refuse_no_numbers(sparsity, steps, rate)
    refuse_no_seed(seed, torch=True)
    for name, value, kinds in (("base", base, BASES), ("keep", keep, get_args(Keep))):
        require(
            is_one_of(value, kinds),
            "There is no such way to train a mask.",
            value=f"{name}={value!r}",
            expected=" or ".join(map(repr, kinds)),
            fix=f"mw.search.masks(study, {name}={kinds[0]!r})",
        )
    masking = _masking(study.lm, over)
    n = len(study.contrast)
    alone = len(set(cluster_codes(clusters_of(study.contrast), n).tolist())) < 2
    pairs = split(study, "half" if train_on is None and not alone else train_on, report_on, seed)
    goal = Goal(study.engine, study.metric, masking, base, ablation, keep, pairs[0])
    training = _Training(study, masking, goal, sparsity, rate, seed, pairs)
    return Job(training.steps(steps), steps * len(pairs[0]), training.result)


def _masking(lm: LM, over: Over) -> Masking:
    kinds: Any = (over,) if isinstance(over, str) else over
    if isinstance(kinds, list | tuple) and tuple(kinds) == ("edge",):
        return Edges(lm)
    require(
        isinstance(kinds, list | tuple) and len(kinds) > 0 and all(kind in NODES for kind in kinds),
        "Masks are over heads, MLPs, or edges.",
        value=over,
        expected="'head', 'mlp_out', both of them, or 'edge'",
        fix="mw.search.masks(study, over='head')",
    )
    there = tuple(k for k in NODES if k in kinds and lm.has(mediator_named(k)))
    if not there:
        lm.refuse_missing(mediator_named(kinds[0]))
    return Nodes(lm, there)


@dataclass
class _Training:
    """Gates, and what trains them."""

    study: Study
    masking: Masking
    goal: Goal
    sparsity: float
    rate: float
    seed: int
    pairs: tuple[Numbers, Numbers]
    history: list[tuple[float, float, int]] = field(default_factory=list)
    ended: Ended = "cancelled"
    same: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        lm, masking = self.study.lm, self.masking
        exact = torch.float64 if lm.dtype == torch.float64 else torch.float32
        start = START[masking.mode]
        self.gates = torch.full((len(masking.elements),), start, device=lm.device, dtype=exact)
        self.rounded = settled(self.gates) >= THRESHOLD

    def steps(self, n: int) -> Iterator[int]:
        """One step of Adam at a time; yields how many pairs it read."""
        lm, version = self.study.lm, self.study.lm.version()
        source = torch.Generator().manual_seed(int(self.seed))
        adam = torch.optim.Adam([self.gates], lr=self.rate)
        for _ in range(n):
            began = time.perf_counter()
            loss, slope = self.goal.loss(self.gates, source)
            penalty, cost = _penalty(self.gates)
            self.gates.grad = slope + self.sparsity * cost
            adam.step()
            rounded = settled(self.gates) >= THRESHOLD
            self.same = self.same + 1 if torch.equal(rounded, self.rounded) else 0
            self.rounded = rounded
            self.history.append((loss, penalty, int(rounded.sum())))
            self.seconds += time.perf_counter() - began
            if lm.version() != version:
                raise weights_changed(lm)
            yield len(self.pairs[0])
            if self._settled():
                self.ended = "settled"
                return
        self.ended = "all steps"

    def result(self) -> Masked:
        """The gates without noise, and their rounded circuit run exactly."""
        elements, goal = self.masking.elements, self.goal
        shares, logits = settled(self.gates).tolist(), self.gates.tolist()
        masked = Masked(
            shares=dict(zip(elements, shares, strict=True)),
            logits=dict(zip(elements, logits, strict=True)),
            faithfulness=self._faithfulness(Circuit([]), shares),
            history=pd.DataFrame(self.history, columns=["loss", "kept", "size"]),
            ended=self.ended,
            train_on=self.pairs[0],
            report_on=self.pairs[1],
            base=goal.base,
            ablation=goal.ablation,
            wiring=self.study.lm.wiring,
            seed=self.seed,
            options={"sparsity": self.sparsity, "keep": goal.keep, "rate": self.rate},
            passes=goal.passes,
            backward=goal.backward,
            rows=goal.rows,
            seconds=self.seconds,
        )
        return replace(masked, faithfulness=replace(masked.faithfulness, circuit=masked.circuit()))

    def _faithfulness(self, circuit: Circuit, shares: list[float]) -> Faithfulness:
        study, goal, some = self.study, self.goal, list(self.pairs[1])
        kept = [share >= THRESHOLD for share in shares]
        runs = self.masking.exactly(study.engine, kept, goal.base, goal.ablation)
        values = study.metric.read(runs, study.engine.columns)[:, some]
        clusters = clusters_of(study.contrast)
        terms = Terms(
            mode=self.masking.mode,
            ablation=goal.ablation + (" on corrupt prompts" if goal.base == "corrupt" else ""),
            over=self.masking.over,
            metric=study.metric.name,
            unit=study.metric.unit,
            clusters=tuple(clusters[i] for i in some) if clusters else (),
            n_pairs=len(some),
        )
        alone, whole, nothing = values
        return Faithfulness(circuit, alone, whole, nothing, terms)

    def _settled(self) -> bool:
        """Whether the circuit stays, gates are decided, and each has had the time to shut."""
        undecided = float((self.gates.abs() <= DECIDED).double().mean())
        shutting = 2 * START[self.masking.mode] / self.rate
        patient = self.same >= PATIENCE and len(self.history) >= PATIENCE + shutting
        return patient and undecided < 0.01


def _penalty(gates: Tensor) -> tuple[float, Tensor]:
    """The expected part of the gates that is open, and its gradient."""
    chance = expected_open(gates)
    return float(chance.mean()), chance * (1 - chance) / len(gates)


def _refuse_no_numbers(sparsity: object, steps: object, rate: object) -> None:
    for name, value, least in (("sparsity", sparsity, 0.0), ("rate", rate, 1e-6)):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        require(
            number and least <= as_number(value) < float("inf"),
            "Training has numbers.",
            value=f"{name}={value!r}",
            expected=f"a number from {least:g}",
            fix="mw.search.masks(study, sparsity=1.0, rate=0.1)",
        )
    require(
        isinstance(steps, int) and not isinstance(steps, bool) and steps >= 1,
        "Training has a number of steps.",
        value=steps,
        expected="an int from 1",
        fix="mw.search.masks(study, steps=400)",
    )
