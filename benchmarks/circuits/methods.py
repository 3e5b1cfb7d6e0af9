"""The searches, each as scores of all heads, of all edges, or of both: add one here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from scipy.special import expit

import mediawidget as mw
from mediawidget.evaluation.scoring import Element, as_scores
from mediawidget.search.selection import Direction
from mediawidget.wiring import Edge

Kind = Literal["heads", "edges"]

ACDC_LEVELS = (0.01, 0.1, 1.0)
"""Nats that one edge may cost."""

STEPS = 10
"""Inputs between the two prompts, of the methods that average gradients."""


@dataclass(frozen=True)
class Scores:
    """What a method says of every candidate; its size ranks them.

    Attributes:
        heads, edges: empty where a method says nothing of them.
        note: what else a reader may want to know.
    """

    heads: Mapping[mw.Site, float] = field(default_factory=dict)
    edges: Mapping[Edge, float] = field(default_factory=dict)
    note: str = ""

    @property
    def by_kind(self) -> dict[Kind, dict[Element, float]]:
        """Those that there are."""
        known: dict[Kind, dict[Element, float]] = {
            "heads": dict[Element, float](self.heads.items()),
            "edges": dict[Element, float](self.edges.items()),
        }
        return {kind: scores for kind, scores in known.items() if scores}


Method = Callable[[mw.Study], Scores]


def exact(quantity: str) -> Method:
    """Every head patched, one at a time."""
    return lambda study: Scores(_heads(study.sweep("head", progress=False), quantity))


def estimate(method: str, steps: int | None = None) -> Method:
    """Of the same by gradients at the clean prompt."""
    return lambda study: Scores(_heads(study.estimate("head", method=method, steps=steps), "TIE"))


def edges(search: Callable[[mw.Study], mw.search.EdgeScores]) -> Method:
    """Edges, and heads by the sum of what their edges carry."""

    def found(study: mw.Study) -> Scores:
        scores = search(study)
        return Scores(_only_heads(scores.nodes()), dict(scores.edges()))

    return found


def acdc(study: mw.Study) -> Scores:
    """An edge's score is the highest threshold that it survives, a head's that of its edges."""
    found = mw.search.acdc(study, ACDC_LEVELS, progress=False)
    wiring, table = found.wiring, found.scores
    of_edges = {
        Edge(wiring.senders[s], wiring.receivers[r]): float(table[s, r])
        for s, r in np.argwhere(wiring.reach)
    }
    of_nodes = dict(zip(wiring.senders, np.nanmax(table, axis=1).tolist(), strict=True))
    note = (
        f"{found.tests:,} tests in {found.passes} passes for {len(ACDC_LEVELS)} thresholds"
        f" ({', '.join(f'{level:g}: {int(k.sum())} edges' for level, k in _kept(found))})"
    )
    return Scores(_only_heads(of_nodes), of_edges, note)


def cdt(study: mw.Study) -> Scores:
    """What comes from a head to the metric."""
    return Scores(mw.search.cdt(study, rounds=1, prune=None).by_site())


def cdt_rounds(study: mw.Study) -> Scores:
    """The same with what was found as further targets: a head's largest share of a target's best.

    Scores for the metric and for queries, keys and values have different units, so each target's
    are divided by the largest of them.
    """
    found = mw.search.cdt(study, prune=None)
    columns = [_sizes(found.by_site(target)) for target in found.targets]
    return Scores({site: max(column[site] for column in columns) for site in columns[0]})


def greedy(direction: Direction) -> Method:
    """Heads one after the other until all are in: the earlier, the higher."""

    def found(study: mw.Study) -> Scores:
        n = study.lm.n_layers * study.lm.n_heads
        chosen = mw.search.greedy(study, n, direction=direction, progress=False).sites
        return Scores({site: float(n - i) for i, site in enumerate(chosen)})

    return found


def pairs(study: mw.Study) -> Scores:
    """What a head does alone, or what it gains with the one it does most with, if that is more."""
    found = mw.search.pairs(study, progress=False)
    game, gains = found.interactions, found.nodes()
    alone = (abs(float(game.worth((i,)).mean())) for i in range(len(game.sites)))
    return Scores({s: max(a, gains[s]) for s, a in zip(game.sites, alone, strict=True)})


def masks(over: Literal["head", "edge"], steps: int) -> Method:
    """How open a trained gate is, between 0 and 1."""

    def found(study: mw.Study) -> Scores:
        everyone = range(len(study.contrast))
        trained = mw.search.masks(study, over, steps=steps, train_on=everyone, progress=False)
        gates = {one: float(expit(logit)) for one, logit in trained.logits.items()}
        note = f"{len(trained.history)} steps ({trained.ended}), {len(trained.kept())} kept"
        of_edges = {one: gate for one, gate in gates.items() if isinstance(one, Edge)}
        return Scores(_only_heads(gates), of_edges, note)

    return found


METHODS: Mapping[str, Method] = {
    "exact PIE": exact("PIE"),
    "exact TIE": exact("TIE"),
    "attribution": estimate("attribution"),
    "AtP*": estimate("atp*"),
    "IG, inputs": estimate("ig-inputs", steps=STEPS),
    "RelP": estimate("relp"),
    "EAP": edges(mw.search.eap),
    "EAP-IG": edges(lambda study: mw.search.eap(study, steps=STEPS)),
    "exact edges": edges(lambda study: mw.search.exact_edges(study, progress=False)),
    "ACDC": acdc,
    "CD-T, metric": cdt,
    "CD-T, rounds": cdt_rounds,
    "greedy, restore": greedy("restore"),
    "greedy, break": greedy("break"),
    "pairs": pairs,
    "masks, heads": masks("head", 400),
}
"""Run on every subject."""

SLOW: Mapping[str, Method] = {"masks, edges": masks("edge", 200)}
"""Run on the hand-set models alone, unless asked for: minutes on the teaching model."""


def _heads(effect: mw.Effect, quantity: str) -> dict[mw.Site, float]:
    return _only_heads(as_scores(effect, quantity))


def _only_heads(
    scores: Mapping[mw.Site, float] | Mapping[mw.Site | Edge, float],
) -> dict[mw.Site, float]:
    """Without MLPs and the embedding: the known circuits are of heads."""
    return {
        one: number
        for one, number in scores.items()
        if isinstance(one, mw.Site) and one.mediator == "head"
    }


def _sizes(scores: Mapping[mw.Site, float]) -> dict[mw.Site, float]:
    most = max(map(abs, scores.values())) or 1.0
    return {site: abs(number) / most for site, number in scores.items()}


def _kept(found: mw.search.Pruned) -> list[tuple[float, np.ndarray]]:
    return list(zip(found.thresholds, found.keep, strict=True))
