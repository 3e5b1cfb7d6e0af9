"""Attention sinks: a column of the softmax that is no key, in a model whose paths are given."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import GptOssConfig, GptOssForCausalLM

import mediawidget as mw

PAIR = mw.PromptPair(
    "When Mary and John went to the store, John gave a book to",
    "When Mary and John went to the store, Mary gave a book to",
    answer="Mary",
    wrong="John",
)
LAYER, HEAD, QUERY, KEY = 1, 1, 14, 2


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    tokenizer = mw.load().tokenizer
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 44,
        "num_hidden_layers": 3,
        "head_dim": 8,
    }
    heads: dict[str, Any] = {
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.3,
    }
    experts: dict[str, Any] = {
        "num_local_experts": 4,
        "num_experts_per_tok": 2,
        "experts_implementation": "eager",
    }
    torch.manual_seed(0)
    experts["attn_implementation"] = "eager"
    config = GptOssConfig(vocab_size=len(tokenizer), **sizes, **heads, **experts)
    paths = mw.ModulePaths(
        blocks="model.layers",
        attn_proj="self_attn.o_proj",
        mlp=None,
        attention="self_attn",
        norm_before_mlp="post_attention_layernorm",
        final_norm="model.norm",
        masks="types",
    )
    model: Any = GptOssForCausalLM(config)
    return mw.load(model.double().eval(), tokenizer=tokenizer, paths=paths)


def _by_hand(lm: mw.LM, ids: Tensor, answers: list[int]) -> float:
    """The edge's score at minus infinity, by a mask with a row for every head."""

    def hide(_m: nn.Module, given: tuple[object, ...], named: dict[str, Tensor]) -> object:
        mask = named["attention_mask"].expand(-1, lm.n_heads, -1, -1).clone()
        mask[:, HEAD, QUERY, KEY] = -torch.inf
        return given, {**named, "attention_mask": mask}

    model: Any = lm.hf
    attention = model.model.layers[LAYER].self_attn
    handle = attention.register_forward_pre_hook(hide, with_kwargs=True)
    with torch.no_grad():
        logits = model(ids).logits[0, -1]
    handle.remove()
    return float(logits[answers[0]] - logits[answers[1]])


def test_an_edge_is_cut_in_its_own_head_and_the_plain_check_agrees(lm: mw.LM) -> None:
    study = mw.Study(lm, PAIR)
    (read,) = study.token_pairs
    site = mw.Site("edge", LAYER, head=HEAD, position=QUERY, key=KEY)
    effect = study.intervene({site: mw.Knockout()})
    held = {check.name: check.ok for check in effect.checks}
    assert held["plain forward"] is True
    answers = [ids[0] for ids in read.answers]
    kept = effect.scores(effect.edited)[0]
    for base, ids in enumerate((read.clean, read.corrupt)):
        wanted = _by_hand(lm, torch.tensor([list(ids)]), answers)
        assert kept[base] == pytest.approx(wanted, abs=1e-9)
    swept = study.sweep("edge", edit=mw.Knockout(), layers=[LAYER], progress=False)
    assert {check.name for check in swept.checks if check.ok is False} <= {"clean answer"}
