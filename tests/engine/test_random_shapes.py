"""Drawn architectures: any number of layers, heads, and numbers a head, beside the oracle."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import AutoConfig, AutoModelForCausalLM

import mediawidget as mw
from mediawidget.edits.base import BASES
from tests.engine.cases import random_pair
from tests.engine.judging import Judge
from tests.small_models import _filled, tokenizer_of

LENGTH = 7
GROUPED = ("llama", "mistral", "qwen2", "qwen3", "gemma2", "phi3", "olmo2")
PLAIN = ("gpt2", "gpt_neox", "opt", "bloom", "falcon")


@st.composite
def sizes(draw: st.DrawFn, family: str) -> dict[str, Any]:
    """Of a config: heads that share keys, heads that are wider than their share, odd widths."""
    heads, width = draw(st.integers(1, 4)), 2 * draw(st.integers(1, 6))
    found: dict[str, Any] = {
        "num_hidden_layers": draw(st.integers(1, 5)),
        "num_attention_heads": heads,
        "hidden_size": heads * width,
        "max_position_embeddings": 24,
        "tie_word_embeddings": draw(st.booleans()),
    }
    inner = 4 * draw(st.integers(2, 12))
    if family == "opt":
        return found | {"ffn_dim": inner, "word_embed_proj_dim": found["hidden_size"]}
    if family == "gpt_neox":
        parallel = draw(st.booleans())
        return found | {"intermediate_size": inner, "use_parallel_residual": parallel}
    if family == "falcon":
        several, parallel = draw(st.booleans()), draw(st.booleans())
        return found | {"alibi": False, "multi_query": several, "parallel_attn": parallel}
    if family not in GROUPED:
        return found
    shared = draw(st.sampled_from([n for n in range(1, heads + 1) if heads % n == 0]))
    return found | {
        "hidden_size": heads * 2 * draw(st.integers(1, 8)),
        "intermediate_size": inner + 1,
        "num_key_value_heads": shared,
        "head_dim": width,
        "query_pre_attn_scalar": width,
        "sliding_window": draw(st.integers(2, 9)),
    }


def built(family: str, given_sizes: dict[str, Any], seed: int) -> Any:
    words = {"vocab_size": len(tokenizer_of(family)), "bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model(family, pad_token_id=None, **words, **given_sizes)
    build: Any = AutoModelForCausalLM.from_config
    model: Any = _filled(family, build(config).double(), seed)
    return model.eval()


def drawn_runs(lm: mw.LM, rng: np.random.Generator) -> list[mw.Run]:
    """One of a site of every kind, and one of two sites; any edit, either base, some held."""
    edits: list[Any] = [mw.Patch(), mw.Zero(), mw.Mean(), mw.Scale(-0.5), mw.Patch(alpha=0.4)]
    kinds = ["residual", "attn_out", "mlp_out", "head", "query", "key", "value", "neuron"]
    found = []

    def site(kind: str) -> mw.Site:
        known = mw.mediators.MEDIATORS[kind]
        layer = int(rng.integers(known.n_layers(lm.shape)))
        index = {known.index: int(rng.integers(known.units(lm.shape)))} if known.index else {}
        position = None if rng.random() < 0.5 else int(rng.integers(LENGTH))
        return mw.Site(kind, layer, position=position, **index)

    for kind in [kind for kind in kinds if lm.has(mw.mediators.MEDIATORS[kind])]:
        two = {site(kind), site("mlp_out" if kind == "head" else "head")}
        freeze = ("attn_out",) if kind == "mlp_out" and rng.random() < 0.5 else ()
        base = BASES[int(rng.integers(2))]
        found.append(mw.Run(base, {site(kind): edits[int(rng.integers(len(edits)))]}, freeze))
        found.append(mw.Run(base, {one: edits[int(rng.integers(len(edits)))] for one in two}))
    return found


@pytest.mark.parametrize("family", [*GROUPED, *PLAIN])
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
@given(data=st.data())
def test_any_shape_is_the_oracles(family: str, data: st.DataObject) -> None:
    shape, seed = data.draw(sizes(family)), data.draw(st.integers(0, 2**16))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own, other = (built(family, shape, seed) for _ in range(2))
    pairs = [random_pair(family, seed + i, length=LENGTH, first=2 + i) for i in range(2)]
    lm = mw.load(own, tokenizer=tokenizer_of(family))
    study, oracle = mw.Study(lm, pairs), Judge(other, tokenizer_of(family), pairs)
    runs = drawn_runs(lm, np.random.default_rng(seed))
    outcomes = study.engine.evaluate(runs)
    for i, run in enumerate(runs):
        for index in range(2):
            expected = oracle.judged(run, index)
            np.testing.assert_allclose(
                outcomes.kept[i, index], expected, atol=1e-9, rtol=1e-9, err_msg=str(run)
            )
    checks = {check.name: check for check in study.sweep("head", progress=False).checks}
    for name in ("self-patch", "full cut", "plain forward"):
        assert checks[name].ok is not False, checks[name].words


@pytest.mark.parametrize("family", ["llama", "olmo2", "mistral"])
def test_a_window_counts_where_the_models_code_has_one(family: str) -> None:
    """A config may name one that nobody reads, as of a model that was converted."""
    shape = {
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "hidden_size": 12,
        "intermediate_size": 20,
        "head_dim": 6,
    }
    pair = random_pair(family, 3, length=LENGTH, first=3)
    leads = []
    for window in ({"sliding_window": 2}, {"sliding_window": None}):
        lm = mw.load(built(family, shape | window, 0), tokenizer=tokenizer_of(family))
        study = mw.Study(lm, pair)
        answer, wrong = (ids[0] for ids in study.token_pairs[0].answers)
        with torch.no_grad():
            own: Any = lm.hf(torch.from_numpy(study.token_pairs[0].clean)[None]).logits[0, -1]
        assert study.total["Y11"] == pytest.approx(float(own[answer] - own[wrong]), abs=1e-9)
        leads.append(study.total["Y11"])
    assert (abs(leads[0] - leads[1]) < 1e-9) == (family != "mistral")
