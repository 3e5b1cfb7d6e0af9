"""The modules of the architectures that are known, by transformers' name of their type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from .paths import ModulePaths

_MID = "hidden_states_1"
_EAGER = ("attention_interface_1", "nn_functional_softmax_0")

_GPT2 = ModulePaths(
    blocks="transformer.h",
    attn_proj="attn.c_proj",
    mlp="mlp",
    norm_before_mlp="ln_2",
    final_norm="transformer.ln_f",
    activation="mlp.act",
    embed="transformer.wte",
    head="lm_head",
    attention="attn",
    query="attn.c_attn",
    key="attn.c_attn",
    value="attn.c_attn",
    qkv="thirds",
    neurons="mlp.c_proj",
    pattern=_EAGER,
    plain=True,
)
_GPTJ = replace(
    _GPT2,
    attn_proj="attn.out_proj",
    norm_before_mlp=None,
    query="attn.q_proj",
    key="attn.k_proj",
    value="attn.v_proj",
    qkv="separate",
    mlp_in="mlp",
    neurons="mlp.fc_out",
    tuple_output=True,
    pattern=("self__attn_0", "nn_functional_softmax_0"),
)
_GPT_NEO = replace(
    _GPTJ,
    attn_proj="attn.attention.out_proj",
    norm_before_mlp="ln_2",
    attention="attn.attention",
    query="attn.attention.q_proj",
    key="attn.attention.k_proj",
    value="attn.attention.v_proj",
    mlp_in=None,
    neurons="mlp.c_proj",
)
_GPT_NEOX = ModulePaths(
    blocks="gpt_neox.layers",
    attn_proj="attention.dense",
    mlp="mlp",
    norm_before_mlp=None,
    final_norm="gpt_neox.final_layer_norm",
    activation="mlp.act",
    embed="gpt_neox.embed_in",
    head="lm_head",
    attention="attention",
    query="attention.query_key_value",
    key="attention.query_key_value",
    value="attention.query_key_value",
    qkv="grouped",
    mlp_in="post_attention_layernorm",
    neurons="mlp.dense_4h_to_h",
    pattern=_EAGER,
)
_FALCON = replace(
    _GPT_NEOX,
    blocks="transformer.h",
    attn_proj="self_attention.dense",
    final_norm="transformer.ln_f",
    embed="transformer.word_embeddings",
    attention="self_attention",
    query="self_attention.query_key_value",
    key="self_attention.query_key_value",
    value="self_attention.query_key_value",
    mlp_in="mlp",
    tuple_output=True,
    pattern=("F_softmax_0",),
)
_BLOOM = replace(
    _FALCON,
    # Bloom's modules add the residual themselves, so what they add is found inside them.
    mlp="mlp.dense_4h_to_h",
    norm_before_mlp="post_attention_layernorm",
    activation="mlp.gelu_impl",
    mlp_in=None,
    masks="own",
    batched=(("attention_mask", "row"), ("alibi", "heads")),
)
_LLAMA = ModulePaths(
    blocks="model.layers",
    attn_proj="self_attn.o_proj",
    mlp="mlp",
    norm_before_mlp="post_attention_layernorm",
    final_norm="model.norm",
    activation="mlp.act_fn",
    embed="model.embed_tokens",
    head="lm_head",
    attention="self_attn",
    query="self_attn.q_proj",
    key="self_attn.k_proj",
    value="self_attn.v_proj",
    neurons="mlp.down_proj",
    pattern=_EAGER,
    plain=True,
)
_GEMMA = replace(
    _LLAMA,
    mlp="post_feedforward_layernorm",
    norm_before_mlp="pre_feedforward_layernorm",
    attn_out="post_attention_layernorm",
    masks="types",
)
_OPT = replace(
    _LLAMA,
    blocks="model.decoder.layers",
    attn_proj="self_attn.out_proj",
    mlp="fc2",
    norm_before_mlp="final_layer_norm",
    final_norm="model.decoder.final_layer_norm",
    activation="activation_fn",
    embed="model.decoder.embed_tokens",
    neurons="fc2",
    flat_mlp=True,
)
# The stream goes through a norm after attention and another after the MLP, and what comes out is
# the stream from there on.
_BERT = ModulePaths(
    blocks="bert.encoder.layer",
    attn_proj="attention.output.dense",
    mlp="output.dense",
    norm_before_mlp="intermediate",
    final_norm="cls.predictions",
    caches=False,
    embed="bert.embeddings.word_embeddings",
    head="cls.predictions.decoder",
    attention="attention.self",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    neurons="output.dense",
    pattern=_EAGER,
    causal=False,
)
_T5 = ModulePaths(
    blocks="decoder.block",
    attn_proj="layer.0.SelfAttention.o",
    mlp="layer.2.DenseReluDense",
    norm_before_mlp="layer.2.layer_norm",
    final_norm="decoder.final_layer_norm",
    caches=False,
    embed="decoder.embed_tokens",
    head="lm_head",
    attention="layer.0.SelfAttention",
    query="layer.0.SelfAttention.q",
    key="layer.0.SelfAttention.k",
    value="layer.0.SelfAttention.v",
    neurons="layer.2.DenseReluDense.wo",
    tuple_output=True,
    pattern=_EAGER,
    cross="layer.1.EncDecAttention",
    cross_proj="layer.1.EncDecAttention.o",
    from_prompt=("key_value_states", "mask"),
    mask="mask",
)
_MAMBA = ModulePaths(
    blocks="backbone.layers",
    attn_proj="mixer.out_proj",
    mlp=None,
    norm_before_mlp=None,
    final_norm="backbone.norm_f",
    caches=False,
    embed="backbone.embeddings",
    head="lm_head",
    masks="own",
    mixes="scan",
)

ARCHITECTURES: dict[str, ModulePaths] = {
    "gpt2": replace(_GPT2, mid=_MID),
    "gpt_neo": _GPT_NEO,
    "gpt_neox": _GPT_NEOX,
    "gptj": _GPTJ,
    "opt": _OPT,
    "bloom": _BLOOM,
    "falcon": _FALCON,
    "llama": replace(_LLAMA, mid=_MID),
    "mistral": replace(_LLAMA, mid=_MID),
    "mixtral": replace(_LLAMA, activation=None, neurons=None),
    "qwen2": replace(_LLAMA, mid=_MID, masks="types"),
    "qwen3": replace(_LLAMA, mid=_MID, masks="types"),
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA,
    "phi3": replace(
        _LLAMA,
        activation="mlp.activation_fn",
        query="self_attn.qkv_proj",
        key="self_attn.qkv_proj",
        value="self_attn.qkv_proj",
        qkv="thirds",
    ),
    # Its norms over all heads together stand between the projections and the heads.
    "olmo2": replace(
        _GEMMA,
        norm_before_mlp="mlp",
        query="self_attn.q_norm",
        key="self_attn.k_norm",
        masks="one",
    ),
    "bert": _BERT,
    "mamba": _MAMBA,
    "t5": _T5,
    "mediawidget_induction": ModulePaths(
        blocks="model.layers",
        attn_proj="self_attn.o_proj",
        mlp=None,
        norm_before_mlp=None,
        final_norm="model.norm",
        caches=False,
        embed="model.embed.tokens",
        head="lm_head",
        attention="self_attn",
        query="self_attn.q_proj",
        key="self_attn.k_proj",
        value="self_attn.v_proj",
        pattern=("nn_functional_softmax_0",),
    ),
}

#: As the table was shipped: what somebody puts into it later nobody has tried.
SHIPPED: Mapping[str, ModulePaths] = MappingProxyType(dict(ARCHITECTURES))


def _gpt2_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    if not config.reorder_and_upcast_attn:
        return paths
    return replace(paths, pattern=("self__upcast_and_reordered_attn_0", "nn_functional_softmax_0"))


def _gpt_neox_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    if config.use_parallel_residual:
        return paths
    return replace(paths, norm_before_mlp=paths.mlp_in, mlp_in=None)


def _falcon_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    if not (config.parallel_attn or config.new_decoder_architecture):
        paths = replace(paths, norm_before_mlp="post_attention_layernorm", mlp_in=None)
    if config.alibi:
        # Eager attention adds alibi twice, once in the mask, so its pattern is another model's.
        paths = replace(
            paths,
            masks="own",
            batched=(("attention_mask", "row"), ("alibi", "row")),
            pattern=None,
        )
    return paths


def _bloom_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    if config.apply_residual_connection_post_layernorm:
        # The sum of residual and attention goes through a norm, not around it.
        return replace(paths, norm_before_mlp=None)
    return paths


def _opt_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    projects = config.word_embed_proj_dim != config.hidden_size
    if projects:
        paths = replace(paths, embed="model.decoder.project_in")
    if not config.do_layer_norm_before or config._remove_final_layer_norm:  # noqa: SLF001
        after = "model.decoder.project_out" if projects else "lm_head"
        paths = replace(paths, final_norm=after)
    if not config.do_layer_norm_before:
        # The sum of residual and attention goes through a norm, not around it.
        paths = replace(paths, norm_before_mlp=None)
    return paths


def _bert_variant(config: Any, paths: ModulePaths) -> ModulePaths:
    return replace(paths, causal=True) if config.is_decoder else paths


#: What a config changes in the table's entry.
VARIANTS: dict[str, Callable[[Any, ModulePaths], ModulePaths]] = {
    "gpt2": _gpt2_variant,
    "gpt_neox": _gpt_neox_variant,
    "falcon": _falcon_variant,
    "bloom": _bloom_variant,
    "opt": _opt_variant,
    "bert": _bert_variant,
}

#: What older versions of transformers call the map to the logits, where the table has the new name.
OLDER_HEADS: dict[str, str] = {"gpt_neox": "embed_out"}

#: Where a sequence classifier reads, for those whose logits are no output of a module "score".
CLASSIFIERS: dict[str, dict[str, str]] = {
    "bert": {"final_norm": "bert.pooler", "head": "classifier"},
}
