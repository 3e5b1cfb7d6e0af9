"""Hostile and random input: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.edits import edit_from_json
from mediawidget.effects import Status
from mediawidget.metrics import METRICS, metric_from_json, metric_named
from tests.asking import pair
from tests.core.hostile import (
    FEW,
    HEAD,
    POINTS,
    answers,
    effect_of,
    fresh,
    hostile,
    saved,
    sound,
    study_of,
    teaching,
    walked,
)
from tests.engine.cases import lm_of
from tests.small_models import WORDS, random_model, tokenizer_of

# --- every public name ----------------------------------------------------------------------------


def evaluated(*runs: mw.Run) -> Any:
    return study_of().engine.evaluate(list(runs))


def swept(**more: Any) -> Any:
    return fresh().sweep("head", **{"layers": [1], "progress": False, **more})


def site(**more: Any) -> mw.Site:
    return mw.Site(**{"mediator": "head", "layer": 1, "head": 1, **more})


def edge(**more: Any) -> mw.Site:
    return mw.Site(**{"mediator": "edge", "layer": 1, "head": 1, "position": 3, "key": 1, **more})


def erased(value: Any) -> Any:
    return mw.erasure.leace(POINTS, [0, 1] * 5)(value)


def edited(edit: Any) -> Any:
    return evaluated(mw.Run("corrupt", {HEAD: edit}))


def measured(metric: Any) -> Any:
    return mw.Study(study_of().lm, pair(), metric=metric).total["TE"]


def of_model(**more: Any) -> Any:
    given_ = {"tokenizer": tokenizer_of("gpt2"), **more}
    return mw.load(random_model("gpt2"), **given_).encode([pair()])


def columns_of(function: Callable[[Any], Any]) -> mw.Metric:
    return mw.Function(function, tokens=("owl",))


def paired(name: str, value: Any) -> Any:
    return mw.Study(lm_of("gpt2"), pair(**{name: value})).total["TE"]


def placed(what: str, name: str, value: Any) -> Any:
    made = edge(**{name: value}) if what == "edge" else site(**{name: value})
    if what == "intervene":
        return fresh().intervene(made)
    if what == "activations":
        return study_of().activations(made)
    return evaluated(mw.Run("clean", {made: mw.Knockout() if what == "edge" else mw.Zero()}))


def set_up(task: Callable[..., mw.Contrast], name: str, value: Any) -> mw.Contrast:
    return task(**{"lm": teaching(), "n": 2, name: value})


OF_AN_EFFECT: dict[str, Callable[[mw.Effect, Any], Any]] = {
    "[]": lambda e, v: e[v],
    "pairs": mw.Effect.pairs,
    "normalized": mw.Effect.normalized,
    "cell": mw.Effect.cell,
    "cells": lambda e, v: e.cell(v, 1),
    "pair": mw.Effect.pair,
    "rescore": mw.Effect.rescore,
    "scores": mw.Effect.scores,
    "top": mw.Effect.top,
    "top.by": lambda e, v: e.top(3, by=v),
}

INFERRED = {
    "ci": ("key", "level", "resamples", "seed"),
    "normalized_ci": ("key", "level", "resamples", "seed"),
    "q_values": ("key", "correction", "permutations", "seed"),
    "summary": ("key", "level", "correction", "resamples", "permutations"),
    "split": ("seed",),
    "select_and_report": ("key", "n", "seed", "resamples"),
    "pairs_needed": ("key", "effect_size", "power", "alpha"),
    "by_group": ("key", "level", "resamples"),
    "ratio": ("key",),
    "by_metric": ("key", "metrics"),
    "interaction": ("level", "resamples", "seed"),
    "rank_disagreement": ("level", "resamples", "seed"),
}
"""Methods that take many pairs, and what may be given to them."""

HEADS = [mw.Site("head", 0, head=0), HEAD]
GAME_OPTIONS = ("game", "direction", "edit", "order", "samples", "seed")
TRACE_OPTIONS = ("corruption", "subject", "kinds", "by", "window", "severed")


def inferred(name: str, option: str, value: Any) -> Any:
    method = getattr(effect_of("many"), name)
    least = {"key": "PIE"} if "key" in INFERRED[name] else {}
    draws = {"resamples": 20, "permutations": 20}
    known = {key: n for key, n in draws.items() if key in INFERRED[name]}
    return method(**{**least, **known, option: value})


def played(name: str, value: Any) -> Any:
    more = {"samples": 2} if name == "seed" else {}
    return mw.interactions(study_of(), HEADS, progress=False, **{**more, name: value})


def traced(name: str, value: Any) -> Any:
    known = {"corruption": "noise", "kinds": ("residual",), "subject": 2}
    return mw.causal_tracing(study_of(), progress=False, **{**known, name: value})


@lru_cache
def game_of() -> mw.Interactions:
    return mw.interactions(study_of(3), HEADS, progress=False)


@lru_cache
def tracing_of() -> mw.Tracing:
    return mw.causal_tracing(study_of(3), kinds=("residual",), progress=False)


ASKED: dict[str, Callable[[Any], Any]] = {
    # Models
    "load.source": lambda v: mw.load(v, tokenizer=1) if not isinstance(v, str | None) else None,
    "load.tokenizer": lambda v: of_model(tokenizer=v),
    "load.paths": lambda v: of_model(paths=v),
    "load.device": lambda v: of_model(device=v),
    "load.dtype": lambda v: of_model(dtype=v),
    "load.revision": lambda v: mw.load(
        lm_of("gpt2").hf, tokenizer=tokenizer_of("gpt2"), revision=v
    ),
    "ModulePaths": lambda v: of_model(paths=mw.ModulePaths(v, v, v, v, v)),
    "load.points": lambda v: mw.load(torch.nn.Sequential(torch.nn.Linear(2, 2)), points=v),
    "lm.tokens": lambda v: lm_of("gpt2").tokens(v),
    "lm.encode": lambda v: lm_of("gpt2").encode(v),
    # Prompts
    **{
        f"PromptPair.{name}": partial(paired, name)
        for name in ("clean", "corrupt", "answer", "wrong", "roles", "alignment")
    },
    "PromptPair.from_json": mw.PromptPair.from_json,
    "Contrast": mw.Contrast,
    "Contrast.name": lambda v: mw.Contrast([pair()], v),
    "Contrast.dropped": lambda v: mw.Contrast([pair()], dropped=v),
    "Contrast.from_json": mw.Contrast.from_json,
    "Readout": lambda v: mw.Study(lm_of("gpt2"), pair(), readout=mw.Readout(v)).total,
    "Readout.reduce": lambda v: mw.Readout(reduce=v),
    # Sites
    **{
        f"Site.{name}.{what}": partial(placed, what, name)
        for name in ("mediator", "layer", "head", "position", "unit", "key")
        for what in ("evaluate", "intervene", "activations", "edge")
    },
    "Site.from_json": mw.Site.from_json,
    # Edits
    "Patch": lambda v: edited(mw.Patch(v)),
    "Patch.alpha": lambda v: edited(mw.Patch(alpha=v)),
    "Mean": lambda v: edited(mw.Mean(v)),
    "Resample": lambda v: edited(mw.Resample(v)),
    "Resample.base": lambda v: edited(mw.Resample(base=v)),
    "Noise": lambda v: edited(mw.Noise(v)),
    "Noise.samples": lambda v: mw.Noise(1.0, samples=v),
    "Noise.seed": lambda v: edited(mw.Noise(1.0, seed=v)),
    "Noise.first": lambda v: edited(mw.Noise(1.0, first=v)),
    "Scale": lambda v: edited(mw.Scale(v)),
    "Steer": lambda v: edited(mw.Steer(v)),
    "Steer.scale": lambda v: edited(mw.Steer([1.0] * lm_of("gpt2").d_head, v)),
    "Clamp": lambda v: edited(mw.Clamp(v)),
    "Clamp.neuron": lambda v: mw.Run("clean", {mw.Site("neuron", 1, unit=2): mw.Clamp(v)}),
    "Values": lambda v: edited(mw.Patch(mw.Values(HEAD, v))),
    "Values.site": lambda v: edited(mw.Patch(mw.Values(v, np.zeros((2, 5, 8))))),
    "edit_from_json": edit_from_json,
    "edit_from_json.source": lambda v: edit_from_json({"kind": "patch", "source": v}),
    # Erasure and cross-model patching
    "leace.values": lambda v: mw.erasure.leace(v, [0, 1] * 5),
    "leace.site": lambda v: mw.erasure.leace(study_of(), v),
    "leace.labels": lambda v: mw.erasure.leace(POINTS, v),
    "leace.of_pairs": lambda v: mw.erasure.leace(study_of(), HEAD, v),
    "inlp.rounds": lambda v: mw.erasure.inlp(POINTS, [0, 1] * 5, rounds=v),
    "inlp.held_out": lambda v: mw.erasure.inlp(POINTS, [0, 1] * 5, held_out=v),
    "inlp.strength": lambda v: mw.erasure.inlp(POINTS, [0, 1] * 5, strength=v),
    "eraser": erased,
    "amnesic": lambda v: mw.erasure.amnesic(study_of(), v),
    "probed": lambda v: mw.erasure.probed(study_of(), v),
    "cross_patch": lambda v: mw.crossing.cross_patch(study_of(), v, "residual"),
    "cross_patch.by": lambda v: mw.crossing.cross_patch(study_of(), study_of(), "residual", v),
    "cross_patch.fit": lambda v: mw.crossing.cross_patch(
        study_of(), study_of(), "residual", fit=v, layers=[1], progress=False
    ),
    "least_squares": lambda v: mw.crossing.least_squares(v, POINTS),
    "procrustes": lambda v: mw.crossing.procrustes(POINTS, v),
    # Runs and sweeps
    "Run": lambda v: evaluated(mw.Run(v)),
    "Run.edits": lambda v: evaluated(mw.Run("clean", v)),
    "Run.edit": edited,
    "Run.freeze": lambda v: evaluated(mw.Run("clean", {HEAD: mw.Zero()}, v)),
    "Run.from_json": mw.Run.from_json,
    "Sweep": mw.Sweep,
    "sweep.mediator": lambda v: fresh().sweep(v, layers=[1], progress=False),
    "sweep.by": lambda v: swept(by=v),
    "sweep.by.place": lambda v: swept(by={"here": v}),
    "sweep.edit": lambda v: swept(edit=v),
    "sweep.window": lambda v: swept(window=v),
    "sweep.layers": lambda v: swept(layers=v),
    "sweep.freeze": lambda v: swept(freeze=v),
    "start": lambda v: fresh().start("head", v),
    # Engines
    "Engine.lm": lambda v: mw.Engine(v, study_of().token_pairs),
    "Engine.pairs": lambda v: mw.Engine(lm_of("gpt2"), v),
    "Engine.budget": lambda v: mw.Engine(lm_of("gpt2"), study_of().token_pairs, v).evaluate([]),
    "Engine.roles": lambda v: mw.Engine(lm_of("gpt2"), study_of().token_pairs, roles=v),
    "Engine.columns": lambda v: mw.Engine(lm_of("gpt2"), study_of().token_pairs, columns=v),
    "evaluate": study_of().engine.evaluate,
    "evaluate.run": evaluated,
    "values_of": lambda v: study_of().engine.values_of(v, mw.Run("clean")),
    "evaluate.top": lambda v: study_of().engine.evaluate([], top=v),
    "recall": study_of().engine.recall,
    "recall.top": lambda v: study_of().engine.recall([mw.Run("clean")], top=v),
    # Metrics
    "KL": lambda v: measured(mw.KL(v)),
    "Function": lambda v: measured(mw.Function(v)),
    "Function.name": lambda v: measured(mw.Function(lambda kept: kept["answer"], v)),
    "Function.unit": lambda v: measured(mw.Function(lambda kept: kept["answer"], unit=v)),
    "Function.tokens": lambda v: measured(mw.Function(lambda kept: kept["answer"], tokens=v)),
    "Function.returns": lambda v: measured(columns_of(lambda _: v)),
    "Metric": mw.LogitDiff(),
    "Metric.read": lambda v: mw.LogitDiff().read(np.zeros(3), v),
    "metric_named": metric_named,
    "metric_from_json": metric_from_json,
    # Studies
    "Study.lm": lambda v: mw.Study(v, pair()),
    "Study.pairs": lambda v: mw.Study(lm_of("gpt2"), v).total,
    "Study.metric": lambda v: mw.Study(lm_of("gpt2"), pair(), metric=v).total["TE"],
    "Study.edit": lambda v: mw.Study(lm_of("gpt2"), pair(), edit=v).intervene(HEAD),
    "Study.readout": lambda v: mw.Study(lm_of("gpt2"), pair(), readout=v).total,
    "study.metric": lambda v: setattr(fresh(), "metric", v),
    "study.edit": lambda v: setattr(fresh(), "edit", v),
    "intervene": lambda v: fresh().intervene(v),
    "intervene.edit": lambda v: fresh().intervene({HEAD: v}),
    "intervene.freeze": lambda v: fresh().intervene(HEAD, v),
    "activations": lambda v: study_of().activations(v),
    "activations.base": lambda v: study_of().activations(HEAD, v),
    "subscribe": lambda v: fresh().subscribe(v),
    "labels": lambda v: study_of().labels(v),
    "history.name": lambda v: walked().history.name(1, v),
    "history.name.index": lambda v: walked().history.name(v, "x"),
    "walk": lambda v: walked().walk(v),
    "compare": lambda v: walked().compare(v, 1),
    "compare.second": lambda v: walked().compare(1, v),
    "compare.level": lambda v: walked().compare(1, 2, v),
    "to_code": lambda v: walked().to_code(v),
    "study.save": lambda v: walked().save(v) if not isinstance(v, str) else None,
    "Study.load": lambda v: mw.Study.load(v, lm_of("gpt2")),
    "Study.load.lm": lambda v: mw.Study.load(saved(), v),
    "Study.load.metric": lambda v: mw.Study.load(saved(), lm_of("gpt2"), metric=v),
    # Effects
    **{
        f"Effect.{name}.{kind}": partial(ask, effect_of(kind))
        for kind in ("patch", "zero", "total")
        for name, ask in OF_AN_EFFECT.items()
    },
    "ci": lambda v: effect_of("total").ci(v, resamples=20),
    "ci.level": lambda v: effect_of("total").ci("TE", level=v, resamples=20),
    "ci.resamples": lambda v: effect_of("total").ci("TE", resamples=v),
    "ci.seed": lambda v: effect_of("total").ci("TE", resamples=20, seed=v),
    "Effect.load": mw.Effect.load,
    "Effect.save": lambda v: effect_of("total").save(v) if not isinstance(v, str) else None,
    **{
        f"effect.{name}.{option}": partial(inferred, name, option)
        for name, options in INFERRED.items()
        for option in options
    },
    # Games, traces, routes, doses
    "interactions.study": lambda v: mw.interactions(v, HEADS, progress=False),
    "interactions.players": lambda v: mw.interactions(study_of(), v, progress=False),
    "interactions.player": lambda v: mw.interactions(study_of(), [HEAD, v], progress=False),
    **{f"interactions.{name}": partial(played, name) for name in GAME_OPTIONS},
    "interactions.worth": lambda v: game_of().worth(v),
    "interactions.worth.player": lambda v: game_of().worth([v]),
    "interactions.rescore": lambda v: game_of().rescore(v),
    "interactions.matrix_ci": lambda v: game_of().matrix_ci(v, 20),
    "causal_tracing.study": mw.causal_tracing,
    **{f"causal_tracing.{name}": partial(traced, name) for name in TRACE_OPTIONS},
    "tracing.indirect": lambda v: tracing_of().indirect(v),
    "tracing.rescore": lambda v: tracing_of().rescore(v),
    "tracing.top": lambda v: tracing_of().top(v),
    "routes.study": lambda v: mw.routes(v, HEADS[0]),
    "routes.sites": lambda v: mw.routes(study_of(), v, progress=False),
    "routes.via": lambda v: mw.routes(study_of(), HEADS[0], via=v, progress=False),
    "dose_curve.study": lambda v: mw.dose_curve(v, HEAD),
    "dose_curve.sites": lambda v: mw.dose_curve(study_of(), v, [0.5], progress=False),
    "dose_curve.alphas": lambda v: mw.dose_curve(study_of(), HEAD, v, progress=False),
    # Tasks
    **{
        f"tasks.{task.__name__}.{name}": partial(set_up, task, name)
        for task in (mw.tasks.ioi, mw.tasks.induction)
        for name in ("lm", "n", "seed", "corruption", "split")
    },
    "tasks.from_csv": mw.tasks.from_csv,
    "tasks.from_jsonl": mw.tasks.from_jsonl,
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", ASKED)
def test_hostile_values(name: str) -> None:
    @FEW
    @given(hostile)
    def check(value: Any) -> None:
        if name.rsplit(".", maxsplit=1)[-1] in {"resamples", "permutations", "n", "samples"}:
            value = value if not isinstance(value, int) or value < 50 else 10**12
        answers(ASKED[name], value)

    check()


# --- what is valid answers ----------------------------------------------------------------------


@st.composite
def prompts(draw: st.DrawFn) -> mw.PromptPair:
    """Two prompts of known words and two different answers of one token."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=9))
    other = list(words)
    for at in draw(st.sets(st.integers(0, len(words) - 1), min_size=1, max_size=2)):
        other[at] = draw(st.sampled_from([w for w in WORDS if w != words[at]]))
    answer, wrong = draw(st.lists(st.sampled_from(WORDS), min_size=2, max_size=2, unique=True))
    roles = draw(st.dictionaries(st.sampled_from("AB"), st.integers(0, len(words) - 1)))
    return mw.PromptPair(" ".join(words), " ".join(other), answer, wrong, roles)


@settings(FEW, max_examples=40)
@given(st.lists(prompts(), min_size=1, max_size=3), st.sampled_from(sorted(METRICS)), st.data())
def test_valid_questions_answer(pairs: list[mw.PromptPair], name: str, data: st.DataObject) -> None:
    study = mw.Study(lm_of("gpt2"), pairs, metric=metric_named(name))
    layer, head = data.draw(st.integers(0, 4)), data.draw(st.integers(0, 2))
    last = min(len(one) for one in study.token_pairs) - 1
    position = data.draw(st.none() | st.integers(0, last))
    edit = data.draw(st.sampled_from([mw.Patch(), mw.Zero(), mw.Noise(1.0), mw.Scale(2.0)]))
    effect = study.intervene({mw.Site("head", layer, head=head, position=position): edit})
    assert effect.status in (Status.EXACT, Status.IMPLIED_ZERO)
    sound(effect)
    key = "PIE" if edit.corners else "corrupt"
    assert effect[key] == pytest.approx(float(effect.pairs(key).mean()))
    again = study.intervene({mw.Site("head", layer, head=head, position=position): edit})
    np.testing.assert_allclose(again.edited, effect.edited, atol=1e-9)
    grid = study.sweep("head", edit=edit, layers=[layer], progress=False)
    if position is None:
        np.testing.assert_allclose(grid.edited[:, :, 0, head], effect.edited, atol=1e-9)


VALID: dict[str, Callable[[], Any]] = {
    "numpy numbers": lambda: study_of().intervene(
        mw.Site("head", np.int64(1), head=np.int32(2), position=np.array([1, 3]))  # type: ignore[arg-type]
    ),
    "a set of answers": lambda: mw.Study(lm_of("gpt2"), pair(answer=["fox", "hen"])).total["TE"],
    "layers of numpy": lambda: swept(layers=np.arange(2)),
    "a tensor to steer by": lambda: edited(mw.Steer(torch.ones(8))),
    "a group of positions": lambda: swept(by={"all": (0, 1, 2, 3, 4), "last": 4}),
    "bare sites": lambda: study_of().intervene([HEAD, mw.Site("mlp_out", 2)]),
    "no runs": lambda: study_of().engine.recall([]),
    "a pair by a number of numpy": lambda: effect_of("total").pair(np.int64(0)),  # type: ignore[arg-type]
    "spans": lambda: mw.Study(lm_of("gpt2"), pair(roles={"S": (1, 2)})).sweep(
        "head", by="role", progress=False
    ),
}


@pytest.mark.parametrize("name", VALID)
def test_what_is_known_to_be_valid(name: str) -> None:
    found = VALID[name]()
    sound(found)
    assert found is not None
