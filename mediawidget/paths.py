"""Where each architecture keeps what we intervene on: the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class ModulePaths:
    """Dotted module paths. None: the model has no such module, or nobody has said where.

    ``blocks``, ``final_norm``, ``embed`` and ``head`` are relative to the model, the others to a
    block.

    Args:
        blocks: the list of blocks.
        attn_proj: the linear map after attention. Its input is the heads' z side by side, shape
            (row, position, n_heads * d_head). Where ``mixes`` is "scan", the map after that, whose
            input are the mixer's channels.
        mlp: the module whose output (row, position, d_model) the MLP adds to the residual stream:
            the norm after the MLP where there is one. None for a network without MLPs.
        norm_before_mlp: the module whose input is the residual between attention and MLP; None if
            the MLP reads something else.
        final_norm: what reads the residual stream after the last block.
        caches: attention takes the keys and values of earlier positions from
            ``past_key_values``, so that a prefix shared by two prompts is computed once.
        activation: the MLP's activation function. Where there is one that torch has as a single
            kernel, that computes it.
        embed: the token embedding; its output is (row, position, d_model).
        head: the map to the logits.
        attention: the module that takes ``attention_mask`` as a keyword and calls the softmax.
        query: the module whose output holds the queries, before any rotation; the same path as
            ``key`` and ``value`` where they are one map.
        key: of the keys.
        value: of the values.
        qkv: how a fused output is divided. "thirds": all queries, all keys, all values (widths
            may differ); "grouped": for each key-value head its queries, its key, its value.
        attn_out: the module whose output attention adds to the residual stream, where that is
            not ``attn_proj``: the norm after attention.
        mlp_in: the module whose input is what the MLP reads, where that is not the residual
            between attention and MLP because the two branches are parallel.
        neurons: the module whose input are the activations of the MLP's neurons.
        flat_mlp: what the MLP's modules read and return is (row * position, width).
        tuple_output: a block returns a tuple whose first entry is the residual stream.
        pattern: the ``.source`` names that lead from ``attention`` to the softmax's output (row,
            head, query, key) under eager attention.
        mid: the ``.source`` name, in a block's forward, of the residual between attention and MLP.
        masks: what the model takes as ``attention_mask``: "one" additive mask for all blocks, a
            dict of them by the "types" of ``config.layer_types``, or none but its "own".
        batched: the keywords of ``attention`` that are as long as the batch the forward pass
            began with, each with the number of entries that belong to a row: "row" (one) or
            "heads" (one for each head).
        plain: a block's output is its input, plus what ``attn_proj`` returns, plus what ``mlp``
            returns for the norm of that, and nothing else.
        cross: a decoder's attention to the states of an encoder.
        cross_proj: the linear map after that, whose input are its heads' z.
        from_prompt: the keywords of ``cross`` that have a row for each prompt.
        mask: the keyword of ``attention`` that is its additive mask.
        causal: a token sees itself and the tokens before it. What is known without a run, or
            computed once for several, because nothing flows back, asks for this.
        mixes: what carries information from one position to another: "attention", of heads, or
            the "scan" of a state space model, which has none.
    """

    blocks: str
    attn_proj: str
    mlp: str | None
    norm_before_mlp: str | None
    final_norm: str
    caches: bool = True
    activation: str | None = None
    embed: str | None = None
    head: str | None = None
    attention: str | None = None
    query: str | None = None
    key: str | None = None
    value: str | None = None
    qkv: Literal["separate", "thirds", "grouped"] = "separate"
    attn_out: str | None = None
    mlp_in: str | None = None
    neurons: str | None = None
    flat_mlp: bool = False
    tuple_output: bool = False
    pattern: tuple[str, ...] | None = None
    mid: str | None = None
    masks: Literal["one", "types", "own"] = "one"
    batched: tuple[tuple[str, Literal["row", "heads"]], ...] = ()
    plain: bool = False
    cross: str | None = None
    cross_proj: str | None = None
    from_prompt: tuple[str, ...] = ()
    mask: str = "attention_mask"
    causal: bool = True
    mixes: Literal["attention", "scan"] = "attention"

    @property
    def adds_in_turn(self) -> bool:
        """Whether runs may be born inside a block: what they add is known at every point of it."""
        parts = self.plain and self.norm_before_mlp is not None and self.mlp is not None
        return parts and self.attn_out is None and not self.flat_mlp

    @property
    def last_mlp_in(self) -> str | None:
        """Where the last block may drop positions before its MLP; None where it may not."""
        return None if self.flat_mlp else self.norm_before_mlp or self.mlp_in


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
    "opt": _opt_variant,
    "bert": _bert_variant,
}

#: Where a sequence classifier reads, for those whose logits are no output of a module "score".
CLASSIFIERS: dict[str, dict[str, str]] = {
    "bert": {"final_norm": "bert.pooler", "head": "classifier"},
}
