"""Which few sites do most: by their single effects, or one after the other by their joint effect.

Source: Vig et al. 2020. Sites that do the same work all have large single effects, and sites that
stand in for each other have none; the greedy search sees what each adds to those chosen before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import Edits
from ..edits import Patch
from ..errors import require
from ..evaluation.proving import once_runs, refuse_unproven
from ..jobs import Job
from ..metrics import Metric
from ..outcomes import Outcomes
from ..questions import Question
from ..runs import Run
from ..sites import Position, Site
from ..statistics import clusters_of
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from .pair_splits import Numbers, Split, split
from .selection import Direction, Selection, refuse_no_count, refuse_no_direction

Array = NDArray[np.float64]
By = str | Mapping[str, Position] | None


def top_k(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    k: int,
    mediator: str | Sequence[str] | Sequence[Site] = "head",
    *,
    direction: Direction = "restore",
    by: By = None,
    select_on: Split = None,
    report_on: Sequence[int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Selection:
    """The sites of largest single effect, and what they do together.

    An effect is large that has the sign of TE, so under a metric that falls (KL, rank) it is the
    most negative one.

    Args:
        study: its pairs and metric; sites are set to the pair's other prompt.
        k: how many sites.
        mediator: the candidates: "head", "mlp_out" and so on, several of these, or sites.
        direction: "restore": sites are set in the corrupt run (PIE). "break": in the clean run
            (TIE).
        by: "position" or "role": a site is at one position at a time.
        select_on: the pairs that choose: their numbers, "half" of them at random, or all.
        report_on: the pairs that figures are means over; default those that did not choose.
        seed: of the draw of "half".
        progress: whether to show a bar.

    Raises:
        MediationError: more sites than there are, pairs that there are not, and what
            ``study.sweep`` raises.

    Source: Vig et al. 2020.

    Example:
        >>> mw.search.top_k(study, 3, select_on="half", progress=False).labels
        ('L0H1', 'L3H0', 'L3H1')
    """
    chooser = _chooser(study, k, mediator, direction, by, split(study, select_on, report_on, seed))
    job = Job(chooser.by_single(), chooser.total_single, chooser.result, study.lm.worker)
    return job.result(progress)


def greedy(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    k: int,
    mediator: str | Sequence[str] | Sequence[Site] = "head",
    *,
    direction: Direction = "restore",
    by: By = None,
    select_on: Split = None,
    report_on: Sequence[int] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Selection:
    """Sites one after the other: each is the one that makes the joint mean effect largest.

    A step runs every candidate that is left together with all that were chosen, as one experiment.
    Arguments and errors as for ``top_k``.

    Source: Vig et al. 2020.

    Example:
        >>> mw.search.greedy(study, 3, direction="break", progress=False).joint_mean.shape
        (3,)
    """
    job = greedy_job(
        study,
        k,
        mediator,
        direction=direction,
        by=by,
        select_on=select_on,
        report_on=report_on,
        seed=seed,
    )
    return job.result(progress)


def greedy_job(  # noqa: PLR0913 - all but the first two are named
    study: Study,
    k: int,
    mediator: str | Sequence[str] | Sequence[Site] = "head",
    *,
    direction: Direction = "restore",
    by: By = None,
    select_on: Split = None,
    report_on: Sequence[int] | None = None,
    seed: int = 0,
) -> Job[Selection]:
    """``greedy``, not yet started; cancelled, it has the sites of the steps that were finished.

    Arguments and errors as for ``top_k``, but for ``progress``.
    """
    chooser = _chooser(study, k, mediator, direction, by, split(study, select_on, report_on, seed))
    return Job(chooser.greedily(), chooser.total_greedy, chooser.result, study.lm.worker)


# --- inside ---------------------------------------------------------------------------------


def _chooser(
    study: Study,
    k: int,
    mediator: str | Sequence[str] | Sequence[Site],
    direction: Direction,
    by: By,
    pairs: tuple[Numbers, Numbers],
) -> _Chooser:
    refuse_no_direction(direction, fix="mw.search.greedy(study, 5, direction='break')")
    sites, cells = candidates(study, mediator, by)
    refuse_no_count(k, len(sites))
    return _Chooser(study, k, sites, cells, direction, *pairs, metric=study.metric)


def candidates(
    study: Study, mediator: str | Sequence[str] | Sequence[Site], by: By = None
) -> tuple[list[Site], list[Edits]]:
    """Every site of some kinds that can be set on these pairs, and what sets it."""
    refuse_no_study(study)
    kinds: Any = [mediator] if isinstance(mediator, str) else mediator
    require(
        isinstance(kinds, list | tuple)
        and len(kinds) > 0
        and len({type(one) for one in kinds} - {str, Site}) == 0
        and len(set(kinds)) == len(kinds),
        "Candidates are of one kind or of several.",
        value=mediator,
        expected="'head', a list of different kinds such as ['head', 'mlp_out'], or of sites",
        fix="mw.search.greedy(study, 5, mediator='head')",
    )
    if all(isinstance(one, Site) for one in kinds):
        return list(kinds), [{site: Patch()} for site in kinds]
    sites: list[Site] = []
    cells: list[Edits] = []
    for kind in kinds:
        question = Question(Sweep(kind, Patch(), by), study.engine, study.roles)
        asked = question.asked(study.labels(question.sites))
        known = np.ones(len(question.sites)) if asked.possible is None else asked.possible
        sites += [site for site, ok in zip(question.sites, known, strict=True) if ok]
        cells += asked.cells
    return sites, cells


@dataclass
class _Chooser:
    """Chooses sites, and keeps what was found."""

    study: Study
    k: int
    sites: list[Site]
    cells: list[Edits]
    direction: Direction
    select_on: Numbers
    report_on: Numbers
    metric: Metric
    method: str = ""
    chosen: list[int] = field(default_factory=list)
    joint: list[Array] = field(default_factory=list)
    alone: Array | None = None
    bases: Array | None = None
    passes: int = 0
    rows: int = 0
    seconds: float = 0.0

    @property
    def total_single(self) -> int:
        """Runs of ``by_single``, each on each pair."""
        return (len(self.sites) + self.k - 1) * len(self.study.contrast)

    @property
    def total_greedy(self) -> int:
        """Runs of ``greedily``, each on each pair."""
        return sum(len(self.sites) - i for i in range(self.k)) * len(self.study.contrast)

    def by_single(self) -> Iterator[int]:
        """All alone, then the best in order, together with those before."""
        self.method = "top-k"
        found = yield from self._run([[i] for i in range(len(self.sites))])
        self.alone = found
        order = np.argsort(-self._mean(found), kind="stable")[: self.k].tolist()
        joint = yield from self._run([order[: i + 1] for i in range(1, self.k)])
        self.chosen = order
        self.joint = [found[order[0]], *joint]

    def greedily(self) -> Iterator[int]:
        """Step by step all that are left, together with what was chosen."""
        self.method = "greedy"
        while len(self.chosen) < self.k:
            left = [i for i in range(len(self.sites)) if i not in self.chosen]
            found = yield from self._run([[*self.chosen, i] for i in left])
            if self.alone is None:
                self.alone = found
            best = int(np.argmax(self._mean(found)))
            self.chosen.append(left[best])
            self.joint.append(found[best])

    def result(self) -> Selection:
        """What was chosen so far."""
        n = len(self.study.contrast)
        alone = np.full((len(self.sites), n), np.nan) if self.alone is None else self.alone
        bases = np.full((n, 2), np.nan) if self.bases is None else self.bases
        means = alone[:, list(self.select_on)].mean(axis=1)
        chosen = tuple(self.sites[i] for i in self.chosen)
        return Selection(
            method=self.method,
            direction=self.direction,
            sites=chosen,
            labels=self.study.labels(chosen),
            joint=np.reshape(self.joint, (len(chosen), n)),
            single=alone[self.chosen],
            singles=dict(zip(self.sites, means.tolist(), strict=True)),
            total=bases[:, 0] - bases[:, 1],
            select_on=self.select_on,
            report_on=self.report_on,
            unit=self.metric.unit,
            clusters=clusters_of(self.study.contrast),
            passes=self.passes,
            rows=self.rows,
            seconds=self.seconds,
        )

    def _mean(self, found: Array) -> Array:
        """(set,) over the pairs that choose, in the direction of their TE.

        What came to no number is never chosen.
        """
        some = list(self.select_on)
        assert self.bases is not None
        falls = (self.bases[some, 0] - self.bases[some, 1]).mean() < 0
        mean = found[:, some].mean(axis=1) * (-1 if falls else 1)
        return np.where(np.isnan(mean), -np.inf, mean)

    def _run(self, sets: list[list[int]]) -> Any:
        """(set, pair) the effect of setting all sites of each set; yields what is done."""
        if not sets:
            return np.zeros((0, len(self.study.contrast)))
        engine, base = self.study.engine, "corrupt" if self.direction == "restore" else "clean"
        joint = [{s: e for i in one for s, e in self.cells[i].items()} for one in sets]
        runs = [Run(base, cell) for cell in joint]  # type: ignore[arg-type]
        # The first step proves the engine on these prompts and weights, for the others too.
        once = [] if self.passes else once_runs(engine, runs)
        job = engine.job(runs, once=once)
        done = 0
        while job.step():
            yield job.done - done
            done = job.done
        outcomes = job.result()
        if once:
            refuse_unproven(engine, once, outcomes)
        return self._effects(outcomes, len(runs))

    def _effects(self, outcomes: Outcomes, n: int) -> Array:
        self.passes += outcomes.passes
        self.rows += outcomes.rows
        self.seconds += outcomes.seconds
        self.bases = self.metric.read(outcomes.bases, outcomes.columns)
        values = self.metric.read(outcomes.kept[:n], outcomes.columns)
        if self.direction == "restore":
            return np.asarray(values - self.bases[:, 1])
        return np.asarray(self.bases[:, 0] - values)
