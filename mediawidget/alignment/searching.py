"""Training from several starts, and what is reported of the best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..search.pair_splits import Numbers
from ..sites import Site
from ..study import Study
from .measuring import scores
from .names import Method
from .options import Asked
from .questions import Question
from .result import Aligned
from .rotations import Bounded, Learner, Mask
from .training import Training

GOOD = 0.9
"""Accuracy on the pairs held aside from which on no further start is made."""

ASIDE = 4
"""One of so many training pairs is held aside to end the training."""


@dataclass
class Searching:
    """One training after another, until one gets the pairs right that were held aside.

    Attributes:
        method: its name.
        how: options, its schedule among them.
        pairs: numbers of those that train, end it, and are reported on.
        make: a seed to an untrained map.
        own: what this method was asked with, beside the options of all.
    """

    method: Method
    study: Study
    site: Site
    question: Question
    how: Asked
    pairs: tuple[Numbers, Numbers, Numbers]
    make: Callable[[int], Learner]
    own: Mapping[str, Any] = field(default_factory=dict)
    trained: list[Training] = field(default_factory=list)

    @property
    def total(self) -> int:
        """How many pairs are read at most."""
        return self.how.starts * self.how.schedule.epochs * len(self.pairs[0])

    def steps(self) -> Iterator[int]:
        """One batch at a time; yields how many pairs it read."""
        for start in range(self.how.starts):
            own = self._training(self.how.schedule.seed + start)
            self.trained.append(own)
            yield from own.steps()
            if own.judged()[1] >= GOOD:
                return

    def best(self) -> Training:
        """The training of least loss, its best map in place."""
        if not self.trained:  # cancelled before it began
            self.trained.append(self._training(self.how.schedule.seed))
        best = min(self.trained, key=lambda one: one.judged()[0])
        best.settle()
        return best

    def result(self) -> Aligned:
        """The best start's map, rounded, and real runs with it."""
        best, schedule = self.best(), self.how.schedule
        learner, (train, stop, report) = best.learner, self.pairs
        subspace = learner.subspace()
        change = self.question.change.double().cpu().numpy()
        where = {"train": train, "held-out": report}
        tables = [one.losses().assign(start=i) for i, one in enumerate(self.trained)]
        return Aligned(
            method=self.method,
            site=self.site,
            label=self.study.labels((self.site,))[0],
            subspace=subspace,
            scores=scores(self.study, self.site, subspace, change, where, schedule.seed),
            losses=pd.concat(tables, ignore_index=True),
            over=self.question.over,
            ended=best.ended,
            train_on=train,
            stop_on=stop,
            report_on=report,
            seed=schedule.seed,
            seconds=sum(one.seconds for one in self.trained),
            options={**asdict(schedule), "starts": self.how.starts, **self.own},
            coordinates=learner.coordinates() if isinstance(learner, Mask) else (),
            boundary=learner.size if isinstance(learner, Bounded) else None,
            soft_iia=best.measure(report)[1] if learner.soft else None,
        )

    def _training(self, seed: int) -> Training:
        train, stop, _ = self.pairs
        schedule = replace(self.how.schedule, seed=seed)
        return Training(self.question, self.make(seed), schedule, train, stop)


def held_aside(train: Numbers, seed: int) -> tuple[Numbers, Numbers]:
    """The pairs that train, and one of four that ends it; all and none where there are under 8.

    By pairs, of whatever template: these only end the training, and a few templates could not be
    parted. What is reported is of other templates yet.
    """
    if len(train) < 2 * ASIDE:
        return train, ()
    drawn = np.random.default_rng(seed).permutation(train)
    n = len(train) // ASIDE
    aside, rest = np.sort(drawn[:n]), np.sort(drawn[n:])
    return tuple(int(i) for i in rest), tuple(int(i) for i in aside)
