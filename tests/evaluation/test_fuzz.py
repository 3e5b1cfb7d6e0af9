"""Hostile arguments of evaluation: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import evaluation
from tests.asking import pair
from tests.core.hostile import HEAD, study_of
from tests.hostile_arguments import Call, assert_all_asked, assert_helped, few

CIRCUIT = mw.Circuit([mw.Site("head", 0, head=0), HEAD], classes={HEAD: "a"})
HEADS = [mw.Site("head", layer, head=head) for layer in range(5) for head in range(3)]
OVER = ("head",)
TERMS: dict[str, Any] = {"ablation": "resample", "over": OVER, "values": None}
SIZES = (0.5, 1.0)


def study() -> mw.Study:
    return study_of(3)


@lru_cache
def templates() -> mw.Study:
    return mw.Study(
        study().lm, [pair(template="a"), pair(template="b", corrupt="ant bee owl dog eel")]
    )


@lru_cache
def scores() -> mw.Effect:
    return study().sweep("head", progress=False)


@lru_cache
def scored() -> dict[Any, float]:
    return evaluation.as_scores(scores())


@lru_cache
def studies() -> dict[str, mw.Study]:
    return {"a": study(), "b": study_of(2)}


FOUND: dict[str, Callable[[], Any]] = {
    "AgainstRandom": lambda: evaluation.against_random(study(), CIRCUIT, 2, over=OVER),
    "Completeness": lambda: evaluation.completeness(
        study(), CIRCUIT, greedy=1, random=1, over=OVER
    ),
    "Curve": lambda: evaluation.curve(study(), scores(), sizes=SIZES, ablation="zero"),
    "EdgeValues": lambda: evaluation.EdgeValues(study()),
    "Faithfulness": lambda: evaluation.faithfulness(study(), CIRCUIT, "zero", OVER),
    "Minimality": lambda: evaluation.minimality(study(), CIRCUIT, over=OVER),
    "NodeValues": lambda: evaluation.NodeValues(study(), over=OVER),
}


@lru_cache
def found(name: str) -> Any:
    return FOUND[name]()


def of(made: str, method: str, **known: Any) -> Callable[[], Call]:
    return lambda: (getattr(found(made), method), known)


def ask(function: Callable[..., Any], *long: str, **known: Any) -> Callable[[], Call]:
    both = {"study": study_of(3), "circuit": CIRCUIT}
    return lambda: (few(function, *long), {**both, **TERMS, **known})


DRAWN: dict[str, Any] = {"level": 0.95, "resamples": 20, "seed": 0}

CALLS: dict[str, Callable[[], Call]] = {
    "against_random": ask(evaluation.against_random, "n", n=2, per_layer=False, seed=0),
    "agreement": lambda: (
        evaluation.agreement,
        {
            "scores": scored(),
            "known": CIRCUIT,
            "by": None,
            "rank": "absolute",
            "shuffles": 20,
            "seed": 0,
        },
    ),
    "areas": lambda: (evaluation.areas, {"f": np.ones(2), "sizes": SIZES}),
    "as_scores": lambda: (evaluation.as_scores, {"scores": scores(), "by": None}),
    "as_scores of numbers": lambda: (evaluation.as_scores, {"scores": scored(), "by": None}),
    "as_scores of a number": lambda: (
        lambda number: evaluation.as_scores({HEAD: number}),
        {"number": 1.0},
    ),
    "by_template": lambda: (evaluation.by_template, {"study": templates()}),
    "completeness": ask(
        evaluation.completeness, "greedy", "random", sets=(), greedy=1, random=1, seed=0
    ),
    "completeness of a set": lambda: (
        lambda one: evaluation.completeness(study(), CIRCUIT, [one], greedy=0, random=0),
        {"one": [HEAD]},
    ),
    "curve": lambda: (
        evaluation.curve,
        {
            "study": study(),
            "scores": scores(),
            "by": None,
            "rank": "absolute",
            "sizes": SIZES,
            "ablation": "resample",
            "values": None,
        },
    ),
    "faithfulness": ask(evaluation.faithfulness),
    "jaccard": lambda: (evaluation.jaccard, {"first": [HEAD], "second": {HEAD}}),
    "known": lambda: (evaluation.known, {"name": "ioi", "positions": True}),
    "minimality": ask(evaluation.minimality, "size", sets=None, size=1),
    "minimality of a set": lambda: (
        lambda one: evaluation.minimality(study(), CIRCUIT, {HEAD: one}),
        {"one": []},
    ),
    "overlap": lambda: (evaluation.overlap, {"found": CIRCUIT, "known": CIRCUIT}),
    "random_circuits": lambda: (
        few(evaluation.random_circuits, "n"),
        {"circuit": CIRCUIT, "candidates": HEADS, "n": 2, "per_layer": False, "seed": 0},
    ),
    "ranked": lambda: (evaluation.ranked, {"scores": scored(), "rank": "absolute"}),
    "side_effects": lambda: (
        evaluation.side_effects,
        {"circuit": CIRCUIT, "studies": studies(), "everywhere": False, **TERMS},
    ),
    "stability": lambda: (
        evaluation.stability,
        {
            "scores": scores(),
            "search": 3,
            "elements": (),
            "clusters": (),
            "by": None,
            "rank": "absolute",
            "resamples": 20,
            "seed": 0,
        },
    ),
    "stability of numbers": lambda: (
        evaluation.stability,
        {
            "scores": np.eye(3),
            "search": 1,
            "elements": HEADS[:3],
            "clusters": "abc",
            "by": None,
            "rank": "absolute",
            "resamples": 20,
            "seed": 0,
        },
    ),
    "transfer": lambda: (
        evaluation.transfer,
        {"studies": studies(), "find": {"a": CIRCUIT}, **TERMS},
    ),
    "without": lambda: (evaluation.without, {"circuit": CIRCUIT, "nodes": [HEAD]}),
    "AgainstRandom.less_faithful_ci": of("AgainstRandom", "less_faithful_ci", level=0.95),
    "Completeness.to_dataframe": of("Completeness", "to_dataframe", level=0.95),
    "Curve.f_ci": of("Curve", "f_ci", **DRAWN),
    "Curve.areas_ci": of("Curve", "areas_ci", **DRAWN),
    "Curve.circuit": of("Curve", "circuit", size=0.5),
    "EdgeValues": lambda: (
        evaluation.EdgeValues,
        {"study": study(), "ablation": "resample"},
    ),
    "EdgeValues.job": of("EdgeValues", "job", circuits=[CIRCUIT]),
    "Faithfulness.difference_ci": of("Faithfulness", "difference_ci", **DRAWN),
    "Faithfulness.normalized_ci": of("Faithfulness", "normalized_ci", **DRAWN),
    "Minimality.useless": of("Minimality", "useless", share=0.01),
    "Minimality.to_dataframe": of("Minimality", "to_dataframe", level=0.95),
    "NodeValues": lambda: (
        evaluation.NodeValues,
        {"study": study(), "ablation": "resample", "over": OVER},
    ),
    "NodeValues.job": of("NodeValues", "job", circuits=[CIRCUIT]),
    "Rest": lambda: (
        lambda without: found("NodeValues")([evaluation.Rest(without)]),
        {"without": frozenset({HEAD})},
    ),
}

MADE = {
    "AgainstRandom": "made by against_random",
    "Agreement": "made by agreement",
    "CircuitValues": "what NodeValues and EdgeValues are kinds of",
    "CircuitValues.job": "what NodeValues and EdgeValues have of their own",
    "Completeness": "made by completeness",
    "Curve": "made by curve",
    "Faithfulness": "made by faithfulness",
    "Minimality": "made by minimality",
    "Overlap": "made by overlap",
    "SideEffects": "made by side_effects",
    "Stability": "made by stability",
    "Terms": "made by NodeValues and EdgeValues",
    "Transfer": "made by transfer",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(evaluation, CALLS, MADE)


VALID: dict[str, Callable[[], Any]] = {
    "a function that finds": lambda: evaluation.transfer(studies(), lambda _: CIRCUIT, over=OVER),
    "values that are made": lambda: evaluation.side_effects(
        CIRCUIT, studies(), values=evaluation.NodeValues
    ),
    "a set of sets": lambda: evaluation.completeness(
        study(), CIRCUIT, {frozenset({HEAD})}, greedy=0, random=0
    ),
    "numbers of numpy": lambda: evaluation.as_scores({HEAD: np.float64(1.0)}),
    "nodes of a set": lambda: evaluation.without(CIRCUIT, {HEAD}),
    "candidates of a tuple": lambda: evaluation.random_circuits(CIRCUIT, tuple(HEADS), 2),
}


@pytest.mark.parametrize("name", VALID)
def test_what_is_known_to_be_valid(name: str) -> None:
    assert VALID[name]() is not None
