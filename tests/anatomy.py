"""What the oracle knows of each architecture: read off the modeling files, no code of ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

Key = tuple[str, int]
"""The name of a value and its layer."""


@dataclass(frozen=True)
class Block:
    """One block's modules. ``query``, ``key`` and ``value`` are one module where they are fused.

    Attributes:
        attention: calls the softmax, or the fused kernel.
        projection: reads the heads' z side by side.
        attn_added: its output is added to the residual stream after attention.
        mlp_added: the same after the MLP; None without one.
        neurons: reads the activations of the MLP's neurons; None where there is no such thing.
        mid: there is a residual stream between attention and MLP.
        softmax: it is torch's function, where it can be replaced.
        stream: returns the residual stream between attention and MLP, where a module does.
        heads: it has attention, of heads.
        cross: the projection after attention to an encoder's states.
    """

    block: Any
    attention: Any
    projection: Any
    query: Any
    key: Any
    value: Any
    attn_added: Any
    mlp_added: Any
    neurons: Any
    mid: bool = True
    softmax: bool = True
    stream: Any = None
    heads: bool = True
    cross: Any = None


@dataclass(frozen=True)
class Anatomy:
    """A model's modules and what the columns of its queries, keys and values are.

    Attributes:
        final: its input is the residual stream after the last block.
        columns: "query", "key", "value" to their columns in the output of their module, in the
            order of their heads.
    """

    embedding: Any
    blocks: list[Block]
    final: Any
    n_heads: int
    n_kv_heads: int
    columns: dict[str, list[int]]


def _gpt2(b: Any) -> Block:
    fused = (b.attn.c_attn,) * 3
    return Block(b, b.attn, b.attn.c_proj, *fused, b.attn.c_proj, b.mlp, b.mlp.c_proj)


def _gpt_neo(b: Any) -> Block:
    a = b.attn.attention
    return Block(b, a, a.out_proj, a.q_proj, a.k_proj, a.v_proj, a.out_proj, b.mlp, b.mlp.c_proj)


def _gptj(b: Any) -> Block:
    a, mlp = b.attn, b.mlp
    qkv = (a.q_proj, a.k_proj, a.v_proj)
    return Block(b, a, a.out_proj, *qkv, a.out_proj, mlp, mlp.fc_out, mid=False)


def _gpt_neox(b: Any) -> Block:
    a, mlp = b.attention, b.mlp
    fused = (a.query_key_value,) * 3
    mid = not b.use_parallel_residual
    return Block(b, a, a.dense, *fused, a.dense, mlp, mlp.dense_4h_to_h, mid=mid)


def _falcon(b: Any) -> Block:
    a, mlp = b.self_attention, b.mlp
    fused = (a.query_key_value,) * 3
    mid = hasattr(b, "post_attention_layernorm")
    return Block(b, a, a.dense, *fused, a.dense, mlp, mlp.dense_4h_to_h, mid=mid)


def _bloom(b: Any) -> Block:
    a, down = b.self_attention, b.mlp.dense_4h_to_h
    mid = not b.apply_residual_connection_post_layernorm
    return Block(b, a, a.dense, *(a.query_key_value,) * 3, a.dense, down, down, mid=mid)


def _opt(b: Any) -> Block:
    a = b.self_attn
    qkv = (a.q_proj, a.k_proj, a.v_proj)
    return Block(b, a, a.out_proj, *qkv, a.out_proj, b.fc2, b.fc2, mid=b.do_layer_norm_before)


def _llama(b: Any) -> Block:
    a, mlp = b.self_attn, getattr(b, "mlp", None)
    if mlp is None:  # the hand-set induction model, without keys and values of its own
        return Block(b, a, a.o_proj, a.q_proj, None, None, a.o_proj, None, None, softmax=False)
    down = getattr(mlp, "down_proj", None)
    return Block(b, a, a.o_proj, a.q_proj, a.k_proj, a.v_proj, a.o_proj, mlp, down)


def _phi3(b: Any) -> Block:
    a, mlp = b.self_attn, b.mlp
    return Block(b, a, a.o_proj, *(a.qkv_proj,) * 3, a.o_proj, mlp, mlp.down_proj)


def _gemma(b: Any) -> Block:
    a = b.self_attn
    after = (b.post_attention_layernorm, b.post_feedforward_layernorm)
    return Block(b, a, a.o_proj, a.q_proj, a.k_proj, a.v_proj, *after, b.mlp.down_proj)


def _olmo2(b: Any) -> Block:
    a = b.self_attn
    after = (b.post_attention_layernorm, b.post_feedforward_layernorm)
    return Block(b, a, a.o_proj, a.q_norm, a.k_norm, a.v_proj, *after, b.mlp.down_proj)


def _bert(b: Any) -> Block:
    a, out = b.attention.self, b.attention.output
    qkv, mlp = (a.query, a.key, a.value), b.output.dense
    return Block(b, a, out.dense, *qkv, out.dense, mlp, mlp, mid=False, stream=out)


def _t5(b: Any) -> Block:
    own, cross, mlp = b.layer[0].SelfAttention, b.layer[1].EncDecAttention, b.layer[2]
    ff = mlp.DenseReluDense
    parts = (own, own.o, own.q, own.k, own.v, own.o, ff, ff.wo)
    return Block(b, *parts, mid=False, stream=b.layer[1], cross=cross.o)


def _mamba(b: Any) -> Block:
    out, no = b.mixer.out_proj, None
    return Block(*(b, b.mixer, out, no, no, no, out, no, no), mid=False, softmax=False, heads=False)


_BLOCKS: dict[str, Callable[[Any], Block]] = {
    "gpt2": _gpt2,
    "gpt_neo": _gpt_neo,
    "gptj": _gptj,
    "gpt_neox": _gpt_neox,
    "falcon": _falcon,
    "bloom": _bloom,
    "opt": _opt,
    "phi3": _phi3,
    "gemma2": _gemma,
    "gemma3_text": _gemma,
    "olmo2": _olmo2,
    "bert": _bert,
    "mamba": _mamba,
    "t5": _t5,
}


def anatomy(model: nn.Module) -> Anatomy:
    """The anatomy of a model; what is not named above is built as Llama is."""
    config: Any = model.config
    whole: Any = model
    kind = config.model_type
    if kind in ("gpt2", "gpt_neo", "gptj", "bloom", "falcon"):
        core = whole.transformer
        blocks, final = core.h, core.ln_f
        embedding = core.wte if hasattr(core, "wte") else core.word_embeddings
    elif kind == "gpt_neox":
        core = whole.gpt_neox
        blocks, final, embedding = core.layers, core.final_layer_norm, core.embed_in
    elif kind == "opt":
        core = whole.model.decoder
        blocks = core.layers
        final = core.final_layer_norm or core.project_out or whole.lm_head
        embedding = core.project_in or core.embed_tokens
    elif kind == "bert":
        core = whole.bert
        blocks, embedding = core.encoder.layer, core.embeddings.word_embeddings
        final = core.pooler or whole.cls
    elif kind == "t5":
        core = whole.decoder
        blocks, embedding, final = core.block, core.embed_tokens, core.final_layer_norm
    elif kind == "mamba":
        core = whole.backbone
        blocks, embedding, final = core.layers, core.embeddings, core.norm_f
    else:
        core = whole.model
        blocks, final = core.layers, core.norm
        embedding = core.embed.tokens if hasattr(core, "embed") else core.embed_tokens
    parts = [_BLOCKS.get(kind, _llama)(block) for block in blocks]
    n_heads = int(getattr(config, "num_attention_heads", 0))
    n_kv_heads = _kv_heads(config, n_heads)
    columns = _columns(kind, n_heads, n_kv_heads, _head_width(config, n_heads))
    return Anatomy(embedding, parts, final, n_heads, n_kv_heads, columns)


def modules_of(model: nn.Module) -> dict[Key, tuple[nn.Module, str]]:
    """Where each value lives: the module, and whether it is its input or its output."""
    body = anatomy(model)
    found: dict[Key, tuple[nn.Module, str]] = {("embedding", 0): (body.embedding, "output")}
    for layer, b in enumerate(body.blocks):
        here = {
            "residual": (b.block, "input"),
            "query": (b.query, "output"),
            "key": (b.key, "output"),
            "value": (b.value, "output"),
            "head" if b.heads else "mixer_channel": (b.projection, "input"),
            "attn_out" if b.heads else "mixer_out": (b.attn_added, "output"),
            "residual_mid": (b.stream, "output"),
            "cross_head": (b.cross, "input"),
            "cross_out": (b.cross, "output"),
            "neuron": (b.neurons, "input"),
            "mlp_out": (b.mlp_added, "output"),
            "residual_post": (b.block, "output"),
        }
        found |= {(name, layer): at for name, at in here.items() if at[0] is not None}
    found["residual", len(body.blocks)] = (body.final, "input")
    return found


def _kv_heads(config: Any, n_heads: int) -> int:
    if config.model_type == "falcon":
        if config.new_decoder_architecture:
            return int(config.num_kv_heads)
        return 1 if config.multi_query else n_heads
    return int(getattr(config, "num_key_value_heads", None) or n_heads)


def _head_width(config: Any, n_heads: int) -> int:
    width = None if config.model_type == "falcon" else getattr(config, "head_dim", None)
    width = config.d_kv if config.model_type == "t5" else width
    return int(width or config.hidden_size // max(1, n_heads))


def _columns(kind: str, n_heads: int, n_kv_heads: int, width: int) -> dict[str, list[int]]:
    """Where in the output of their modules the heads' queries, keys and values lie."""
    found: dict[str, list[int]] = {"query": [], "key": [], "value": []}
    if kind in ("gpt_neox", "bloom", "falcon"):
        # For each key-value head: its queries, its key, its value.
        names = (["query"] * (n_heads // n_kv_heads) + ["key", "value"]) * n_kv_heads
    elif kind in ("gpt2", "phi3"):
        names = ["query"] * n_heads + ["key"] * n_kv_heads + ["value"] * n_kv_heads
    else:
        return {
            "query": list(range(n_heads * width)),
            "key": list(range(n_kv_heads * width)),
            "value": list(range(n_kv_heads * width)),
        }
    for slot, name in enumerate(names):
        found[name] += range(slot * width, (slot + 1) * width)
    return found
