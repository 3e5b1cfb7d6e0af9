"""Every architecture in the table against plain hooks, at odd sizes, in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

import mediawidget as mw
from mediawidget.architectures import ARCHITECTURES
from mediawidget.plain import plain_run
from tests.small_models import WORDS, tokenizer_of

COMMON = {"vocab_size": len(WORDS) + 8, "bos_token_id": None, "eos_token_id": None}
LLAMA_LIKE = {
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 10,
    "hidden_size": 30,
    "intermediate_size": 42,
    **COMMON,
}
CONFIGS = {
    "gpt2": {"n_layer": 3, "n_head": 3, "n_embd": 24, **COMMON},
    "llama": LLAMA_LIKE,
    "mistral": LLAMA_LIKE,
    "qwen2": {**LLAMA_LIKE, "head_dim": 6, "hidden_size": 36},
    "qwen3": LLAMA_LIKE,
}
SITES = [
    mw.Site("residual", 1),
    mw.Site("residual", 3),
    mw.Site("residual", 0, position=4),
    mw.Site("head", 2, head=1),
    mw.Site("head", 1, head=2, position=5),
    mw.Site("attn_out", 0),
    mw.Site("mlp_out", 2),
    mw.Site("mlp_out", 1, position=(4, 6)),
]


def model(kind: str) -> mw.LM:
    torch.manual_seed(1)
    config = AutoConfig.for_model(kind, **CONFIGS[kind])
    build: Any = AutoModelForCausalLM.from_config
    module = build(config).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(12 if parameter.ndim > 1 else 1)
    return mw.load(module, tokenizer=tokenizer_of("gpt2"))


def test_the_table_is_tested_whole() -> None:
    assert set(CONFIGS) | {"mediawidget_induction"} <= set(ARCHITECTURES)


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero()], ids=["patch", "zero"])
def test_runs_equal_plain_forwards(kind: str, edit: mw.Edit) -> None:
    lm = model(kind)
    words = WORDS[:8]
    pair = mw.PromptPair(
        clean=" ".join(words),
        corrupt=" ".join([*words[:4], WORDS[12], *words[5:]]),
        answer=words[1],
        wrong=words[2],
    )
    study = mw.Study(lm, pair)
    runs = [mw.Run(base, {site: edit}) for site in SITES for base in ("clean", "corrupt")]
    runs.append(mw.Run("corrupt", dict.fromkeys(SITES[3:6], edit)))
    outcomes = study.engine.evaluate(runs)
    for run, kept in zip(runs, outcomes.kept[:, 0], strict=True):
        np.testing.assert_allclose(
            kept, plain_run(lm, study.token_pairs[0], run), atol=1e-9, err_msg=str(run)
        )
    assert np.ptp(outcomes.kept[:, 0, 0]) > 0.1, "the cases tell runs apart"
