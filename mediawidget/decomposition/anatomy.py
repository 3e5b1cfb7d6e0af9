"""The weights of a model as the operations that a decomposition goes through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from ..architectures import follow
from ..calls import reads_windows
from ..errors import MediationError
from ..lm import LM
from .linear import Map, map_of
from .norm import refuse_other_norm

Rotate = Callable[[Tensor, int], Tensor]
"""(..., position, head, width) and the first position, to the same shape, linear."""


@dataclass(frozen=True)
class Heads:
    """Attention of a block.

    Attributes:
        n_keys: key-value heads.
        window: how many positions a head looks back, its own included; None: all.
    """

    norm: nn.Module
    query: Map
    key: Map
    value: Map
    out: Map
    n_heads: int
    n_keys: int
    scaling: float
    window: int | None = None


@dataclass(frozen=True)
class Mlp:
    """An MLP: linear maps, one function of their outputs, a linear map."""

    norm: nn.Module
    ins: tuple[Map, ...]
    function: Callable[..., Tensor]
    out: Map


@dataclass(frozen=True)
class Anatomy:
    """A decoder.

    Attributes:
        embed: ids (prompt, position) to what the tokens bring and what else enters.
        blocks: in order.
        rotation: number of positions to the rotation of queries and keys, None for none.
        unembed: (d_model, vocabulary).
    """

    embed: Callable[[Tensor], tuple[Tensor, Tensor]]
    blocks: tuple[tuple[Heads, Mlp | None], ...]
    rotation: Callable[[int], Rotate | None]
    final_norm: nn.Module
    unembed: Map


def anatomy(lm: LM) -> Anatomy:
    """The operations of a model.

    Raises:
        MediationError: another architecture, a remote model, weights that cannot be read.
    """
    if lm.backend is not None:
        raise MediationError(
            "A remote model cannot be decomposed: that takes its weights.",
            value=lm.name,
            expected="a model that runs here",
            fix="study.sweep('head'), mw.search.greedy(study, k=8), mw.routes(study, site), which "
            "its server answers; or load the model without remote=",
        )
    lm.refuse_training_mode()
    kind = getattr(getattr(lm.hf, "config", None), "model_type", None)
    if kind not in KINDS or lm.classifies:
        raise _unknown(lm, f"{type(lm.hf).__name__} with model_type {kind!r}")
    found = KINDS[kind](lm)
    refuse_other_norm(found.final_norm, lm.paths.final_norm)
    for index, (heads, mlp) in enumerate(found.blocks):
        for norm in (heads.norm, *(() if mlp is None else (mlp.norm,))):
            refuse_other_norm(norm, f"a norm of layer {index}")
    return found


def _gpt2(lm: LM) -> Anatomy:
    root: Any = follow(lm.hf, "transformer")

    def embed(ids: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.arange(ids.shape[-1], device=ids.device)
        return root.wte(ids), root.wpe(at).expand(*ids.shape, -1)

    blocks = []
    for block in root.h:
        d = lm.n_heads * lm.d_head
        qkv = map_of(block.attn.c_attn, "attn.c_attn")
        query, key, value = (qkv.columns(i * d, (i + 1) * d) for i in range(3))
        z_out, scaling = map_of(block.attn.c_proj, "attn.c_proj"), float(block.attn.scaling)
        heads = Heads(block.ln_1, query, key, value, z_out, lm.n_heads, lm.n_heads, scaling)
        into = map_of(follow(block, "mlp.c_fc"), "mlp.c_fc")
        out = map_of(follow(block, "mlp.c_proj"), "mlp.c_proj")
        blocks.append((heads, Mlp(block.ln_2, (into,), follow(block, "mlp.act"), out)))
    return Anatomy(embed, tuple(blocks), lambda _: None, root.ln_f, _unembed(lm))


def _llama(lm: LM) -> Anatomy:
    root: Any = follow(lm.hf, "model")

    def embed(ids: Tensor) -> tuple[Tensor, Tensor]:
        tokens = root.embed_tokens(ids)
        return tokens, torch.zeros_like(tokens)

    def rotation(n_positions: int) -> Rotate:
        at = torch.arange(n_positions, device=lm.device)[None]
        like = torch.empty((), dtype=lm.dtype, device=lm.device)
        cos, sin = (angles[0] for angles in root.rotary_emb(like, at))
        return lambda x, start: apply_rotary_pos_emb(x, x, cos[start:], sin[start:])[0]

    blocks = []
    for block in root.layers:
        attention, mlp = block.self_attn, block.mlp
        query, key, value, z_out = (_projection(attention, x) for x in "qkvo")
        counts = (lm.n_heads, lm.n_kv_heads)
        rest = (float(attention.scaling), _window(attention))
        heads = Heads(block.input_layernorm, query, key, value, z_out, *counts, *rest)
        ins = tuple(map_of(follow(mlp, f"{name}_proj"), f"{name}_proj") for name in ("gate", "up"))
        out = map_of(mlp.down_proj, "down_proj")
        blocks.append((heads, Mlp(block.post_attention_layernorm, ins, _gated(mlp.act_fn), out)))
    return Anatomy(embed, tuple(blocks), rotation, root.norm, _unembed(lm))


def _window(attention: Any) -> int | None:
    said = attention.config if reads_windows(type(attention).__module__) else None
    found = getattr(attention, "sliding_window", getattr(said, "sliding_window", None))
    return None if found is None else int(found)


def _gated(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    return lambda gate, up: function(gate) * up


def _known_truth(lm: LM) -> Anatomy:
    """The hand-set decoders of this package: no norm, scores that are not scaled."""
    root: Any = follow(lm.hf, "model")

    def embed(ids: Tensor) -> tuple[Tensor, Tensor]:
        at = torch.arange(ids.shape[-1], device=ids.device)
        return root.embed.tokens(ids), root.embed.positions(at).expand(*ids.shape, -1)

    blocks = []
    for block in root.layers:
        attention, mlp = block.self_attn, getattr(block, "mlp", None)
        query, key, value, out = (_projection(attention, side) for side in "qkvo")
        counts = (lm.n_heads, lm.n_kv_heads)
        heads = Heads(nn.Identity(), query, key, value, out, *counts, 1.0)
        neurons = None
        if mlp is not None:
            ins = (map_of(mlp.gate_proj, "gate_proj"), map_of(mlp.up_proj, "up_proj"))
            neurons = Mlp(block.norm, ins, torch.mul, map_of(mlp.down_proj, "down_proj"))
        blocks.append((heads, neurons))
    return Anatomy(embed, tuple(blocks), lambda _: None, root.norm, _unembed(lm))


def _projection(attention: Any, side: str) -> Map:
    return map_of(getattr(attention, f"{side}_proj"), f"{side}_proj")


def _unembed(lm: LM) -> Map:
    return map_of(follow(lm.hf, "lm_head"), "lm_head")


KINDS: dict[str, Callable[[LM], Anatomy]] = {
    "gpt2": _gpt2,
    "llama": _llama,
    "mistral": _llama,
    "qwen2": _llama,
    "mediawidget_circuit": _known_truth,
    "mediawidget_induction": _known_truth,
}
"""``model_type`` to how its weights are read."""


def _unknown(lm: LM, what: str) -> MediationError:
    return MediationError(
        "This model cannot be decomposed.",
        value=f"{lm.name}: {what}",
        expected="a causal decoder that runs here, with model_type gpt2, llama, mistral or qwen2, "
        "or one of mediawidget.models",
        fix="mw.search methods that run the model itself know every architecture; "
        "or sweep: study.sweep('head')",
    )
