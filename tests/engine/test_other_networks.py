"""Networks that are no decoders of tokens: BERT and its classifier, Mamba. Against plain hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.edits.base import BASES
from tests.engine.cases import lm_of
from tests.engine.judging import compare, judge, pairs_of
from tests.engine.test_random_runs import mediators_of, runs
from tests.small_models import OTHER_KINDS, random_model, tokenizer_of

POSITIONS = (None, (2, 5))


def every_site(lm: Any, mediator: str) -> list[mw.Site]:
    """Sites in the first, a middle and the last layer, at some positions and at all."""
    known = mw.mediators.MEDIATORS[mediator]
    last = known.n_layers(lm.shape) - 1
    found = []
    for i, layer in enumerate(sorted({0, last // 2, last})):
        index = {known.index: known.units(lm.shape) - 1 - i} if known.index else {}
        if known.keyed:
            found += [mw.Site(mediator, layer, **index, position=p, key=k) for p, k in ((4, 1),)]
        else:
            found += [mw.Site(mediator, layer, **index, position=p) for p in POSITIONS]
    return found


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero()], ids=["patch", "zero"])
def test_every_mediator_is_the_oracles(kind: str, edit: mw.Edit) -> None:
    made, oracle = judge(kind, pairs_of(kind, 1))
    found = [
        mw.Run(base, {site: edit})
        for mediator in mediators_of(kind)
        for site in every_site(made.lm, mediator)
        for base in BASES
    ]
    outcomes = compare(made, oracle, found)
    assert np.ptp(outcomes.kept[:, 0, 0]) > 0.1, "the cases tell runs apart"


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_random_runs(kind: str) -> None:
    made, oracle = judge(kind, pairs_of(kind, 3))

    @settings(max_examples=6, deadline=None, derandomize=True, database=None)
    @given(st.lists(runs(kind, 1), min_size=1, max_size=4), st.booleans())
    def check(some: list[mw.Run], recall: bool) -> None:
        compare(made, oracle, some, recall=recall)

    check()


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_folder_is_loaded_as_what_it_was_saved_as(kind: str, tmp_path: Path) -> None:
    model = random_model(kind)
    model.save_pretrained(tmp_path)
    tokenizer_of(kind).save_pretrained(tmp_path)
    lm = mw.load(tmp_path, dtype=torch.float64, device="cpu")
    assert type(lm.hf) is type(model)
    assert lm.causal == (kind in ("mamba", "t5"))
    pairs = pairs_of(kind, 1)
    found = [mw.Study(one, pairs).total["TE"] for one in (lm, lm_of(kind))]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-9)


# --- what is asked of them ------------------------------------------------------------------------


def test_a_masked_model_is_read_at_its_mask() -> None:
    lm = lm_of("bert")
    assert lm.fills_mask
    assert not lm.causal
    pair = mw.PromptPair("ant bee [MASK] cat", "ant fox [MASK] cat", "gnu", "hen")
    study = mw.Study(lm, pair)
    ids = torch.tensor([lm.encoder.ids(pair.clean)])
    logits = lm.hf(ids).logits[0, 2]
    gnu, hen = (lm.encoder.answer(word, "answer") for word in ("gnu", "hen"))
    np.testing.assert_allclose(study.total["Y11"], (logits[gnu] - logits[hen]).item(), atol=1e-9)
    elsewhere = mw.Study(lm, pair, readout=mw.Readout(position=0))
    assert abs(elsewhere.total["Y11"] - study.total["Y11"]) > 1e-3


@pytest.mark.parametrize("text", ["ant bee cat dog", "ant [MASK] [MASK] dog"])
def test_a_masked_model_wants_one_mask(text: str) -> None:
    pair = mw.PromptPair(text, text.replace("ant", "fox"), "gnu", "hen")
    with pytest.raises(mw.MediationError, match="the place of one mask"):
        mw.Study(lm_of("bert"), pair)


def test_an_answer_of_several_tokens_fills_no_mask() -> None:
    pair = mw.PromptPair("ant [MASK] cat", "fox [MASK] cat", "gnu hen", "owl")
    with pytest.raises(mw.MediationError, match="several tokens"):
        mw.Study(lm_of("bert"), pair)


def test_a_classifier_of_bert_answers_labels_at_its_first_token() -> None:
    lm = lm_of("bert_classifier")
    assert lm.classifies
    assert not lm.fills_mask
    pair = mw.PromptPair("ant bee cat", "ant fox cat", "LABEL_1", "2")
    study = mw.Study(lm, pair)
    assert study.token_pairs[0].strands[0].reads == (0,)
    logits = lm.hf(torch.tensor([lm.encoder.ids(pair.clean)])).logits[0]
    np.testing.assert_allclose(study.total["Y11"], (logits[1] - logits[2]).item(), atol=1e-9)


def test_t5_is_asked_after_what_its_decoder_has_written() -> None:
    lm = lm_of("t5")
    assert lm.encodes
    assert lm.causal
    pair = mw.PromptPair("ant bee cat", "ant fox cat dog", "gnu", "hen", decoder="owl pig")
    study = mw.Study(lm, pair)
    # Texts of different lengths are no matter: positions are the decoder's.
    effect = study.sweep("residual", by="position", progress=False)
    assert effect.axes["position"] == (0, 1, 2)
    assert not [check for check in effect.checks[1:] if check.ok is False]
    for base, key in (("clean", "Y11"), ("corrupt", "Y00")):
        source = torch.tensor([lm.encoder.ids(getattr(pair, base))])
        own = torch.tensor([[0, *lm.tokenizer("owl pig")["input_ids"]]])
        logits = lm.hf(input_ids=source, decoder_input_ids=own).logits[0, -1]
        gnu, hen = (lm.encoder.answer(word, "answer") for word in ("gnu", "hen"))
        np.testing.assert_allclose(study.total[key], (logits[gnu] - logits[hen]).item(), atol=1e-9)
    assert mw.PromptPair.from_json(pair.to_json()) == pair


def test_t5_forces_an_answer_of_several_tokens() -> None:
    lm = lm_of("t5")
    pair = mw.PromptPair("ant bee cat", "ant fox cat", "gnu hen", "owl")
    study = mw.Study(lm, pair, metric=mw.LogProb())
    words = lm.tokenizer("gnu hen")["input_ids"]
    logits = lm.hf(
        input_ids=torch.tensor([lm.encoder.ids(pair.clean)]),
        decoder_input_ids=torch.tensor([[0, words[0]]]),
    ).logits[0]
    expected = sum(logits[i].log_softmax(-1)[word].item() for i, word in enumerate(words))
    np.testing.assert_allclose(study.total["Y11"], expected, atol=1e-9)


def test_only_a_model_with_a_decoder_of_its_own_has_a_text_for_it() -> None:
    pair = mw.PromptPair("ant bee", "ant fox", "gnu", "hen", decoder="owl")
    with pytest.raises(mw.MediationError, match="no decoder beside it"):
        mw.Study(lm_of("gpt2"), pair)


@pytest.mark.parametrize("name", ["head", "query", "key", "value", "pattern", "edge", "attn_out"])
def test_a_model_without_heads_says_so(name: str) -> None:
    study = mw.Study(lm_of("mamba"), pairs_of("mamba", 1))
    with pytest.raises(mw.MediationError, match=r"(?s)This model has no .*mixer_out"):
        study.sweep(name, progress=False)


@pytest.mark.parametrize("name", ["mixer_out", "mixer_channel"])
def test_a_model_with_heads_has_no_mixer(name: str) -> None:
    with pytest.raises(mw.MediationError, match=r"This model has no mixer"):
        mw.Study(lm_of("gpt2"), pairs_of("gpt2", 1)).sweep(name, progress=False)


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_estimates_are_slopes_of_the_runs(kind: str) -> None:
    """A hundredth of the way to the other prompt, a run moves by a hundredth of its estimate."""
    study = mw.Study(lm_of(kind), pairs_of(kind, 2))
    # Beyond layer 0 of Mamba single precision norms would show in so small a step.
    places = [(2, 5), (1, 3)]
    guess = study.estimate("residual", by="position")
    patch = mw.Patch(alpha=0.01)
    runs = [mw.Run("clean", {mw.Site("residual", i, position=p): patch}) for i, p in places]
    kept = study.engine.evaluate(runs)
    moved = (kept.kept - kept.bases[:, 0])[..., 0] - (kept.kept - kept.bases[:, 0])[..., 1]
    for (layer, position), change in zip(places, moved, strict=True):
        estimated = -guess.pairs("TIE")[:, layer, position]
        np.testing.assert_allclose(change / 0.01, estimated, rtol=0.2, atol=2e-2)


def test_routes_through_all_that_writes() -> None:
    """What the decoder of T5 reads of its source is a route too, and one of Mamba's scans."""
    for kind, expected in (("t5", "cross_head"), ("mamba", "mixer_out")):
        study = mw.Study(lm_of(kind), pairs_of(kind, 1))
        found = mw.routes(study, mw.Site("residual", 2), progress=False)
        assert {site.mediator for site in found.later} >= {expected}
        assert np.isfinite(found.pairs("PIE")).all()


@pytest.mark.parametrize("kind", ["mamba", "t5"])
def test_edges_are_refused_where_something_else_writes_to_the_stream(kind: str) -> None:
    with pytest.raises(mw.MediationError, match="edges of this model are not known"):
        _ = lm_of(kind).wiring
