"""Paths that lead nowhere, or to something else: refused in words, by the name of the field."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version
from torch import nn
from transformers import MptConfig, MptForCausalLM

import mediawidget as mw
from mediawidget.architectures import ARCHITECTURES, ModulePaths, is_shipped, module_paths
from tests.engine.cases import random_pair
from tests.small_models import ALL_KINDS, KINDS, MPT, OTHER_KINDS, random_model, tokenizer_of

#: All that the installed transformers has: in 5.4 the config of OLMo 2 refuses its own default.
ALL = [
    kind
    for kind in (*ALL_KINDS, *OTHER_KINDS)
    if kind != "olmo2" or Version(transformers.__version__) >= Version("5.5")
]
#: Fields of a module's path, and those of anything else.
OF_MODULES = (
    *("blocks", "attn_proj", "mlp", "norm_before_mlp", "final_norm", "activation", "embed", "head"),
    *("attention", "query", "key", "value", "attn_out", "mlp_in", "neurons"),
    *("cross", "cross_proj"),
)
NO_PATHS = ("nonsense", "", ".", "0", "mlp.nonsense", "__class__", "training", "forward", "config")
#: Modules, but not these: of GPT-2, of Llama.
OTHERS = {
    "gpt2": {
        "blocks": ("transformer", "transformer.ln_f", "transformer.h.0.attn", "lm_head"),
        "attn_proj": ("attn", "mlp.c_fc", "mlp.act", "attn.attn_dropout"),
        "mlp": ("mlp.c_fc", "attn.c_attn", "attn", "ln_2"),
        "norm_before_mlp": ("mlp.c_proj", "ln_1", "mlp"),
        "final_norm": ("transformer.h", "transformer.wte"),
        "activation": ("attn.resid_dropout.nonsense", "mlp.nonsense"),
        "embed": ("transformer.h", "lm_head"),
        "head": ("transformer", "transformer.ln_f", "transformer.wte"),
        "query": ("attn.c_proj", "mlp.c_fc", "attn"),
        "neurons": ("mlp", "mlp.act"),
        "attn_out": ("attn.c_attn", "mlp.c_fc"),
        "mlp_in": ("mlp.c_proj",),
        "cross": ("nonsense", "attn.cross"),
    },
    "llama": {
        "blocks": ("model", "model.norm", "model.layers.0.mlp"),
        "attn_proj": ("self_attn", "self_attn.q_proj.nonsense", "mlp.gate_proj"),
        "mlp": ("mlp.gate_proj", "self_attn"),
        "norm_before_mlp": ("mlp.down_proj", "input_layernorm"),
        "final_norm": ("model.layers", "model.embed_tokens"),
        "activation": ("act_fn", "mlp.act"),
        "embed": ("model.layers", "lm_head"),
        "head": ("model", "model.norm"),
        "query": ("self_attn.k_proj", "mlp"),
        "key": ("mlp.gate_proj", "self_attn"),
        "value": ("self_attn.q_proj", "mlp.up_proj"),
        "neurons": ("mlp", "mlp.act_fn"),
        "attn_out": ("self_attn.k_proj",),
    },
}
#: What is no path, in both.
REST: dict[str, tuple[Any, ...]] = {
    "qkv": ("nonsense", None, 3),
    "masks": ("nonsense", "types", None),
    "mixes": ("nonsense", None),
    "caches": ("yes", None),
    "flat_mlp": (True, 1),
    "tuple_output": (True, "no"),
    "plain": ("yes", None),
    "causal": (False, None),
    "pattern": ("attention_interface_1", (), (1,), ("a.b",)),
    "mid": (3,),
    "mask": ("nonsense", None),
    "from_prompt": (("nonsense",), "x"),
    "batched": ((("nonsense", "row"),), (("attention_mask", "nonsense"),), "x", (1,)),
}


def loaded(kind: str, **changes: Any) -> mw.LM:
    module: Any = random_model(kind)
    paths = replace(module_paths(module, None), **changes)
    return mw.load(module, tokenizer=tokenizer_of(kind), paths=paths)


def refused(kind: str, field: str, value: Any) -> str:
    with pytest.raises(mw.MediationError) as caught:
        loaded(kind, **{field: value})
    assert caught.value.expected
    assert caught.value.fix
    return str(caught.value)


def test_every_field_is_tried() -> None:
    assert {*OF_MODULES, *REST} == {field.name for field in fields(ModulePaths)}


@pytest.mark.parametrize("kind", ALL)
def test_the_paths_of_the_table_pass(kind: str) -> None:
    """Given by hand they are held against a pass, which those of the table are not."""
    assert loaded(kind).paths == module_paths(random_model(kind), None)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", OF_MODULES)
def test_a_path_that_leads_nowhere_is_refused_by_its_field(kind: str, field: str) -> None:
    for value in NO_PATHS:
        said = refused(kind, field, value)
        assert re.search(rf"\b{field}\b", said), said
        assert repr(value) in said, said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", OF_MODULES)
def test_a_path_that_is_no_text_is_refused_by_its_field(kind: str, field: str) -> None:
    for value in (3, ("a",), 1.5, object):
        assert f"no such {field}" in refused(kind, field, value)


@pytest.mark.parametrize(
    ("kind", "field"), [(kind, field) for kind in KINDS for field in OTHERS[kind]]
)
def test_another_module_is_refused(kind: str, field: str) -> None:
    for value in OTHERS[kind][field]:
        said = refused(kind, field, value)
        assert re.search(rf"\b{field}=", said), said


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("field", REST)
def test_what_is_no_path_is_refused_by_its_field(kind: str, field: str) -> None:
    for value in REST[field]:
        said = refused(kind, field, value)
        assert re.search(rf"\b{field}\b", said), said


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_that_are_no_plain_sums(kind: str) -> None:
    """Runs that are born inside a block would be other runs."""
    module: Any = random_model(kind)
    paths = module_paths(module, None)
    assert paths.plain
    scale = module.get_submodule(paths.blocks)[1].get_submodule(paths.attn_proj)
    handle = module.get_submodule(paths.blocks)[1].register_forward_hook(
        lambda _, __, made: 1.1 * made
    )
    try:
        with pytest.raises(mw.MediationError, match=r"(?s)plain=True.*block 1"):
            mw.load(module, tokenizer=tokenizer_of(kind), paths=paths)
    finally:
        handle.remove()
    assert not scale._forward_hooks
    mw.load(module, tokenizer=tokenizer_of(kind), paths=paths)


WRONG_PATTERNS = (
    ("nonsense",),
    ("attention_interface_1", "nonsense"),
    ("attention_interface_1",),
    ("attention_interface_1", "nn_functional_softmax_0", "nonsense"),
    ("attention_interface_1", "nn_functional_dropout_0", "nonsense"),
    ("attention_interface_1", "attn_output_transpose_0"),
    ("attention_interface_1", "torch_matmul_0"),
    ("attention_interface_0",),
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pattern", WRONG_PATTERNS, ids="-".join)
def test_a_wrong_pattern_is_refused_when_it_is_first_needed(
    kind: str, pattern: tuple[str, ...]
) -> None:
    lm = loaded(kind, pattern=pattern)
    study = mw.Study(lm, random_pair(kind, 0))
    assert np.isfinite(study.sweep("head").edited).all(), "nothing else needs it"
    for _ in range(2):
        with pytest.raises(mw.MediationError, match=r"ModulePaths\.pattern") as caught:
            study.sweep("pattern")
        assert repr(pattern) in str(caught.value.value)
        assert "softmax" in caught.value.expected
    right = mw.Study(loaded(kind), random_pair(kind, 0))
    assert np.isfinite(right.sweep("pattern").edited).all(), "the model is left as it was"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["nonsense_0", "hidden_states_9"])
def test_a_wrong_name_of_the_sum_is_refused_where_it_is_needed(kind: str, name: str) -> None:
    module: Any = random_model(kind)
    paths = replace(module_paths(module, None), mid=name)
    here = mw.Study(loaded(kind, mid=name), random_pair(kind, 0))
    expected = here.sweep("residual_mid").edited
    there = mw.load(module, tokenizer=tokenizer_of(kind), paths=paths, remote="local")
    with pytest.raises(mw.MediationError, match=r"ModulePaths\.mid") as caught:
        mw.Study(there, random_pair(kind, 0)).sweep("residual_mid")
    assert repr(name) in str(caught.value.value)
    assert "hidden_states_1" in caught.value.expected
    right = mw.load(random_model(kind), tokenizer=tokenizer_of(kind), remote="local")
    got = mw.Study(right, random_pair(kind, 0)).sweep("residual_mid").edited
    np.testing.assert_allclose(got, expected, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_an_attention_that_takes_no_mask_says_so_when_an_edge_is_cut(kind: str) -> None:
    """The mask's name has a default, which nobody need have looked at."""
    module: Any = random_model(kind)
    paths = module_paths(module, None)
    for block in module.get_submodule(paths.blocks):
        attention = block.get_submodule(str(paths.attention))
        attention.__class__ = _renamed(type(attention))
    lm = mw.load(module, tokenizer=tokenizer_of(kind), paths=paths)
    study = mw.Study(lm, random_pair(kind, 0))
    assert np.isfinite(study.sweep("head").edited).all()
    run = mw.Run("clean", {mw.Site("edge", 1, head=0, position=2, key=1): mw.Knockout()})
    with pytest.raises(mw.MediationError, match="no such keyword") as caught:
        study.engine.evaluate([run])
    assert "'attention_mask'" in str(caught.value.value)


def _renamed(kind: type) -> type:
    """The same attention under a forward that names its mask otherwise."""

    def forward(self: Any, hidden_states: Any, hidden_edges: Any = None, **rest: Any) -> Any:
        rest.setdefault("attention_mask", hidden_edges)
        return kind.forward(self, hidden_states, **rest)  # type: ignore[attr-defined]

    return type(f"{kind.__name__}Renamed", (kind,), {"forward": forward})


def test_what_somebody_puts_in_the_table_is_tried_like_what_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module: Any = random_model("llama")
    wrong = replace(ARCHITECTURES["llama"], mlp="self_attn.o_proj")
    monkeypatch.setitem(ARCHITECTURES, "llama", wrong)
    with pytest.raises(mw.MediationError, match=r"not plain sums.*\n.*mlp='self_attn.o_proj'"):
        mw.load(module, tokenizer=tokenizer_of("llama"))
    monkeypatch.undo()
    assert is_shipped(module, None)
    assert not is_shipped(module, ARCHITECTURES["llama"])
    mw.load(module, tokenizer=tokenizer_of("llama"))


def test_the_head_of_gpt_neox_under_its_older_name() -> None:
    """transformers before 5.14 calls it ``embed_out``."""
    module: Any = random_model("gpt_neox")
    study = mw.Study(
        mw.load(module, tokenizer=tokenizer_of("gpt_neox")), random_pair("gpt_neox", 0)
    )
    expected = study.sweep("head").edited
    older: Any = random_model("gpt_neox")
    if hasattr(older, "lm_head"):
        older.embed_out = older.lm_head
        del older.lm_head
        older.__class__ = type("Older", (type(older),), {"lm_head": property(_older_head)})
    assert module_paths(older, None).head == "embed_out"
    again = mw.Study(mw.load(older, tokenizer=tokenizer_of("gpt_neox")), random_pair("gpt_neox", 0))
    np.testing.assert_allclose(again.sweep("head").edited, expected, atol=1e-12)


def _older_head(model: Any) -> Any:
    """What the newer forward calls."""
    return model.embed_out


def test_an_mlp_that_adds_the_stream_itself_is_refused_and_the_map_within_it_works() -> None:
    tokenizer = tokenizer_of("gpt2")
    torch.manual_seed(0)
    sizes: dict[str, Any] = {"d_model": 32, "n_heads": 4, "n_layers": 3, "max_seq_len": 64}
    model: Any = MptForCausalLM(MptConfig(vocab_size=len(tokenizer), **sizes))
    model = model.double().eval()
    with pytest.raises(mw.MediationError, match=r"mlp='ffn' in block 0 makes what the block makes"):
        mw.load(model, tokenizer=tokenizer, paths=replace(MPT, mlp="ffn"))
    lm = mw.load(model, tokenizer=tokenizer, paths=MPT)
    swept = mw.Study(lm, random_pair("gpt2", 0)).sweep("mlp_out", progress=False)
    assert {check.name for check in swept.checks if check.ok is False} <= {"clean answer"}


def test_an_mlp_that_returns_a_tuple_is_refused() -> None:
    module: Any = random_model("llama")

    class Two(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, hidden: Any) -> tuple[Any, None]:
            return self.inner(hidden), None

    class First(type(module.model.layers[0])):  # type: ignore[misc]
        def forward(self, hidden_states: Any, **rest: Any) -> Any:
            residual = hidden_states
            normed = self.input_layernorm(hidden_states)
            middle = residual + self.self_attn(hidden_states=normed, **rest)[0]
            return middle + self.mlp(self.post_attention_layernorm(middle))[0]

    for block in module.model.layers:
        block.mlp = Two(block.mlp)
        block.__class__ = First
    known = ARCHITECTURES["llama"]
    paths = replace(known, plain=False, neurons=None, activation=None)
    with pytest.raises(mw.MediationError, match="An MLP makes one tensor"):
        mw.load(module, tokenizer=tokenizer_of("llama"), paths=paths)
