"""One pair looked at: the values are those of the whole study, whatever the prompts and answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.lens import logit_lens, logits_of
from mediawidget.looking import look
from tests.oracle import Oracle
from tests.small_models import random_model, tokenizer_of

SHORT = mw.PromptPair("ant bee cat dog", "ant bee owl dog", answer="hen", wrong="ibis")
LONG = mw.PromptPair(
    "rat bee pig dog eel fox", "rat bee yak dog eel fox", answer="jay", wrong="kite"
)
UNEQUAL = mw.PromptPair("ant bee cat dog eel", "ant bee owl eel", answer="hen", wrong="ibis")
TOLD = mw.PromptPair("ant bee cat dog", "ant bee owl dog", answer="hen jay", wrong="ibis kite")
SITES = [
    mw.Site("pattern", 2, head=1),
    mw.Site("residual", 5),
    mw.Site("neuron", 1, unit=7),
    mw.Site("head", 3, head=2),
]
RUNS = [
    mw.Run("clean"),
    mw.Run("corrupt"),
    mw.Run("corrupt", {mw.Site("head", 1, head=0): mw.Patch()}),
    mw.Run("clean", {mw.Site("edge", 1, head=2, position=3, key=1): mw.Knockout()}),
    mw.Run("clean", {mw.Site("mlp_out", 0): mw.Zero()}, freeze=("head",)),
]


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("pairs", [[SHORT, LONG], [UNEQUAL], [TOLD]])
def test_one_pair_is_seen_as_in_a_study_of_it_alone(
    lm: mw.LM, pairs: list[mw.PromptPair], run: mw.Run
) -> None:
    study = mw.Study(lm, pairs)
    for index, pair in enumerate(pairs):
        alone = mw.Study(lm, pair)
        for site, seen in zip(SITES, look(study.engine, index, run, SITES), strict=True):
            expected = alone.activations(site, run).array[0]
            width = len(seen) if site.mediator == "pattern" else expected.shape[1]
            np.testing.assert_allclose(seen.numpy(), expected[:, :width], atol=1e-12)


def test_what_is_seen_is_what_hooks_see(lm: mw.LM) -> None:
    pairs = [SHORT, LONG]
    judge = Oracle(lm.hf, lm.tokenizer, pairs)
    engine = mw.Study(lm, pairs).engine
    for index, pair in enumerate(pairs):
        values = judge.values(pair.corrupt)
        pattern, stream, *_ = look(engine, index, mw.Run("corrupt"), SITES)
        np.testing.assert_allclose(pattern, values["pattern", 2][1], atol=1e-12)
        np.testing.assert_allclose(stream, values["residual", 5], atol=1e-12)


@pytest.mark.parametrize("pair", [UNEQUAL, TOLD])
def test_the_lens_of_odd_prompts_and_answers(lm: mw.LM, pair: mw.PromptPair) -> None:
    engine = mw.Study(lm, pair).engine
    for base in ("clean", "corrupt"):
        lens = logit_lens(engine, 0, mw.Run(base))
        ids = torch.from_numpy(getattr(engine.pairs[0], base))[None]
        with torch.no_grad():
            p = lm.hf(ids).logits[0].softmax(-1)
        first = engine.pairs[0].answers[0][0]
        np.testing.assert_allclose(lens.answer[-1], p[:, first], atol=1e-12)
        np.testing.assert_allclose(lens.p[-1, :, 0], p.max(-1).values, atol=1e-12)


def test_a_mean_is_that_of_all_pairs(lm: mw.LM) -> None:
    other = mw.PromptPair("mole bee newt dog", "mole bee seal dog", answer="coral", wrong="dust")
    study = mw.Study(lm, [SHORT, other])
    run = mw.Run("clean", {mw.Site("mlp_out", 1): mw.Mean()})
    for index in range(2):
        (seen,) = look(study.engine, index, run, [mw.Site("residual", 3)])
        expected = study.activations(mw.Site("residual", 3), run).array[index]
        np.testing.assert_allclose(seen.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("sites", "words"),
    [
        ([], "Whole sites"),
        ([mw.Site("residual", 1, position=2)], "Whole sites"),
        ([mw.Site("residual", 9)], "layer is out of range"),
        ([mw.Site("pattern", 1)], "comes per head"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(lm: mw.LM, sites: list[Any], words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        look(mw.Study(lm, SHORT).engine, 0, mw.Run("clean"), sites)


def test_the_way_out_leaves_no_hook(lm: mw.LM) -> None:
    before = lm.fingerprint()
    logits_of(lm, torch.zeros(3, lm.d_model, dtype=torch.float64))
    assert before is not None
    assert lm.fingerprint() == before
