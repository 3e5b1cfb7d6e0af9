"""Hostile arguments of searches: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

import mediawidget as mw
from mediawidget import search
from tests.core.hostile import study_of
from tests.hostile_arguments import Call, assert_all_asked, assert_helped, few

CHOSEN: dict[str, Any] = {"mediator": "mlp_out", "direction": "restore", "by": None, "seed": 0}
CHOSEN |= {"select_on": None, "report_on": None}
MASK: dict[str, Any] = {"over": "mlp_out", "sparsity": 1.0, "steps": 1, "seed": 0, "rate": 0.1}
MASK |= {"base": "clean", "ablation": "resample", "keep": "metric"}
MASK |= {"train_on": None, "report_on": None}
CONTEXT: dict[str, Any] = {"kinds": "mlp_out", "by": None, "sides": ("query",)}
CONTEXT |= {"baseline": "mean", "pattern": "split", "opposites": "drop"}
CONTEXT |= {"percentile": 90.0, "rounds": 1}
CUT: dict[str, Any] = {"base": "clean", "ablation": "resample"}
PATHS: dict[str, Any] = {"receivers": [mw.Site("query", 2, head=1)], "senders": "head"}
PATHS |= {"mlps": "recompute", "by": None}
ESTIMATE: dict[str, Any] = {"mediator": "head", "by": None, "layers": [1], "edit": None}
ESTIMATE |= {"method": "attribution", "steps": None, "most": None}
PATH = {"sender": mw.Site("head", 0, head=0), "receiver": mw.Site("query", 2, head=1)}


def study() -> mw.Study:
    return study_of(3)


@lru_cache
def few_edges() -> mw.Study:
    return mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])


FOUND: dict[str, Callable[[], Any]] = {
    "CDTResult": lambda: search.cdt(study(), rounds=1, prune=None),
    "EdgeScores": lambda: search.eap(study()),
    "Masked": lambda: search.masks(study(), **MASK, progress=False),
    "Pairs": lambda: search.pairs(study(), "mlp_out", progress=False),
    "Pruned": lambda: search.acdc(few_edges(), [10.0, 20.0], progress=False),
    "Selection": lambda: search.greedy(study(), 2, "mlp_out", progress=False),
}


@lru_cache
def found(name: str) -> Any:
    return FOUND[name]()


def ask(function: Callable[..., Any], *long: str, **known: Any) -> Callable[[], Call]:
    return lambda: (few(function, *long), {"study": study(), **known})


def of(made: str, method: str, **known: Any) -> Callable[[], Call]:
    return lambda: (getattr(found(made), method), known)


CALLS: dict[str, Callable[[], Call]] = {
    "acdc": ask(
        partial(search.acdc, progress=False),
        study=few_edges(),
        thresholds=10.0,
        loss="kl",
        ablation="resample",
        start=False,
    ),
    "cdt": ask(search.cdt, "rounds", **CONTEXT, prune=None),
    "cdt with pruning": ask(search.cdt, "rounds", **{**CONTEXT, "by": "position"}, prune=0.1),
    "eap": ask(search.eap, "steps", **CUT, steps=1, by=None),
    "exact_edges": ask(partial(search.exact_edges, progress=False), **CUT),
    "greedy": ask(partial(search.greedy, progress=False), k=1, **CHOSEN),
    "greedy_job": ask(search.greedy_job, k=1, **CHOSEN),
    "masks": ask(partial(search.masks, progress=False), "steps", **MASK),
    "masks_job": ask(search.masks_job, **MASK),
    "pairs": ask(partial(search.pairs, progress=False), **CHOSEN),
    "path": ask(search.path, **PATH, norm="live"),
    "path_patching": ask(partial(search.path_patching, progress=False), **PATHS, norm="live"),
    "path_patching_job": ask(search.path_patching_job, **PATHS),
    "top_k": ask(partial(search.top_k, progress=False), k=1, **CHOSEN),
    "study.estimate": lambda: (few(study().estimate, "steps"), ESTIMATE),
    "study.estimate by steps": lambda: (
        few(study().estimate, "steps"),
        {**ESTIMATE, "method": "ig", "steps": 2},
    ),
    "CDTResult.score": of("CDTResult", "score", kind=None, target="logits"),
    "CDTResult.by_site": of("CDTResult", "by_site", target="logits"),
    "CDTResult.top": of("CDTResult", "top", n=1, target="logits"),
    "EdgeScores.edges": of("EdgeScores", "edges", by="absolute"),
    "EdgeScores.circuit": of("EdgeScores", "circuit", n=1, by="absolute"),
    "EdgeScores.top": of("EdgeScores", "top", n=1, by="absolute"),
    "Masked.kept": of("Masked", "kept", threshold=0.5),
    "Masked.circuit": of("Masked", "circuit", threshold=0.5),
    "Masked.overlap": lambda: (
        found("Masked").overlap,
        {"other": found("Masked"), "threshold": 0.5},
    ),
    "Pairs.means": of("Pairs", "means", by="gain", some=None),
    "Pairs.order": of("Pairs", "order", by="gain"),
    "Pairs.top": of("Pairs", "top", n=1, by="gain"),
    "Pairs.circuit": of("Pairs", "circuit", n=1, by="gain"),
    "Pairs.nodes": of("Pairs", "nodes", by="gain"),
    "Pruned.circuit": of("Pruned", "circuit", threshold=None),
    "Selection.joint_ci": of("Selection", "joint_ci", level=0.95, resamples=20, seed=0),
    "Selection.circuit": of("Selection", "circuit", n=None),
}

MADE = {
    "CDTResult": "made by cdt",
    "EdgeScores": "made by eap and exact_edges",
    "Masked": "made by masks",
    "Pairs": "made by pairs",
    "Pruned": "made by acdc",
    "Selection": "made by greedy and top_k",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(search, CALLS, MADE)
