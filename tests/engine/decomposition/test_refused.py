"""What contextual decomposition refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import mediawidget as mw
from tests.engine.cases import random_pair
from tests.engine.decomposition.asking import (
    KINDS,
    asked,
    heads,
    lm_of,
    study_of,
)
from tests.small_models import random_model, tokenizer_of


@pytest.mark.parametrize("kind", ["gpt_neox", "gemma2", "qwen3", "bloom"])
def test_other_architectures_are_refused_by_name(kind: str) -> None:
    study = mw.Study(lm_of(kind), random_pair(kind, 0))
    with pytest.raises(mw.MediationError, match="gpt2, llama, mistral or qwen2"):
        asked(study, heads(study.lm))


def test_replaced_modules_are_refused() -> None:
    class Doubled(torch.nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return 2 * super().forward(x)

    model: Any = random_model("llama")
    model.model.layers[1].self_attn.v_proj = Doubled(30, 30, bias=False).double()
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("llama")), random_pair("llama", 0))
    with pytest.raises(mw.MediationError, match=r"v_proj: Doubled"):
        asked(study, heads(study.lm))


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_does_not_do_what_its_weights_say_is_refused(kind: str) -> None:
    lm = mw.load(random_model(kind), tokenizer=tokenizer_of(kind))
    study = mw.Study(lm, random_pair(kind, 0))
    asked(study, heads(lm), baseline="corrupt")
    blocks = "transformer.h" if kind == "gpt2" else "model.layers"
    mlp = lm.hf.get_submodule(f"{blocks}.1.mlp")
    hook = mlp.register_forward_hook(lambda _, __, output: 0 * output)
    try:
        with pytest.raises(mw.MediationError, match="something else than its weights"):
            asked(study, heads(lm), baseline="corrupt")
    finally:
        hook.remove()
    asked(study, heads(lm), baseline="corrupt")


def test_prompts_of_unequal_length_are_refused() -> None:
    words = "ant bee cat owl eel fox"
    pair = mw.PromptPair(words, words.replace("owl", "pig rat"), "jay", "kite")
    study = mw.Study(lm_of("gpt2"), pair)
    with pytest.raises(mw.MediationError, match="clean 6 tokens, corrupt 7"):
        asked(study, heads(study.lm))


@pytest.mark.parametrize("metric", [mw.Rank(), mw.KL("clean")])
def test_metrics_without_a_slope_are_refused(metric: mw.Metric) -> None:
    study = study_of("gpt2", metric=metric)
    with pytest.raises(mw.MediationError, match="slope"):
        asked(study, heads(study.lm))


@pytest.mark.parametrize(
    ("sources", "targets", "words"),
    [
        ([(mw.Site("residual", 1),)], (), "written to the residual stream"),
        ([(mw.Site("head", 9, head=0),)], (), "layer is out of range"),
        ([(mw.Site("head", 0, head=0),)], [mw.Site("residual", 1)], "A target is what a head"),
        ([(mw.Site("head", 0, head=0),)], [mw.Site("key", 1, head=7)], "head is out of range"),
    ],
)
def test_sites_that_are_neither_source_nor_target(sources: Any, targets: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        asked(study_of("gpt2"), sources, targets=targets)
