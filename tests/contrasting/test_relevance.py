"""Relevance: conserved in every layer, rolled out as published, and no effect."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.contrasting.backward import passed_back
from mediawidget.contrasting.forward import forward
from mediawidget.decomposition.anatomy import anatomy
from mediawidget.naming import spanned
from tests.contrasting import planted
from tests.engine.cases import random_pair
from tests.small_models import random_model, tokenizer_of

KINDS = ("gpt2", "llama", "mistral", "qwen2")


@lru_cache
def study_of(kind: str, n: int = 3, length: int = 6) -> mw.Study:
    lm = mw.load(random_model(kind, torch.float64), tokenizer=tokenizer_of(kind))
    pairs = [random_pair(kind, seed, length, first=2, changes=2) for seed in range(n)]
    return mw.Study(lm, pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_conserved_in_every_layer(kind: str) -> None:
    study = study_of(kind)
    found = mw.contrasting.relevance(study)
    assert found.totals.shape == (3, study.lm.n_layers + 1)
    np.testing.assert_allclose(found.totals, 1.0, rtol=0, atol=1e-9)
    for values in found.values:
        assert values.shape == (6,)
        assert (values >= 0).all()
        np.testing.assert_allclose(values.sum(), 1.0)


def test_what_reaches_the_tokens_is_all_of_it() -> None:
    study = study_of("gpt2")
    model, ids = anatomy(study.lm), torch.tensor(np.stack([p.clean for p in study.token_pairs]))
    seen = forward(model, ids)
    way = torch.randn(3, 1, study.lm.d_model, dtype=torch.float64)
    passed = passed_back(model, seen, way, (5,))
    whole = (passed.tokens + passed.rest).sum((1, 2))
    torch.testing.assert_close(whole, torch.ones(3, dtype=torch.float64), rtol=0, atol=1e-9)
    for pattern, (attended, _) in zip(passed.patterns, seen.blocks, strict=True):
        assert (pattern[attended.pattern == 0] == 0).all()
        assert (pattern >= 0).all()


def slow(study: mw.Study, pair: int, start: int) -> np.ndarray:
    """The rollout from eager attention of transformers, torch's gradients and plain loops."""
    lm, tokens = study.lm, study.token_pairs[pair]
    ids = torch.from_numpy(tokens.clean)[None]
    hf: Any = lm.hf
    hf.set_attn_implementation("eager")
    out = hf(ids, output_attentions=True)
    number = out.logits[0, -1, tokens.answer] - out.logits[0, -1, tokens.wrong]
    gradients = torch.autograd.grad(number, out.attentions)
    model = anatomy(lm)
    way = model.unembed.weight[:, tokens.answer] - model.unembed.weight[:, tokens.wrong]
    patterns = passed_back(model, forward(model, ids), way[None, None], (5,)).patterns
    joint = np.eye(6)
    for gradient, relevance in list(zip(gradients, patterns, strict=True))[start:]:
        layer = np.eye(6)
        for i in range(6):
            for j in range(6):
                each = [
                    max(0.0, float(g[i, j] * r[i, j]))
                    for g, r in zip(gradient[0], relevance[0], strict=True)
                ]
                layer[i, j] += sum(each) / len(each)
            layer[i] /= layer[i].sum()
        joint = layer @ joint
    return np.asarray(joint[-1])


@pytest.mark.parametrize("start", [0, 1])
def test_the_rollout_is_the_plain_one(start: int) -> None:
    study = study_of("gpt2")
    found = mw.contrasting.relevance(study, start)
    for pair in range(3):
        np.testing.assert_allclose(found.values[pair], slow(study, pair, start), atol=1e-9)


def test_high_relevance_without_any_effect() -> None:
    study = planted.study()
    beside = mw.contrasting.beside_tie(study, progress=False)
    relevance, tie, pie = (beside.pairs(name)[0] for name in ("relevance", "TIE", "PIE"))
    # Both places are read equally; what stands at the first changes, and changes nothing.
    assert study.token_pairs[0].clean[1] != study.token_pairs[0].corrupt[1]
    np.testing.assert_allclose(relevance[1], relevance[2])
    assert relevance[1] > 0.05
    assert tie[1] == pie[1] == 0.0
    np.testing.assert_allclose([tie[2], pie[2]], 1.0)


def test_no_relevance_with_all_of_the_effect() -> None:
    study = mw.Study(mw.models.ioi_mini(), mw.models.ioi_mini_pairs()["flip"])
    beside = mw.contrasting.beside_tie(study, by="role", progress=False)
    at = dict(zip(beside.names, range(4), strict=True))
    relevance, tie = (beside.pairs(name)[0] for name in ("relevance", "TIE"))
    # The repeated name decides where the mover looks, and is not what it copies.
    assert relevance[at["S2"]] < 1e-3
    np.testing.assert_allclose(tie[at["S2"]], 1.0, atol=1e-3)
    assert relevance[at["IO"]] > 0.1
    assert tie[at["IO"]] == 0.0


def test_the_table_is_of_three_quantities_and_their_shares() -> None:
    study = study_of("gpt2")
    beside = mw.contrasting.beside_tie(study, start_layer=1, progress=False)
    table = beside.to_dataframe()

    def column(quantity: str, name: str) -> np.ndarray:
        return table[table["quantity"] == quantity][name].to_numpy(float)

    effect = study.sweep("residual", by="position", layers=(1,), progress=False)
    for name in ("TIE", "PIE"):
        np.testing.assert_allclose(column(name, "mean"), effect[name][0])
        share = effect[name][0] / float(study.total["TE"])
        np.testing.assert_allclose(column(name, "share"), share)
    found = mw.contrasting.relevance(study, 1)
    np.testing.assert_allclose(column("relevance", "mean"), np.mean(found.values, axis=0))
    assert (column("relevance", "low") <= column("relevance", "mean")).all()
    assert list(found.to_dataframe()["pair"].unique()) == [0, 1, 2]


def test_the_chart_says_which_is_which() -> None:
    beside = mw.contrasting.beside_tie(study_of("gpt2"), progress=False)
    spec = mw.charts.contrast(beside).to_dict()
    assert spec["title"] == "An attribution beside an intervention, n=3 pairs"
    rows = next(iter(spec["datasets"].values()))
    readings = {row["reading"] for row in rows if "reading" in row}
    said = {"relevance (attribution)", "TIE (intervention)", "PIE (intervention)"}
    assert said <= {row.get("reading") for data in spec["datasets"].values() for row in data}
    assert readings <= said
    with pytest.raises(mw.MediationError, match="sets a relevance beside effects"):
        mw.charts.contrast(3)  # type: ignore[arg-type]
    words = " ".join([str(spec), repr(beside), repr(mw.contrasting.relevance(study_of("gpt2")))])
    assert not re.search("caus(e|al)", words)


def refused() -> list[Any]:
    known = study_of("gpt2")
    lm = known.lm
    falcon = mw.load(random_model("falcon", torch.float64), tokenizer=tokenizer_of("falcon"))
    long = mw.PromptPair("ant bee cat", "ant bee dog", "eel fox", "gnu hen")
    uneven = mw.PromptPair("ant bee cat", "ant bee dog dog", "eel", "gnu")
    return [
        pytest.param(mw.Study(falcon, random_pair("falcon", 0, 6)), 0, "taken apart|decomposed"),
        pytest.param(mw.Study(lm, long), 0, "one prompt"),
        pytest.param(mw.Study(lm, uneven), 0, "one prompt"),
        pytest.param(known, 9, "starts at one"),
        pytest.param(known, True, "starts at one"),
    ]


@pytest.mark.parametrize(("study", "start", "match"), refused())
def test_what_has_no_relevance_is_refused(study: mw.Study, start: int, match: str) -> None:
    with pytest.raises(mw.MediationError, match=match):
        mw.contrasting.relevance(study, start)


def test_roles_add_up_their_positions() -> None:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.facts(lm, n=4, seed=0))
    beside = mw.contrasting.beside_tie(study, by="role", progress=False)
    found = mw.contrasting.relevance(study)
    at = beside.names.index("subject")
    own = [
        values[list(spanned(pair.roles["subject"]))].sum()
        for values, pair in zip(found.values, study.contrast, strict=True)
    ]
    np.testing.assert_allclose(beside.pairs("relevance")[:, at], own)


def test_inference_mode_changes_nothing() -> None:
    """Whatever was made in it: a study's groups of prompts are kept from its first runs on."""
    expected = mw.contrasting.relevance(study_of("gpt2"))
    again = mw.Study(study_of("gpt2").lm, study_of("gpt2").contrast)
    with torch.inference_mode():
        again.sweep("head", progress=False)
        found = [mw.contrasting.relevance(again), mw.contrasting.relevance(study_of("gpt2"))]
        beside = mw.contrasting.beside_tie(again, progress=False)
    found.append(mw.contrasting.relevance(again))
    for one in found:
        np.testing.assert_array_equal(np.stack(one.values), np.stack(expected.values))
        np.testing.assert_array_equal(one.totals, expected.totals)
    np.testing.assert_array_equal(beside.relevance, np.stack(expected.values))


def test_the_value_of_the_other_prompt_is_set_whatever_the_study_s_edit_is() -> None:
    known = study_of("gpt2")
    expected = mw.contrasting.beside_tie(known, progress=False)
    study = mw.Study(known.lm, known.contrast, edit=mw.Zero())
    found = mw.contrasting.beside_tie(study, progress=False)
    np.testing.assert_array_equal(found.effect["TIE"], expected.effect["TIE"])
    assert repr(found) == repr(expected)
