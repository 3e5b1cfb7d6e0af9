"""Every architecture in the table: its paths, its sizes, and runs against plain hooks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

import mediawidget as mw
from mediawidget.architectures import ARCHITECTURES, ModulePaths, follow, module_paths, sizes
from mediawidget.edits.base import BASES
from tests.anatomy import anatomy
from tests.engine.cases import case, edit_of, how_on, random_pair
from tests.small_configs import CONFIGS, OTHER_CONFIGS
from tests.small_models import (
    ALL_KINDS,
    SINGLE_PRECISION_ATTENTION,
    WORDS,
    random_model,
    tokenizer_of,
)

SITES = [
    mw.Site("residual", 1),
    mw.Site("residual", 4),
    mw.Site("residual", 0, position=4),
    mw.Site("head", 3, head=1),
    mw.Site("head", 1, head=2, position=5),
    mw.Site("attn_out", 0),
    mw.Site("mlp_out", 2),
    mw.Site("mlp_out", 1, position=(4, 6)),
]


@pytest.mark.parametrize("kind", ALL_KINDS)
@pytest.mark.parametrize("how", ["patch", "zero"])
def test_runs_are_the_oracles(kind: str, how: str) -> None:
    case_ = case(kind, [random_pair(kind, 3, length=8, first=4)])
    edit = edit_of(how)
    runs = [mw.Run(base, {site: edit}) for site in SITES for base in BASES]
    runs.append(mw.Run("corrupt", dict.fromkeys(SITES[3:6], edit)))
    outcomes = case_.study.engine.evaluate(runs)
    tolerance = 2e-5 if kind in SINGLE_PRECISION_ATTENTION else case_.tolerance
    for run, kept in zip(runs, outcomes.kept[:, 0], strict=True):
        edits = [(site, how_on(how, run.base)) for site, _ in run.edits]
        expected = case_.oracle.run(run.base, edits)
        np.testing.assert_allclose(kept[:3], expected, atol=tolerance, rtol=0, err_msg=str(run))
    assert np.ptp(outcomes.kept[:, 0, 0]) > 0.1, "the cases tell runs apart"


def test_every_architecture_of_the_table_has_a_random_model() -> None:
    kinds = {model_type for model_type, _ in CONFIGS.values()}
    kinds |= {random_model(kind).config.model_type for kind in OTHER_CONFIGS}
    assert kinds | {"mediawidget_induction"} == set(ARCHITECTURES)


#: kind -> heads, key-value heads, width of the stream, of a head, of the MLP.
SIZES = {
    "gpt2": (3, 3, 24, 8, 40),
    "llama": (6, 3, 30, 10, 44),
    "gpt_neo": (3, 3, 24, 8, 40),
    "gpt_neox": (3, 3, 24, 8, 40),
    "gpt_neox_serial": (3, 3, 24, 8, 40),
    "gptj": (3, 3, 24, 8, 40),
    "opt": (3, 3, 24, 8, 40),
    "opt_post_norm": (3, 3, 24, 8, 40),
    "bloom": (3, 3, 24, 8, 96),
    "bloom_post_norm": (3, 3, 30, 10, 120),
    "mistral": (4, 2, 30, 10, 44),
    "mixtral": (6, 3, 30, 10, 44),
    "qwen2": (6, 2, 36, 6, 44),
    "qwen3": (6, 3, 30, 8, 44),
    "gemma2": (4, 2, 36, 10, 44),
    "gemma3": (4, 2, 36, 10, 44),
    "phi3": (6, 2, 30, 8, 44),
    "olmo2": (6, 3, 30, 8, 44),
    "falcon": (4, 1, 32, 8, 128),
    "falcon_grouped": (4, 2, 32, 8, 128),
    "falcon_alibi": (4, 4, 32, 8, 128),
}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_sizes(kind: str) -> None:
    module: Any = random_model(kind)
    found = sizes(module, module_paths(module, None))
    heads, keys, model, head, mlp = SIZES[kind]
    assert (found.n_heads, found.n_kv_heads, found.d_model) == (heads, keys, model)
    assert (found.d_head, found.d_mlp, found.vocabulary) == (head, mlp, len(WORDS) + 2)
    assert found.n_layers == (5 if kind in ("gpt2", "llama") else 4)


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_paths_lead_to_the_modules_that_the_oracle_knows(kind: str) -> None:
    module: Any = random_model(kind)
    paths, body = module_paths(module, None), anatomy(module)
    assert follow(module, str(paths.embed)) is body.embedding
    assert follow(module, paths.final_norm) is body.final
    assert follow(module, str(paths.head)) is module.get_output_embeddings()
    for block, known in zip(follow(module, paths.blocks), body.blocks, strict=True):
        assert block is known.block
        pairs = {
            paths.attention: known.attention,
            paths.attn_proj: known.projection,
            paths.attn_out or paths.attn_proj: known.attn_added,
            paths.mlp: known.mlp_added,
            paths.query: known.query,
            paths.key: known.key,
            paths.value: known.value,
        }
        for path, expected in pairs.items():
            assert follow(block, str(path)) is expected, path
        assert (paths.norm_before_mlp is not None) == known.mid
        assert paths.neurons is None or follow(block, paths.neurons) is known.neurons
        assert paths.mlp_in is None or not known.mid


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_fused_columns(kind: str) -> None:
    """The order of slots that a layout stands for is the order that the oracle cuts by."""
    module: Any = random_model(kind)
    paths, body = module_paths(module, None), anatomy(module)
    n, kv, group = body.n_heads, body.n_kv_heads, body.n_heads // body.n_kv_heads
    assert (paths.qkv == "separate") == (paths.query != paths.key)
    if paths.qkv == "separate":
        return
    slots = {
        "thirds": ["query"] * n + ["key"] * kv + ["value"] * kv,
        "grouped": (["query"] * group + ["key", "value"]) * kv,
    }[paths.qkv]
    width = len(body.columns["query"]) // n
    for name, columns in body.columns.items():
        firsts = [slot * width for slot, what in enumerate(slots) if what == name]
        assert columns[::width] == firsts


def test_an_unknown_architecture_says_which_paths_to_pass_and_takes_them() -> None:
    module: Any = random_model("llama")
    module.config.model_type = "unheard_of"
    with pytest.raises(mw.MediationError, match=r"(?s)not known.*attn_proj"):
        module_paths(module, None)
    paths = ModulePaths(
        blocks="model.layers",
        attn_proj="self_attn.o_proj",
        mlp="mlp",
        norm_before_mlp=None,
        final_norm="model.norm",
    )
    lm = mw.load(module, tokenizer=tokenizer_of("llama"), paths=paths)
    assert (lm.n_layers, lm.n_heads, lm.n_kv_heads, lm.d_head) == (5, 6, 3, 10)
    with pytest.raises(mw.MediationError, match=r"(?s)leads nowhere.*neurones"):
        mw.load(
            module, tokenizer=tokenizer_of("llama"), paths=replace(paths, neurons="mlp.neurones")
        )


def test_a_replaced_mlp_has_no_neurons() -> None:
    module: Any = random_model("llama")
    assert module_paths(module, None).neurons == "mlp.down_proj"
    module.model.layers[2].mlp = nn.Linear(30, 30).double()
    assert module_paths(module, None).neurons is None


def test_heads_that_nobody_counted() -> None:
    module: Any = random_model("gpt2")
    paths = module_paths(module, None)
    module.config = object()
    with pytest.raises(mw.MediationError, match="number of heads"):
        sizes(module, paths)


def test_heads_of_unequal_width() -> None:
    module: Any = random_model("llama")
    paths = module_paths(module, None)
    module.config.num_attention_heads = 7
    with pytest.raises(mw.MediationError, match="no multiple"):
        sizes(module, paths)
