"""Hostile arguments of features: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import features
from tests.core.hostile import study_of
from tests.features.made import made
from tests.hostile_arguments import Call, assert_all_asked, assert_helped


@lru_cache
def sae(layer: int = 1) -> features.SAE:
    return made("relu", study_of().lm.d_model, site=mw.Site("residual", layer))


@lru_cache
def saved() -> Path:
    """Where it is saved, for as long as the tests run."""
    return features.save(sae(), Path(tempfile.mkdtemp()) / "sae")


@lru_cache
def attributed() -> mw.Effect:
    return features.attribute(study_of(), sae())


@lru_cache
def nodes(layer: int = 1) -> list[features.Node]:
    return [features.Node(sae(layer), unit, 4) for unit in (0, 1)]


@lru_cache
def circuit() -> features.FeatureCircuit:
    return features.circuit(study_of(3), nodes())


def of_study(function: Callable[..., Any], **more: Any) -> Callable[[], Call]:
    return lambda: (function, {"study": study_of(), "sae": sae(), **more})


def of_sae(function: Callable[..., Any], **more: Any) -> Callable[[], Call]:
    return lambda: (function, {"sae": sae(), **more})


def weights() -> dict[str, Any]:
    names = ("w_enc", "b_enc", "w_dec", "b_dec")
    known = {name: getattr(sae(), name) for name in names}
    more = {"kind": "jumprelu", "site": sae().site, "threshold": np.ones(sae().n_features)}
    return {**known, **more, "k": None, "centred": False, "name": ""}


def edges() -> Call:
    known = {"upstream": nodes(1), "downstream": nodes(2), "direction": "restore"}
    return features.edges, {"study": study_of(), **known}


def written(sae: Any, path: Any) -> Path:
    """Nothing is written to a name that a hostile text happens to be."""
    return features.save(sae, saved() if isinstance(path, str) else path)


CALLS: dict[str, Callable[[], Call]] = {
    "Features": of_sae(features.Features, units=[1, 2], error=True, codes=None, rest=None),
    "Features of codes": of_sae(
        features.Features, units=[1], error=True, codes=[1.0], rest=np.ones(24)
    ),
    "Features.from_json": lambda: (
        features.Features.from_json,
        {"data": features.error(sae()).to_json()},
    ),
    "Node": of_sae(features.Node, unit=1, position=4),
    "Node.label": lambda: (nodes()[0].label, {"tokens": list("abcde")}),
    "SAE": lambda: (features.SAE, weights()),
    "SAE of k": lambda: (
        features.SAE,
        {**weights(), "kind": "topk", "threshold": None, "k": 3},
    ),
    "SAE.at": lambda: (sae().at, {"position": 4}),
    "SAE.label": lambda: (sae().label, {"unit": 1}),
    "SAE.encode": lambda: (sae().encode, {"x": np.ones(24)}),
    "SAE.decode": lambda: (sae().decode, {"codes": np.ones(11)}),
    "SAE.error": lambda: (sae().error, {"x": np.ones(24)}),
    "SAE.from_json": lambda: (features.SAE.from_json, {"data": sae().to_json()}),
    "attribute": of_study(
        features.attribute,
        by="position",
        method="gradient",
        steps=None,
        tolerance=None,
        most=None,
    ),
    "attribute by ig": of_study(
        features.attribute, by=None, method="ig", steps=2, tolerance=None, most=None
    ),
    "attribute to a tolerance": of_study(
        features.attribute, by=None, method="ig", steps=None, tolerance=0.5, most=16
    ),
    "check": of_study(
        partial(features.check, progress=False), effect=attributed(), k=1, sample=1, seed=0
    ),
    "circuit": lambda: (features.circuit, {"study": study_of(), "nodes": nodes()}),
    "clamp": of_sae(features.clamp, codes={1: 2.0}, rest=None),
    "codes": of_study(features.codes, base="clean"),
    "contexts": lambda: (
        features.contexts,
        {"lm": study_of().lm, "sae": sae(), "texts": ["ant bee cat"], "k": 2},
    ),
    "edges": edges,
    "error": of_sae(features.error),
    "job": of_study(features.job, features=[0, 1], by={"last": 4}, edit=None),
    "load": lambda: (features.load, {"path": saved(), "site": None, "name": ""}),
    "nodes_of": lambda: (
        features.nodes_of,
        {"saes": [sae()], "effects": [attributed()], "threshold": 0.1, "quantity": "TIE"},
    ),
    "save": lambda: (written, {"sae": sae(), "path": saved()}),
    "steer": of_sae(features.steer, unit=1, amount=1.0),
    "sweep": of_study(
        partial(features.sweep, progress=False), features=[0, 1], by={"last": 4}, edit=None
    ),
    "sweep of all": of_study(
        partial(features.sweep, progress=False), features=None, by="position", edit=mw.Mean()
    ),
    "teaching": lambda: (features.teaching, {"layer": 3}),
    "FeatureCircuit.ci": lambda: (circuit().ci, {"which": "faithfulness", "level": 0.95}),
}

MADE = {
    "Context": "made by contexts",
    "FeatureCircuit": "made by circuit",
    "FeatureEdges": "made by edges",
    "Features.moved": "what the engine asks of a part",
}
"""What nobody makes or asks by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(features, CALLS, MADE)
