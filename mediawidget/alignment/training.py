"""Trains a map in small batches of pairs, and stops when pairs held aside gain no more."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..plan.frame import Ints
from .names import Ended
from .questions import Question
from .rotations import Learner

GAIN = 0.01
"""By what part the loss has to fall for an epoch to count as a gain."""


@dataclass(frozen=True)
class Schedule:
    """How a map is trained.

    Attributes:
        epochs: at most. batch: pairs a step. rate: of Adam. seed: of the start and the batches.
        patience: epochs without a gain after which training stops; None for never.
        penalty: what a map of full size costs, nats.
        temperatures: the first and the last of a soft map; between them it falls geometrically.
    """

    epochs: int
    batch: int
    rate: float
    seed: int
    patience: int | None = None
    penalty: float = 0.0
    temperatures: tuple[float, float] = (1.0, 1.0)


@dataclass
class Training:
    """A map on its way.

    Attributes:
        train: the pairs that train. stop: those that end it; without them the training loss does.
        history: a row per epoch: epoch, loss, iia, stop_loss, stop_iia, size.
    """

    question: Question
    learner: Learner
    schedule: Schedule
    train: Sequence[int]
    stop: Sequence[int] = ()
    history: list[tuple[float, ...]] = field(default_factory=list)
    ended: Ended = "cancelled"
    seconds: float = 0.0
    best: tuple[float, int, list[Tensor]] | None = None

    def steps(self) -> Iterator[int]:
        """One batch at a time; yields how many pairs it read."""
        plan, learner = self.schedule, self.learner
        draw = np.random.default_rng(plan.seed)
        adam = torch.optim.Adam(learner.parameters, lr=plan.rate)
        for epoch in range(plan.epochs):
            self._cool(epoch)
            total = np.zeros(3)
            for pairs in self._batches(draw):
                began = time.perf_counter()
                total += self._step(pairs, adam)
                self.seconds += time.perf_counter() - began
                self.question.refuse_changed()
                yield len(pairs)
            began = time.perf_counter()
            self._note(epoch, total)
            self.seconds += time.perf_counter() - began
            if plan.patience is not None and self._waited(epoch) >= plan.patience:
                self.ended = "no more gain"
                return
        self.ended = "all epochs"

    def settle(self) -> None:
        """Take the best map seen, where training stops by itself; else it is the last one."""
        if self.schedule.patience is not None and self.best is not None:
            for parameter, value in zip(self.learner.parameters, self.best[2], strict=True):
                parameter.data.copy_(value)

    def judged(self) -> tuple[float, float]:
        """Loss and accuracy of the map that is taken, on the pairs held aside or else in training.

        Infinite and 0 before the first epoch is over.
        """
        if not self.history:
            return float("inf"), 0.0
        at = self.best[1] if self.schedule.patience is not None and self.best else -1
        row = self.history[at]
        return (row[3], row[4]) if self.stop else (row[1], row[2])

    def losses(self) -> pd.DataFrame:
        """A row per epoch."""
        names = ["epoch", "loss", "iia", "stop_loss", "stop_iia", "size"]
        return pd.DataFrame(self.history, columns=names).astype({"epoch": int})

    def _step(self, pairs: Ints, adam: torch.optim.Adam) -> tuple[float, float, int]:
        learner = self.learner
        with torch.inference_mode(mode=False), torch.enable_grad():
            loss, right = self.question.loss(pairs, learner.moved)
            cost = loss + self.schedule.penalty * learner.penalty()
            for parameter, slope in zip(
                learner.parameters, torch.autograd.grad(cost, learner.parameters), strict=True
            ):
                parameter.grad = slope
            adam.step()
        return float(loss.detach()) * len(pairs), right, len(pairs)

    def _note(self, epoch: int, total: np.ndarray) -> None:
        loss, right = total[:2] / total[2]
        aside = self.measure(self.stop) if self.stop else (float("nan"), float("nan"))
        self.history.append((epoch, loss, right, *aside, self.learner.size))
        judged = aside[0] if self.stop else loss
        if self.best is None or judged < self.best[0] * (1 - GAIN):
            kept = [parameter.detach().clone() for parameter in self.learner.parameters]
            self.best = (judged, epoch, kept)

    def measure(self, some: Sequence[int]) -> tuple[float, float]:
        """The mean loss on some pairs with the map as it is, and the part of them that is right."""
        total = np.zeros(3)
        for pairs in self._together(some):
            with torch.inference_mode(mode=False), torch.no_grad():
                loss, right = self.question.loss(pairs, self.learner.moved)
            total += (float(loss.detach()) * len(pairs), right, len(pairs))
        return float(total[0] / total[2]), float(total[1] / total[2])

    def _waited(self, epoch: int) -> int:
        return 0 if self.best is None else epoch - self.best[1]

    def _cool(self, epoch: int) -> None:
        if self.learner.soft:
            first, last = self.schedule.temperatures
            done = epoch / max(1, self.schedule.epochs - 1)
            self.learner.temperature = first * (last / first) ** done

    def _together(self, some: Sequence[int]) -> list[Ints]:
        sets = [pairs[np.isin(pairs, list(some))] for pairs in self.question.together()]
        return [pairs for pairs in sets if len(pairs)]

    def _batches(self, draw: np.random.Generator) -> list[Ints]:
        """The pairs that train, in a new order, those of one batch being able to share a pass."""
        found: list[Ints] = []
        for pairs in self._together(self.train):
            n = -(-len(pairs) // self.schedule.batch)
            found += np.array_split(draw.permutation(pairs), n)
        return [found[i] for i in draw.permutation(len(found))]
