"""A click that starts from kept base runs is the click that computes them, and never stale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.engine import Engine
from mediawidget.mediators import MEDIATORS
from mediawidget.outcomes import Outcomes
from tests.engine.cases import lm_of, random_pair, several
from tests.small_models import (
    ALL_KINDS,
    KINDS,
    SINGLE_PRECISION_ATTENTION,
)

#: Where attention is eager, its softmax is in single precision.
EAGER = 5e-5
EXACT = 1e-9

HEAD = mw.Site("head", 1, head=1)


def forced(kind: str) -> list[mw.PromptPair]:
    """Answers of several tokens: each pair has a row for the answer and one for the wrong one."""
    return [
        mw.PromptPair(pair.clean, pair.corrupt, "fox gnu hen", "owl")
        for pair in (random_pair(kind, 380 + i, length=6, first=2) for i in range(2))
    ]


def runs_of(lm: mw.LM, n_positions: int = 7) -> list[mw.Run]:
    """Single sites of every kind the model has, joint edits, frozen runs; no pattern."""
    edits: list[dict[mw.Site, mw.Edit]] = []
    last = n_positions - 1
    for name, mediator in MEDIATORS.items():
        if not lm.has(mediator) or mediator.keyed or name == "pattern":
            continue
        index = {mediator.index: 0} if mediator.index else {}
        n_layers = mediator.n_layers(lm.shape)
        edits.append({mw.Site(name, n_layers // 2, **index): mw.Patch()})
        edits.append({mw.Site(name, 0, position=last, **index): mw.Zero()})
        edits.append({mw.Site(name, n_layers - 1, position=last, **index): mw.Patch()})
    head = mw.Site("head", 2, head=0, position=(3, last))
    edits += [
        {HEAD: mw.Patch("clean", alpha=0.3), mw.Site("mlp_out", 2): mw.Scale(-0.5)},
        {mw.Site("residual", 1): mw.Noise(1.0), head: mw.Mean()},
        {mw.Site("residual", lm.n_layers): mw.Patch()},
        {head: mw.Patch(mw.Run("clean", {mw.Site("mlp_out", 1): mw.Zero()}))},
    ]
    known = [edit for edit in edits if all(lm.has(MEDIATORS[site.mediator]) for site in edit)]
    runs = [mw.Run(base, edit) for edit in known for base in ("clean", "corrupt")]
    held = [mw.Run("corrupt", {HEAD: mw.Patch()}, freeze=("mlp_out",))]
    held += [mw.Run("clean", {mw.Site("residual", 1): mw.Patch()}, freeze=("head",))]
    return [*runs, *held, mw.Run("clean")]


def eager_runs(lm: mw.LM) -> list[mw.Run]:
    if not lm.has(MEDIATORS["pattern"]):
        return []
    pattern = mw.Site("pattern", 1, head=1)
    edge = mw.Site("edge", 2, head=1, position=5, key=(1, 2))
    return [
        mw.Run("corrupt", {pattern: mw.Patch()}),
        mw.Run("clean", {edge: mw.Zero(), HEAD: mw.Patch()}),
        mw.Run("corrupt", {HEAD: mw.Patch()}, freeze=("pattern",)),
    ]


def compared(engine: Engine, runs: list[mw.Run], atol: float, *, keeps: bool = True) -> None:
    """All at once and one click at a time: once with nothing kept, and then from what was."""
    at_embedding = [run for run in runs if any(s.mediator.startswith("emb") for s, _ in run.edits)]
    others = [run for run in runs if run not in at_embedding]
    for some in (others, at_embedding):
        if some:
            expected = engine.evaluate(some, top=4)
            agree(engine.recall(some, top=4), expected, atol)
            for click in (slice(2, 4), slice(-2, -1)):
                kept = engine.recall(some[click], top=4).kept
                np.testing.assert_allclose(kept, expected.kept[click], atol=atol, rtol=0)
    assert bool(engine._kept) == keeps


def agree(found: Outcomes, expected: Outcomes, atol: float) -> None:
    for name in ("kept", "bases", "fired"):
        values = getattr(found, name), getattr(expected, name)
        np.testing.assert_allclose(*values, atol=atol, rtol=0, err_msg=name)
    np.testing.assert_array_equal(found.implied, expected.implied)
    np.testing.assert_array_equal(found.left, expected.left)
    assert found.top.keys() == expected.top.keys()
    for key, likely in expected.top.items():
        assert [token for token, _ in found.top[key]] == [token for token, _ in likely]
        chances = [p for _, p in found.top[key]], [p for _, p in likely]
        np.testing.assert_allclose(*chances, atol=atol)


def engine_of(kind: str, pairs: list[mw.PromptPair], metric: mw.Metric | None = None) -> Engine:
    return mw.Study(lm_of(kind), pairs, metric=metric).engine


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_equal_to_a_full_evaluation(kind: str) -> None:
    engine = engine_of(kind, several(kind))
    single = kind in SINGLE_PRECISION_ATTENTION
    compared(engine, runs_of(engine.lm), EAGER if single else EXACT)
    runs = eager_runs(engine.lm)
    if runs:
        compared(engine, runs, EAGER)


@pytest.mark.parametrize("kind", ["gpt2", "falcon"])
def test_answers_of_several_tokens(kind: str) -> None:
    engine = engine_of(kind, forced(kind))
    compared(engine, runs_of(engine.lm, 6), EXACT)


@pytest.mark.parametrize("metric", [mw.KL(), mw.KL("corrupt"), mw.Rank()], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_columns_that_need_the_whole_distribution(kind: str, metric: mw.Metric) -> None:
    engine = engine_of(kind, several(kind), metric)
    runs = runs_of(engine.lm)
    compared(engine, runs[::3] + runs[-4:], EXACT)


@pytest.mark.parametrize("kind", KINDS)
def test_prompts_of_unequal_length_and_sites_by_role(kind: str) -> None:
    """What cannot start from kept runs is computed whole."""
    pair = random_pair(kind, 390, length=7, first=3)
    roles = {"S": 3, "END": 6}
    pairs = [
        mw.PromptPair(pair.clean, pair.corrupt, pair.answer, pair.wrong, roles),
        mw.PromptPair(pair.clean, pair.corrupt + " yak", pair.answer, pair.wrong, roles),
    ]
    runs = [
        mw.Run(base, {mw.Site("head", 2, head=1, position=role): mw.Patch()})
        for base in ("clean", "corrupt")
        for role in ("S", "END")
    ]
    for some in (pairs[:1], pairs):
        every = [*runs, mw.Run("clean", {HEAD: mw.Zero()})]
        compared(engine_of(kind, some), every, EXACT, keeps=len(some) == 1)


# --- other questions ----------------------------------------------------------------------------


def test_other_pairs_readouts_metrics_and_edits_are_other_clicks() -> None:
    """One model, one after the other: each as if it were the only one."""
    lm = lm_of("gpt2")
    one, two = several("gpt2")[:1], several("gpt2")[2:3]
    asked_: list[Callable[[], mw.Study]] = [
        lambda: mw.Study(lm, one),
        lambda: mw.Study(lm, two),
        lambda: mw.Study(lm, one + two),
        lambda: mw.Study(lm, one, readout=mw.Readout(5)),
        lambda: mw.Study(lm, one, metric=mw.KL()),
        lambda: mw.Study(lm, one, edit=mw.Zero()),
    ]
    quiet = [study().engine.evaluate(clicks(study())).kept for study in asked_]
    studies = [study() for study in asked_]
    for _ in range(2):
        for study, expected in zip(studies, quiet, strict=True):
            found = study.engine.recall(clicks(study))
            np.testing.assert_allclose(found.kept, expected, atol=EXACT, rtol=0)


def clicks(study: mw.Study) -> list[mw.Run]:
    return [mw.Run(base, {HEAD: study.edit}) for base in ("corrupt", "clean")]


def test_a_swap_or_another_metric_between_clicks() -> None:
    lm = lm_of("gpt2")
    study = mw.Study(lm, several("gpt2")[:1])
    site = mw.Site("mlp_out", 2)
    for _ in range(2):
        study.intervene(site)
    study.swap()
    swapped = mw.Study(lm, study.contrast)
    for _ in range(2):
        np.testing.assert_allclose(
            study.intervene(site).edited, swapped.intervene(site).edited, atol=EXACT
        )
    study.metric = mw.KL()
    fresh = mw.Study(lm, study.contrast, metric=mw.KL())
    for _ in range(2):
        effect, expected = study.intervene(site), fresh.intervene(site)
        np.testing.assert_allclose(effect.edited, expected.edited, atol=EXACT)
        assert effect["PIE"] == pytest.approx(expected["PIE"], abs=EXACT)


def test_more_likely_tokens_than_were_kept() -> None:
    engine = engine_of("gpt2", several("gpt2")[:1])
    runs = [mw.Run("corrupt", {HEAD: mw.Patch()})]
    for top in (0, 2, 7, 1):
        found, expected = engine.recall(runs, top=top), engine.evaluate(runs, top=top)
        assert found.top.keys() == expected.top.keys()
        assert all(len(likely) == top for likely in found.top.values())
