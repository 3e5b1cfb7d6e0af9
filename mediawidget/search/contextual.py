"""Search by contextual decomposition (CD-T): what contributes most, then what contributes to that.

Source: Hsu et al. 2025, "Efficient automated circuit discovery in transformers using contextual
decomposition" (ICLR), and its code.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from ..circuit import NODES
from ..decomposition.attention import Pattern
from ..decomposition.directions import is_linear
from ..decomposition.forward import Opposites, Rules
from ..decomposition.grid import Baseline, Contributions, Decomposition
from ..decomposition.relevance import Side
from ..decomposition.sources import KINDS
from ..edits.base import as_number
from ..errors import MediationError, is_one_of, require
from ..mediators import POINTS, mediator_named
from ..questions import Question
from ..sites import Site
from ..study import Study, refuse_no_study
from ..sweeps import Sweep
from .contextual_pruning import pruned, refuse_no_pruning
from .contextual_result import LOGITS, CDTResult, Pruning, Round

Array = NDArray[np.float64]

HEAD_SIDES: tuple[Side, ...] = ("query", "key", "value", "head")
"""Where a head may be a target."""


def cdt(  # noqa: PLR0913 - all but the first three are named
    study: Study,
    kinds: str | Sequence[str] = "head",
    by: Any = None,
    *,
    sides: Sequence[Side] = ("query", "key", "value"),
    baseline: Baseline = "mean",
    pattern: Pattern = "split",
    opposites: Opposites = "drop",
    percentile: float = 90.0,
    rounds: int = 3,
    prune: float | None = 0.01,
) -> CDTResult:
    """Find a circuit by what components contribute to the metric, and to each other.

    Every activation is split in beta, what comes from a source, and gamma, the rest. In the first
    round each source's contribution to the metric is read off beta. The sources that contribute
    most are the targets of the next round, and so on. All sources are rows of a few batches; no
    run is edited and no gradient is taken until nodes are pruned, which runs circuits.

    It sees what is carried and not what is only chosen: a head that tells another one where to
    look, and is not read itself, contributes nothing to the metric, and is found at that other
    one's keys or queries (``sides``).

    Args:
        study: its pairs and metric. The metric is linear in the logits (LogitDiff, Logit, of
            answers of one token), or else its slope at the clean prompt stands for it.
        kinds: of source: "head", "mlp_out", "embedding", or several.
        by: "position", "role" or {name: positions}, as in sweeps; None: all positions together.
        sides: where heads that were found are targets: "query", "key", "value" (of the heads that
            read them), "head" (what they make of it). MLPs are targets at their output.
        baseline: what is no source's doing: the mean over the contrast's corrupt prompts of the
            same length ("mean"), or the pair's own corrupt value ("corrupt").
        pattern: "split", as published: beta's values are weighted by the softmax of beta's own
            scores; "whole": by the model's pattern.
        opposites: "drop", as published: of two parts of opposite signs the smaller one is set to 0
            behind the maps of an MLP and behind its block; "keep": they may cancel.
        percentile: sources whose size of score is above it are found, one at least, for the metric
            and for each side of each round.
        rounds: at most so many.
        prune: by how much faithfulness may move away from 1 with a node that is left out again;
            None keeps all finds.

    Returns:
        Scores on named axes, and the circuit.

    Raises:
        MediationError: a model that cannot be decomposed (it says which can), prompts of unequal
            length, one pair alone of its length where nodes are pruned under a mean, a metric
            without a slope, settings that there are not.

    Source: Hsu et al. 2025, "Efficient automated circuit discovery in transformers using contextual
    decomposition".

    Example:
        >>> found = mw.search.cdt(study)
        >>> found.score("head").shape
        (6, 4)
    """
    refuse_no_study(study)
    several, targets = _several(kinds), _several(sides)
    _refuse(kinds=(several, KINDS), sides=(targets, HEAD_SIDES))
    _refuse(baseline=((baseline,), get_args(Baseline)), pattern=((pattern,), get_args(Pattern)))
    _refuse(opposites=((opposites,), get_args(Opposites)))
    _refuse_numbers(percentile, rounds, prune)
    for kind in several:
        study.lm.refuse_missing(mediator_named(kind))
    grids = {kind: Question(Sweep(kind, by=by), study.engine, study.roles) for kind in several}
    over = [kind for kind in several if kind in NODES]
    if prune is not None and over:
        refuse_no_pruning(study, baseline)
    search = _Search(study, grids, targets, baseline, Rules(pattern, opposites), percentile)
    search.run(rounds)
    nodes = _ordered(study, search.found, search.sources)
    less: Pruning | None = None
    if prune is not None and over:
        nodes, less = pruned(
            study, [n for n in nodes if n.mediator in NODES], over, baseline, float(prune)
        )
    facts = {
        "baseline": baseline,
        "pattern": pattern,
        "opposites": opposites,
        "percentile": percentile,
        "metric": study.metric.name,
        "read": "linear" if is_linear(study.engine, study.metric) else "slope at the clean prompt",
    }
    return search.result(nodes, less, facts)


ROUNDING = 1e-9
"""Of the largest score: what a source that contributes nothing may seem to."""


@dataclass
class _Search:
    """A search on its way.

    Attributes:
        columns: target -> (pair, source).
    """

    study: Study
    grids: Mapping[str, Question]
    sides: tuple[Side, ...]
    baseline: Baseline
    rules: Rules
    percentile: float
    columns: dict[str, Array] = field(default_factory=dict)
    rounds: list[Round] = field(default_factory=list)
    cost: list[tuple[float, int, float]] = field(default_factory=list)

    @property
    def sources(self) -> list[Site]:
        """Of all kinds, one after the other."""
        return [site for question in self.grids.values() for site in question.sites]

    @property
    def found(self) -> list[Site]:
        """All finds so far."""
        return [site for one in self.rounds for site in one.found]

    def run(self, rounds: int) -> None:
        """Go on until nothing new is found."""
        self.columns[LOGITS] = self._contributions(()).metric
        self.rounds.append(Round((), self._best([LOGITS])))
        while len(self.rounds) < rounds:
            number, targets = len(self.rounds) + 1, self._targets(self.rounds[-1].found)
            if not targets:
                break
            values = self._contributions(targets).targets
            names = [f"{site.mediator} {number}" for site in targets]
            for name in dict.fromkeys(names):
                these = [i for i, own in enumerate(names) if own == name]
                self.columns[name] = values[:, these].sum(axis=1)
            self.rounds.append(Round(targets, self._best(list(dict.fromkeys(names)))))

    def _targets(self, nodes: Sequence[Site]) -> tuple[Site, ...]:
        heads = [node for node in nodes if node.mediator == "head"]
        mlps = [node for node in nodes if node.mediator == "mlp_out"]
        return (*(replace(head, mediator=side) for side in self.sides for head in heads), *mlps)

    def _contributions(self, targets: tuple[Site, ...]) -> Contributions:
        began = time.perf_counter()
        found = Decomposition(
            self.study.engine,
            [(site,) for site in self.sources],
            targets,
            None if targets else self.study.metric,
            self.baseline,
            self.rules,
        ).contributions()
        self.cost.append((time.perf_counter() - began, found.passes, found.forwards))
        return found

    def _best(self, names: Sequence[str]) -> tuple[Site, ...]:
        """The sources above the percentile for any of these targets, those not found before."""
        sources, before = self.sources, set(self.found)
        n = max(1, round(len(sources) * (1 - self.percentile / 100)))
        chosen: dict[Site, None] = {}
        for name in names:
            size = np.abs(self.columns[name].mean(axis=0))
            best = np.argsort(-size, kind="stable")[:n]
            chosen |= dict.fromkeys(sources[i] for i in best if size[i] > ROUNDING * size.max())
        return tuple(site for site in chosen if site not in before)

    def result(
        self, nodes: tuple[Site, ...], less: Pruning | None, facts: Mapping[str, Any]
    ) -> CDTResult:
        """What came of it."""
        table = np.stack(list(self.columns.values()), axis=1)
        targets, start = tuple(self.columns), 0
        axes, pairs, sites, labels = {}, {}, {}, {}
        for kind, question in self.grids.items():
            own = tuple(question.sites)
            axes[kind] = {"target": targets, **question.axes}
            shape = tuple(len(values) for values in question.axes.values())
            part = table[:, :, start : start + len(own)]
            pairs[kind] = part.reshape(*part.shape[:2], *shape)
            sites[kind], labels[kind] = own, self.study.labels(question.named_sites)
            start += len(own)
        seconds, passes, forwards = (sum(each) for each in zip(*self.cost, strict=True))
        return CDTResult(
            axes,
            pairs,
            sites,
            labels,
            tuple(self.rounds),
            nodes,
            less,
            self.study.metric.unit,
            facts,
            float(seconds),
            int(passes),
            float(forwards),
        )


def _ordered(study: Study, found: Sequence[Site], sources: Sequence[Site]) -> tuple[Site, ...]:
    """In the order in which a pass meets sites, then as they were searched."""
    number = {site: i for i, site in enumerate(sources)}

    def key(site: Site) -> tuple[int, int, int]:
        place = mediator_named(site.mediator).place(site, study.lm.shape)
        return place.stage, POINTS.index(place.point), number[site]

    return tuple(sorted(found, key=key))


def _several(given: Any) -> tuple[Any, ...]:
    """One or several; what is neither is one, and refused as such."""
    listed = isinstance(given, Sequence | AbstractSet) and not isinstance(given, str)
    return tuple(given) if listed else (given,)


def _refuse(**given: tuple[tuple[object, ...], tuple[str, ...]]) -> None:
    """Raise where a setting is none of those that there are."""
    for name, (values, known) in given.items():
        ok = bool(values) and len(set(map(repr, values))) == len(values)
        require(
            ok and all(is_one_of(value, known) for value in values),
            f"This search knows no such {name}.",
            value=values[0] if len(values) == 1 else values,
            expected=" or ".join(map(repr, known)),
            fix=f"mw.search.cdt(study, {name}={known[0]!r})",
        )


def _refuse_numbers(percentile: object, rounds: object, prune: object) -> None:
    fine = isinstance(percentile, int | float) and 0 <= percentile < 100
    counted = isinstance(rounds, int) and not isinstance(rounds, bool) and rounds >= 1
    share = prune is None or as_number(prune) >= 0
    for ok, name, value, expected, fix in (
        (fine, "percentile", percentile, "a number from 0 to below 100", "percentile=90"),
        (counted, "rounds", rounds, "an int, at least 1", "rounds=3"),
        (share, "prune", prune, "None, or a share of the metric from 0", "prune=0.01"),
    ):
        if not ok:
            raise MediationError(
                f"The search's {name} is out of range.",
                value=repr(value),
                expected=expected,
                fix=f"mw.search.cdt(study, {fix})",
            )
