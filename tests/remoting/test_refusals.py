"""Every function that asks something of a model: a server answers it, or it says what does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from tests.remoting.elsewhere import Elsewhere

PAIRS = [
    mw.PromptPair(clean, corrupt, answer, wrong, roles={"subject": 2})
    for clean, corrupt, answer, wrong in (
        ("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
        ("hen pig cat zebra jay", "hen rat cat zebra jay", "owl", "kite"),
        ("toad wasp flint newt yak", "toad lime flint newt yak", "dust", "bee"),
        ("toad bee flint newt yak", "toad owl flint newt yak", "fox", "bee"),
    )
]
HEAD, MLP = mw.Site("head", 2, head=1), mw.Site("mlp_out", 1)
AT = mw.Site("residual", 2, position=4)
QUIET: dict[str, Any] = {"progress": False}
CIRCUIT = mw.Circuit([HEAD, MLP])


@lru_cache
def server() -> Elsewhere:
    return Elsewhere("llama")


@lru_cache
def sae() -> mw.features.SAE:
    width, draw = server().here().d_model, np.random.default_rng(0)
    encode, shift = draw.normal(size=(width, 7)), draw.normal(size=7)
    decode, rest = draw.normal(size=(7, width)), draw.normal(size=width)
    return mw.features.SAE(encode, shift, decode, rest, site=mw.Site("residual", 1))


def node(layer: int) -> mw.features.Node:
    low = sae()
    site = mw.Site("residual", layer)
    same = mw.features.SAE(low.w_enc, low.b_enc, low.w_dec, low.b_dec, site=site)
    return mw.features.Node(same, 0, 3)


def random(study: mw.Study) -> Any:
    return mw.directions.random(study, AT)


Asks = dict[str, Callable[[mw.Study], Any]]

ANSWERED: Asks = {
    "total": lambda s: s.total,
    "sweep": lambda s: s.sweep("head", **QUIET),
    "intervene": lambda s: s.intervene(HEAD),
    "activations": lambda s: s.activations(HEAD),
    "causal_tracing": lambda s: mw.causal_tracing(s, **QUIET),
    "dose_curve": lambda s: mw.dose_curve(s, HEAD, **QUIET),
    "interactions": lambda s: mw.interactions(s, [HEAD, AT, MLP], **QUIET),
    "routes": lambda s: mw.routes(s, HEAD, **QUIET),
    "search.greedy": lambda s: mw.search.greedy(s, 2, **QUIET),
    "search.greedy_job": lambda s: mw.search.greedy_job(s, 2).result(),
    "search.top_k": lambda s: mw.search.top_k(s, 2, **QUIET),
    "search.pairs": lambda s: mw.search.pairs(s, [HEAD, AT], **QUIET),
    "search.path_patching": lambda s: mw.search.path_patching(
        s, mw.Site("query", 3, head=1), **QUIET
    ),
    "search.path_patching_job": lambda s: mw.search.path_patching_job(
        s, mw.Site("query", 3, head=1)
    ).result(),
    "evaluation.against_random": lambda s: mw.evaluation.against_random(s, CIRCUIT, n=20),
    "evaluation.completeness": lambda s: mw.evaluation.completeness(s, CIRCUIT, greedy=1, random=2),
    "evaluation.curve": lambda s: mw.evaluation.curve(s, s.sweep("head", **QUIET)),
    "evaluation.faithfulness": lambda s: mw.evaluation.faithfulness(s, CIRCUIT),
    "evaluation.minimality": lambda s: mw.evaluation.minimality(s, CIRCUIT),
    "evaluation.side_effects": lambda s: mw.evaluation.side_effects(CIRCUIT, {"a": s}),
    "evaluation.transfer": lambda s: mw.evaluation.transfer(
        {"a": s, "b": mw.Study(s.lm, PAIRS[1:])}, {"a": CIRCUIT, "b": CIRCUIT}
    ),
    "crossing.cross_patch": lambda s: mw.crossing.cross_patch(
        s, mw.Study(s.lm, PAIRS), "residual", layers=[2], **QUIET
    ),
    "directions.compare": lambda s: mw.directions.compare(
        s, AT, mw.directions.standard((1,)), **QUIET
    ),
    "directions.difference_of_means": lambda s: mw.directions.difference_of_means(s, AT),
    "directions.given": lambda s: mw.directions.given(s, AT, np.ones(s.lm.d_model)),
    "directions.halves": mw.directions.halves,
    "directions.placebo": lambda s: mw.directions.placebo(s, AT, random(s), n=3),
    "directions.principal": lambda s: mw.directions.principal(s, AT),
    "directions.probe": lambda s: mw.directions.probe(s, AT),
    "directions.random": random,
    "directions.sweep": lambda s: mw.directions.sweep(s, "residual", {"last": 4}, layers=[2]),
    "erasure.leace": lambda s: mw.erasure.leace(s, AT),
    "erasure.amnesic": lambda s: mw.erasure.amnesic(
        s, mw.erasure.leace(s, AT), controls=2, **QUIET
    ),
    "features.circuit": lambda s: mw.features.circuit(s, [node(1)]),
    "features.codes": lambda s: mw.features.codes(s, sae()),
    "features.contexts": lambda s: mw.features.contexts(s.lm, sae(), ["ant bee"]),
    "features.job": lambda s: mw.features.job(s, sae()).result(),
    "features.sweep": lambda s: mw.features.sweep(s, sae(), **QUIET),
    "lenses.logit_lens": lambda s: mw.lenses.logit_lens(s, layers=[2]),
    "lm.next_tokens": lambda s: s.lm.next_tokens("ant bee cat", n=3),
}
REFUSED: dict[str, tuple[Callable[[mw.Study], Any], str]] = {
    "estimate": (lambda s: s.estimate("attn_out"), "study.sweep('attn_out')"),
    "check_estimate": (lambda s: s.check_estimate("head"), "study.sweep('head')"),
    "to_code": (lambda s: s.to_code(), "study.save"),
    "search.acdc": (lambda s: mw.search.acdc(s, **QUIET), "path_patching"),
    "search.eap": (mw.search.eap, "path_patching"),
    "search.exact_edges": (lambda s: mw.search.exact_edges(s, **QUIET), "path_patching"),
    "search.path": (
        lambda s: mw.search.path(s, mw.Site("head", 1, head=0), mw.Site("query", 3, head=1)),
        "path_patching",
    ),
    "search.cdt": (mw.search.cdt, "study.sweep('head')"),
    "search.masks": (lambda s: mw.search.masks(s, steps=2, **QUIET), "mw.search.greedy"),
    "search.masks_job": (lambda s: mw.search.masks_job(s, steps=2), "mw.search.greedy"),
    "search.masks of edges": (
        lambda s: mw.search.masks(s, "edge", steps=2, **QUIET),
        "path_patching",
    ),
    "directions.check_dormant": (
        lambda s: mw.directions.check_dormant(s, random(s)),
        "mw.directions.placebo",
    ),
    "directions.split": (lambda s: mw.directions.split(s, random(s)), "mw.directions.placebo"),
    "directions.row_space": (lambda s: mw.directions.row_space(s, AT), "mw.directions.placebo"),
    "directions.row_space of a head": (
        lambda s: mw.directions.row_space(s, mw.Site("head", 2, head=1, position=4)),
        "mw.directions.placebo",
    ),
    "directions.illusion": (
        lambda s: mw.directions.illusion(s, mw.Site("neurons", 2, position=4)),
        "mw.directions.placebo",
    ),
    "abstraction.random_weights": (
        lambda s: mw.abstraction.random_weights(s.lm),
        "random_lm=mw.load",
    ),
    "alignment.das": (lambda s: mw.alignment.das(s, AT, **QUIET), "mw.directions.compare"),
    "alignment.das_job": (lambda s: mw.alignment.das_job(s, AT), "mw.directions.compare"),
    "alignment.boundless": (
        lambda s: mw.alignment.boundless(s, AT, **QUIET),
        "mw.directions.compare",
    ),
    "alignment.boundless_job": (
        lambda s: mw.alignment.boundless_job(s, AT),
        "mw.directions.compare",
    ),
    "alignment.neuron_masks": (
        lambda s: mw.alignment.neuron_masks(s, AT, **QUIET),
        "mw.directions.compare",
    ),
    "alignment.neuron_masks_job": (
        lambda s: mw.alignment.neuron_masks_job(s, AT),
        "mw.directions.compare",
    ),
    "alignment.sizes": (lambda s: mw.alignment.sizes(s, AT, **QUIET), "mw.directions.compare"),
    "alignment.sizes_job": (lambda s: mw.alignment.sizes_job(s, AT), "mw.directions.compare"),
    "alignment.controls": (
        lambda s: mw.alignment.controls(s, AT, **QUIET),
        "mw.directions.compare",
    ),
    "alignment.controls_job": (
        lambda s: mw.alignment.controls_job(s, AT),
        "mw.directions.compare",
    ),
    "features.attribute": (
        lambda s: mw.features.attribute(s, sae()),
        "mw.features.sweep(study, sae)",
    ),
    "features.edges": (
        lambda s: mw.features.edges(s, [node(1)], [node(3)]),
        "mw.features.circuit",
    ),
    "contrasting.relevance": (mw.contrasting.relevance, "study.sweep"),
    "contrasting.beside_tie": (
        lambda s: mw.contrasting.beside_tie(s, **QUIET),
        "study.sweep",
    ),
    "lenses.tuned_lens": (
        lambda s: mw.lenses.tuned_lens(s.lm, ["ant bee"], steps=2),
        "mw.lenses.logit_lens",
    ),
    "lenses.kl_to_final": (
        lambda s: mw.lenses.kl_to_final(s.lm, ["ant bee"]),
        "mw.lenses.logit_lens",
    ),
}
ELSEWHERE = {
    # Asks nothing of a model itself, or is a run of what is asked above.
    "evaluation.by_template": "makes studies",
    "features.check": "takes a result of features.attribute",
    "erasure.inlp": "reads activations, as erasure.leace",
    "erasure.probed": "reads activations, as erasure.leace",
    "abstraction.iia": "tests/remoting/test_grid.py and sweeps",
    "abstraction.rivals": "the same",
    "abstraction.controls": "the same, with abstraction.random_weights",
    "remote.status": "asks the server of its models, tests/remoting/test_backend.py",
    "networks.as_network": "of other networks",
    "networks.differentiated": "of other networks",
    "networks.forward": "of other networks",
    "networks.refuse_network": "of other networks",
    "teach.first_ten_minutes": "a card of sweeps and clicks",
}


@pytest.mark.parametrize("name", list(ANSWERED))
def test_a_server_answers(name: str) -> None:
    before = server().requests
    assert ANSWERED[name](mw.Study(server().there(), PAIRS)) is not None
    assert server().requests > before or name == "directions.halves"


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_takes_weights_or_gradients_says_what_does_not(name: str) -> None:
    ask, instead = REFUSED[name]
    study = mw.Study(server().there(), PAIRS)
    with pytest.raises(mw.MediationError) as raised:
        ask(study)
    error = raised.value
    assert instead in error.fix
    words = f"{error.message} {error.value} {error.expected} {error.fix}"
    assert "remote" in words or "server" in words or "this machine" in words
    assert "meta" not in words


@pytest.mark.slow
@pytest.mark.parametrize("name", list(REFUSED))
def test_what_is_refused_is_answered_here(name: str) -> None:
    """So that a refusal is one of the server, and of nothing else."""
    ask, _ = REFUSED[name]
    assert ask(mw.Study(server().here(), PAIRS)) is not None


def asking() -> Iterator[str]:
    """Public functions of a study, of an LM, or of either."""
    exported = {name: getattr(mw, name) for name in mw.__all__}
    modules = {"": mw, **{name: one for name, one in exported.items() if inspect.ismodule(one)}}
    for place, module in modules.items():
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not inspect.isfunction(thing):
                continue
            kinds = [str(p.annotation) for p in inspect.signature(thing).parameters.values()]
            if any(kind in ("Study", "LM", "Network", "object", "LM | Study") for kind in kinds):
                yield f"{place}.{name}".lstrip(".")


def test_the_table_is_whole() -> None:
    table = {*ANSWERED, *REFUSED, *ELSEWHERE}
    names = list(asking())
    assert len(names) > 40
    assert [name for name in names if name not in table] == []


def test_a_saved_study_and_settings(tmp_path: Path) -> None:
    lm = server().there()
    study = mw.Study(lm, PAIRS)
    study.intervene(HEAD)
    again = mw.Study.load(study.save(tmp_path / "a.study"), lm)
    assert again.last is not None
    assert study.last is not None
    np.testing.assert_array_equal(again.last.edited, study.last.edited)
    assert lm.fingerprint() is None
    assert "parameters" in lm.describe()
