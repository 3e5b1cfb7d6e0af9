"""Decoders that classify, with a pad token and without: against one plain pass a cell."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mediawidget as mw
from mediawidget.architectures import ARCHITECTURES
from mediawidget.pooling import pooled_at
from mediawidget.rewiring import masks_of, rewire
from tests.engine.cases import BASES, OTHER, Case, lm_of, oracle_edited
from tests.oracle import Oracle
from tests.small_models import random_classifier, random_model, tokenizer_of

KINDS = ("gpt2", "llama", "gpt_neox", "falcon", "mistral", "bloom")
END = "zebra"
"""The word whose token stands for padding, where a model has one."""

EXACT = 1e-9
PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant bee gnu dog hen", "LABEL_0", "LABEL_2"),
    mw.PromptPair("hen ibis jay kite", "hen mole jay newt", "LABEL_1", "LABEL_2"),
    mw.PromptPair("owl pig quail rat seal", "owl pig vole rat wasp", "LABEL_2", "LABEL_0"),
]
ENDED = [
    mw.PromptPair(f"{one.clean} {END} {END}", f"{one.corrupt} {END} {END}", one.answer, one.wrong)
    for one in PAIRS
]
"""Prompts of which a model that takes their last word for padding reads an earlier one."""


def pad_of(kind: str) -> int:
    return int(tokenizer_of(kind).get_vocab()[f" {END}"])


def case_of(kind: str, pairs: list[mw.PromptPair], pad: int | None, **more: Any) -> Case:
    """A study of a classifier, and the oracle on a copy that only the oracle runs."""
    contrast = mw.Contrast(pairs)
    words = tokenizer_of(kind)
    lm = mw.load(random_classifier(kind, pad), tokenizer=words)
    oracle = Oracle(random_classifier(kind, pad), words, contrast.pairs)
    return Case(kind, contrast, lm, mw.Study(lm, contrast, **more), oracle, EXACT)


def own(made: Case, text: str) -> torch.Tensor:
    """What the user's own call gives, (label,)."""
    with torch.no_grad():
        logits: torch.Tensor = made.lm.hf(torch.tensor([made.oracle.ids(text)])).logits
    return logits[0]


def assert_as_the_models_own(made: Case) -> None:
    """The total, a sweep of heads on both prompts and a click are what plain passes give."""
    total = made.study.total
    swept = made.study.sweep("head", progress=False)
    site = mw.Site("head", 1, head=1, position=2)
    clicked = made.study.intervene(site)
    for effect in (total, swept, clicked):
        assert not [check for check in effect.checks[1:] if check.ok is False]
    for index, pair in enumerate(made.pairs):
        answer, wrong = (made.oracle.token(str(label)) for label in (pair.answer, pair.wrong))
        for base, key in zip(BASES, ("Y11", "Y00"), strict=True):
            logits = own(made, getattr(pair, base))
            expected = (logits[answer] - logits[wrong]).item()
            np.testing.assert_allclose(total.pairs(key)[index], expected, rtol=0, atol=EXACT)
        found = oracle_edited(made, "head", index=index)
        np.testing.assert_allclose(swept.edited[index], found, rtol=0, atol=EXACT)
        for at, base in enumerate(BASES):
            kept = made.oracle.run(base, [(site, OTHER[base])], index)
            np.testing.assert_allclose(clicked.edited[index, at], kept, rtol=0, atol=EXACT)
    assert np.ptp(swept.edited[..., 0]) > 0.1, "the cells differ"


@pytest.mark.parametrize("padded", [False, True], ids=["no pad token", "pad token"])
@pytest.mark.parametrize("pairs", [PAIRS, ENDED], ids=["words", "ends in pad tokens"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_classifier_answers_as_it_does_by_itself(
    kind: str, pairs: list[mw.PromptPair], padded: bool
) -> None:
    made = case_of(kind, pairs, pad_of(kind) if padded else None)
    assert_as_the_models_own(made)
    config: Any = made.lm.hf.config
    assert config.pad_token_id == (pad_of(kind) if padded else None)


@pytest.mark.parametrize("kind", KINDS)
def test_passes_over_several_prompts_need_no_pad_token(kind: str) -> None:
    """Gradients and rewired passes take all rows at once, and a pad token says nothing to them."""
    found = []
    for pad in (None, pad_of(kind)):
        study = case_of(kind, PAIRS, pad).study
        keep = np.ones((2, *study.lm.wiring.reach.shape))
        keep[1, 2:5] = 0
        wired = rewire(study.engine, masks_of(keep), 2).result()
        np.testing.assert_allclose(wired[0], study.total.bases[:, 0], rtol=0, atol=EXACT)
        assert np.ptp(wired, axis=0).max() > 1e-3
        found.append((study.estimate("head").pairs("TIE"), wired))
    for own_padding, padded in zip(*found, strict=True):
        assert np.isfinite(own_padding).all()
        np.testing.assert_allclose(own_padding, padded, rtol=0, atol=EXACT)


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox"])
def test_positions_behind_the_one_that_is_read_reach_nothing(kind: str) -> None:
    made = case_of(kind, ENDED[:1], pad_of(kind))
    swept = made.study.sweep("residual", by="position", progress=False)
    found = oracle_edited(made, "residual", "position")
    np.testing.assert_allclose(swept.edited[0], found, rtol=0, atol=EXACT)
    assert made.study.token_pairs[0].strands[0].reads == (4,)
    assert (swept.status[:, 5:] == mw.effects.Status.IMPLIED_ZERO).all()


# --- where it answers -----------------------------------------------------------------------------


@pytest.mark.parametrize("padded", [False, True], ids=["no pad token", "pad token"])
@pytest.mark.parametrize("position", [2, -2, 0, "noun"])
def test_a_classifier_is_read_nowhere_else(position: Any, padded: bool) -> None:
    pair = mw.PromptPair(PAIRS[0].clean, PAIRS[0].corrupt, "0", "2", roles={"noun": 2})
    lm = mw.load(
        random_classifier("gpt2", pad_of("gpt2") if padded else None),
        tokenizer=tokenizer_of("gpt2"),
    )
    with pytest.raises(mw.MediationError, match=r"(?s)a position of its own.*answers at 4 ' eel'"):
        mw.Study(lm, pair, readout=mw.Readout(position))


def test_a_classifier_of_bert_is_read_at_its_first_token() -> None:
    pair = mw.PromptPair("ant bee cat", "ant fox cat", "LABEL_1", "2")
    with pytest.raises(mw.MediationError, match=r"(?s)a position of its own.*answers at 0 ' ant'"):
        mw.Study(lm_of("bert_classifier"), pair, readout=mw.Readout(2))
    mw.Study(lm_of("bert_classifier"), pair, readout=mw.Readout(0))


def test_a_decoder_of_bert_answers_at_its_first_token_too() -> None:
    """Which of a text whose words see those before them alone is the first word's answer."""
    words = tokenizer_of("bert_classifier")
    model = random_model("bert_classifier")
    decoder = type(model)(type(model.config)(**model.config.to_dict() | {"is_decoder": True}))
    decoder.double().load_state_dict(model.state_dict())
    nn.Module.eval(decoder)
    contrast = mw.Contrast([mw.PromptPair("ant bee cat", "fox bee cat", "LABEL_1", "LABEL_2")])
    lm = mw.load(decoder, tokenizer=words)
    assert lm.causal
    oracle = Oracle(copy.deepcopy(decoder), words, contrast.pairs)
    made = Case("bert", contrast, lm, mw.Study(lm, contrast), oracle, EXACT)
    swept = made.study.sweep("residual", by="position", progress=False)
    expected = oracle_edited(made, "residual", "position")
    np.testing.assert_allclose(swept.edited[0], expected, rtol=0, atol=EXACT)
    assert np.ptp(made.study.total.bases[0], axis=0).max() > 0.1


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox"])
def test_paths_of_a_classifier_name_its_head(kind: str) -> None:
    model, words = random_classifier(kind), tokenizer_of(kind)
    paths = replace(ARCHITECTURES[kind], head=None)
    with pytest.raises(mw.MediationError, match=r"(?s)read off its head.*head='score'"):
        mw.load(model, tokenizer=words, paths=paths)
    lm = mw.load(model, tokenizer=words, paths=replace(paths, head="score"))
    found = mw.Study(lm, PAIRS).sweep("mlp_out", progress=False)
    expected = case_of(kind, PAIRS, None).study.sweep("mlp_out", progress=False)
    np.testing.assert_allclose(found.edited, expected.edited, rtol=0, atol=EXACT)


@pytest.mark.parametrize("position", [4, -3, "noun"])
def test_the_position_at_which_it_answers_may_be_said(position: Any) -> None:
    first = ENDED[0]
    pair = mw.PromptPair(first.clean, first.corrupt, first.answer, first.wrong, roles={"noun": 4})
    made = case_of("gpt2", [pair], pad_of("gpt2"), readout=mw.Readout(position))
    assert_as_the_models_own(made)


def test_prompts_that_are_read_at_other_places_are_refused() -> None:
    pair = mw.PromptPair(f"ant bee {END}", "ant bee cat", "LABEL_0", "LABEL_2")
    case_of("gpt2", [pair], None)
    with pytest.raises(mw.MediationError, match=r"(?s)are no partners.*position 1 of the clean"):
        case_of("gpt2", [pair], pad_of("gpt2"))
    texts = f"ant bee cat {END}", f"ant cat {END}"
    longer = mw.PromptPair(*texts, "LABEL_0", "LABEL_2", alignment=[(2, 1)])
    made = case_of("gpt2", [longer], pad_of("gpt2"))
    expected = [made.oracle.run(base) for base in BASES]
    np.testing.assert_allclose(made.study.total.bases[0], expected, rtol=0, atol=EXACT)


def test_a_pad_token_that_a_config_is_given_later_counts() -> None:
    made = case_of("gpt2", ENDED, None)
    for model in (made.lm.hf, made.oracle.model):
        config: Any = model.config
        config.pad_token_id = pad_of("gpt2")
    made = Case("gpt2", made.contrast, made.lm, mw.Study(made.lm, ENDED), made.oracle, EXACT)
    assert_as_the_models_own(made)


@pytest.mark.parametrize("ids", [[5, 6, 7], [5, 6, 9, 7, 9, 9], [9, 9, 5], [9, 9], [5]])
@pytest.mark.parametrize("pad", [None, 9])
def test_the_last_token_but_padding_is_the_models_own(ids: list[int], pad: int | None) -> None:
    model: Any = random_classifier("gpt2", pad)
    with torch.no_grad():
        every = model.score(model.transformer(torch.tensor([ids])).last_hidden_state)[0]
        logits = model(torch.tensor([ids])).logits[0]
    torch.testing.assert_close(every[pooled_at(ids, pad)], logits, rtol=0, atol=EXACT)


def test_what_fails_in_a_pass_leaves_the_model_without_a_pad_token() -> None:
    made = case_of("gpt2", PAIRS, None)
    hook = made.lm.hf.score.register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.lm.logits_at(torch.tensor([[2, 3], [4, 5]]), [-1])
    hook.remove()
    assert made.lm.hf.config.pad_token_id is None


def test_a_server_is_asked_for_several_prompts_at_once() -> None:
    words = tokenizer_of("gpt_neox")
    with pytest.raises(mw.MediationError, match=r"(?s)one prompt a pass on a server.*pad_token_id"):
        mw.load(random_classifier("gpt_neox"), tokenizer=words, remote="local")
    padded = random_classifier("gpt_neox", pad_of("gpt_neox"))
    both = [mw.load(padded, tokenizer=words, remote=remote) for remote in (False, "local")]
    here, there = (mw.Study(lm, PAIRS).sweep("mlp_out", progress=False) for lm in both)
    np.testing.assert_allclose(there.edited, here.edited, rtol=0, atol=EXACT)
