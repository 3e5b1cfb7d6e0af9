"""What contextual decomposition must say of networks of which the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.decomposition.forward import Rules
from tests.engine.cases import random_pair
from tests.engine.decomposition.asking import (
    KEEP,
    KINDS,
    RULES,
    TARGETS,
    asked,
    heads,
    study_of,
)
from tests.small_models import random_model, tokenizer_of


@pytest.mark.parametrize("rules", RULES, ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_comes_from_a_source_that_is_at_its_baseline(kind: str, rules: Rules) -> None:
    """Before the first difference every component is what it is on the corrupt prompt."""
    study = study_of(kind)
    assert all(pair.first_difference == 2 for pair in study.token_pairs)
    sources = [*heads(study.lm, 1), (mw.Site("mlp_out", 0, position=0),)]
    done = asked(study, sources, targets=TARGETS, rules=rules, baseline="corrupt")
    assert np.abs(done.metric).max() < 1e-10
    assert done.targets.max() < 1e-10
    differing = asked(study, heads(study.lm, 3), rules=rules, baseline="corrupt")
    assert np.abs(differing.metric).max() > 1e-2


def straightened(bias: bool) -> mw.Study:
    """A GPT-2 without norms, with identities for activations and heads that look everywhere."""
    model: Any = random_model("gpt2")
    root = model.transformer
    root.ln_f = torch.nn.Identity()
    d = model.config.n_embd
    with torch.no_grad():
        for block in root.h:
            block.ln_1, block.ln_2 = torch.nn.Identity(), torch.nn.Identity()
            block.mlp.act = torch.nn.Identity()
            block.attn.c_attn.weight[:, : 2 * d] = 0
            block.attn.c_attn.bias[: 2 * d] = 0
            for module in () if bias else (block.attn.c_attn, block.attn.c_proj, block.mlp.c_fc):
                module.bias.zero_()
            if not bias:
                block.mlp.c_proj.bias.zero_()
    pairs = [random_pair("gpt2", seed, length=6, first=2) for seed in range(3)]
    return mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), pairs)


@pytest.mark.parametrize("mediator", ["head", "mlp_out", "embedding"])
def test_in_a_linear_network_it_is_what_patching_says(mediator: str) -> None:
    for bias in (False, True):
        study = straightened(bias)
        exact = study.sweep(mediator, progress=False).pairs("TIE").reshape(3, -1)
        lm = study.lm
        layers = range(1 if mediator == "embedding" else lm.n_layers)
        sources = heads(lm) if mediator == "head" else [(mw.Site(mediator, i),) for i in layers]
        found = asked(study, sources, rules=KEEP, baseline="corrupt").metric
        assert np.abs(exact).max() > 0.1
        gap = float(np.abs(found - exact).max() / np.abs(exact).max())
        # A shared bias is no part of a patch's effect.
        assert gap < 1e-9 if not bias else gap > 1e-4


@pytest.mark.parametrize("gate", ["ADD", "AND", "OR", "XOR"])
def test_through_one_function_it_is_the_noising_effect(gate: str) -> None:
    study = mw.Study(mw.models.gate(gate), mw.models.gate_pair())
    found = asked(study, heads(study.lm), baseline="corrupt", rules=KEEP).metric
    exact = study.sweep("head", progress=False).pairs("TIE")[:, 0]
    np.testing.assert_allclose(found, exact, atol=1e-12)


@pytest.mark.parametrize("pattern", ["split", "whole"])
@pytest.mark.parametrize("seed", [0, 3])
def test_a_head_that_only_says_where_to_look_is_seen_at_the_key_alone(
    pattern: Any, seed: int
) -> None:
    """K-composition: patching gives L0H0 the whole effect, its beta never reaches a value."""
    lm = mw.models.induction(beta=20.0, decoys=4, seed=seed)
    study = mw.Study(lm, mw.models.induction_pairs()["key swap"])
    exact = study.sweep("head", progress=False)["TIE"]
    assert exact[0, 0] > 1.5
    assert exact[0, 0] > 10 * np.abs(exact[0, 1:]).max()
    first = [(mw.Site("head", 0, head=head),) for head in range(lm.n_heads)]
    key = mw.Site("key", 1, head=0)
    done = asked(study, first, targets=[key], rules=Rules(pattern))
    logits, relevance = np.abs(done.metric[0]), done.targets[0, 0]
    assert logits[0] < 0.05 * exact[0, 0]
    assert logits[0] < 3 * logits[1:].max()
    assert relevance[0] > 1.8 * relevance[1:].max()


def test_a_component_is_no_source_of_itself() -> None:
    study = study_of("gpt2")
    site = mw.Site("head", 2, head=1)
    sites = [site, mw.Site("mlp_out", 2), mw.Site("query", 2, head=1), mw.Site("query", 3, head=0)]
    relevance = asked(study, [(site,)], targets=sites).targets
    assert (relevance[:, [0, 2], 0] == 0).all()
    assert (relevance[:, [1, 3], 0] > 0).all()
