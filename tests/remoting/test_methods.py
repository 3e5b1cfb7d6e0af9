"""Methods asked of a model on a server: the numbers are those here, in few requests.

A method asks for several sites' values, and for several runs, at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import abstraction as ab
from mediawidget import directions as dirs
from mediawidget import erasure, evaluation, features, search
from mediawidget.remote.loopback import Loopback
from tests.asking import raised
from tests.engine.judging import pairs_of
from tests.features.made import made
from tests.small_models import random_model, tokenizer_of

TOLERANCE = 1e-9
FIRST = 2
"""Requests of first contact."""
PAIRS = pairs_of("gpt2", 12, 6)
SITE = mw.Site("residual", 1, position=5)
HEADS = [mw.Site("head", layer, head=0) for layer in (0, 1)]
CIRCUIT = mw.Circuit(HEADS)
SCORES = {mw.Site("head", i, head=j): float(3 * i + j) for i in range(5) for j in range(3)}
MAKERS: dict[str, Any] = {
    "means": dirs.difference_of_means,
    "probe": dirs.probe,
    "pca": dirs.principal,
}
QUIET: dict[str, Any] = {"progress": False}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> mw.LM:
    return _saved(tmp_path_factory.mktemp("model"), 0)


@pytest.fixture(scope="module")
def giver(tmp_path_factory: pytest.TempPathFactory) -> mw.LM:
    """Another network of the same shape, on this machine."""
    return _saved(tmp_path_factory.mktemp("other"), 1)


@pytest.fixture
def server(here: mw.LM) -> Iterator[Loopback]:
    with Loopback(here) as running:
        yield running


def _saved(folder: Path, seed: int) -> mw.LM:
    random_model("gpt2", seed=seed).save_pretrained(folder)
    tokenizer_of("gpt2").save_pretrained(folder)
    return mw.load(folder, dtype=torch.float64)


def _sae() -> features.SAE:
    return made("relu", random_model("gpt2").config.n_embd, 7, mw.Site("residual", 1))


def _numbers(result: Any) -> np.ndarray:
    return result.to_dataframe().select_dtypes("number").to_numpy(float)  # type: ignore[no-any-return]


def _cross(study: mw.Study, giver: mw.LM) -> np.ndarray:
    few, fit = PAIRS[:3], PAIRS[3:]
    to, other = mw.Study(study.lm, few), mw.Study(giver, few)
    found = mw.crossing.cross_patch(to, other, "residual", "position", fit=fit, **QUIET)
    return np.stack(list(found.restored.values()))


def _placebo(study: mw.Study) -> np.ndarray:
    found = dirs.difference_of_means(study, SITE)
    return _numbers(dirs.placebo(study, SITE, found))


def _probed(study: mw.Study) -> np.ndarray:
    found = erasure.probed(study, erasure.leace(study, SITE))
    return np.array([one.auc for one in found.scores.values()])


def _iia(study: mw.Study) -> np.ndarray:
    """A model of two inputs, of which the first is what is said."""
    words = sorted({word for pair in PAIRS for word in pair.clean.split()})[:4]
    inputs = {"first": words, "second": words}
    model = ab.CausalModel(inputs, {"copy": lambda first: first}, "copy")
    found = ab.iia(study, model, "copy", lambda given: "{first} {second}".format(**given), n=6)
    return np.stack([found.hits, found.stays, found.follows])


CASES: dict[str, tuple[Callable[..., Any], int]] = {
    "directions.sweep": (lambda s: dirs.sweep(s, "residual", "position", **QUIET)["PIE"], 4),
    "directions.sweep of heads": (lambda s: dirs.sweep(s, "head", **QUIET)["PIE"], 4),
    "directions.compare": (lambda s: dirs.compare(s, SITE, MAKERS, **QUIET).effect["PIE"], 4),
    "directions.placebo": (_placebo, 3),
    "crossing.cross_patch": (_cross, 4),
    "erasure.leace": (lambda s: erasure.leace(s, SITE)(np.ones((1, 24))), 2),
    "erasure.probed": (_probed, 6),
    "erasure.amnesic": (lambda s: _numbers(erasure.amnesic(s, erasure.leace(s, SITE), **QUIET)), 5),
    "abstraction.iia": (_iia, 2),
    "features.codes": (lambda s: features.codes(s, _sae()), 1),
    "features.sweep": (lambda s: features.sweep(s, _sae(), **QUIET)["PIE"], 4),
    "features.circuit": (
        lambda s: features.circuit(s, [features.Node(_sae(), 1, 5)]).circuit,
        3,
    ),
    "evaluation.curve": (lambda s: _numbers(evaluation.curve(s, SCORES)), 2),
    "evaluation.faithfulness": (lambda s: _numbers(evaluation.faithfulness(s, CIRCUIT)), 2),
    "evaluation.completeness": (lambda s: _numbers(evaluation.completeness(s, CIRCUIT)), 4),
    "evaluation.minimality": (lambda s: _numbers(evaluation.minimality(s, CIRCUIT)), 4),
    "search.top_k": (lambda s: _numbers(search.top_k(s, 3, **QUIET)), 3),
    "search.greedy": (lambda s: _numbers(search.greedy(s, 3, **QUIET)), 4),
    "search.path_patching": (lambda s: search.path_patching(s, "logits", **QUIET)["PIE"], 2),
    "causal_tracing": (lambda s: _numbers(mw.causal_tracing(s, **QUIET)), 2),
}
"""Name -> the numbers of a study, and the most requests that may take beside first contact."""


@pytest.mark.parametrize("name", CASES)
def test_a_method_gives_the_same_numbers_in_few_requests(
    name: str, here: mw.LM, giver: mw.LM, server: Loopback
) -> None:
    method, most = CASES[name]
    more = (giver,) if name == "crossing.cross_patch" else ()
    there = mw.load(server.model, remote=server.server, dtype=torch.float64)
    found = np.asarray(method(mw.Study(there, PAIRS), *more), float)
    expected = np.asarray(method(mw.Study(here, PAIRS), *more), float)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)
    assert np.nanmax(np.abs(found)) > 0
    asked = sum(one.route == "request" for one in server.requests)
    assert asked <= FIRST + most


NEEDS_WEIGHTS: dict[str, tuple[Callable[[mw.Study], Any], str]] = {
    "directions.illusion": (lambda s: dirs.illusion(s, SITE), "placebo"),
    "directions.row_space": (lambda s: dirs.row_space(s, SITE), "placebo"),
    "features.attribute": (lambda s: features.attribute(s, _sae()), "features.sweep"),
    "search.path": (lambda s: search.path(s, *HEADS), "path_patching"),
    "search.eap": (search.eap, "path"),
    "study.estimate": (lambda s: s.estimate("head"), "sweep"),
}
"""Name -> a method that needs gradients or weights, and what its refusal names instead."""


@pytest.mark.parametrize("name", NEEDS_WEIGHTS)
def test_what_a_server_cannot_answer_is_refused_with_another_way(
    name: str, server: Loopback
) -> None:
    method, instead = NEEDS_WEIGHTS[name]
    there = mw.load(server.model, remote=server.server, dtype=torch.float64)
    said = str(raised(lambda: method(mw.Study(there, PAIRS))))
    assert "remote" in said
    assert instead in said
