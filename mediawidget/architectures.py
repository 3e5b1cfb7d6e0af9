"""Where each architecture keeps what we intervene on: one table, checked when a model loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from .errors import MediationError


@dataclass(frozen=True)
class ModulePaths:
    """Dotted module paths; all but ``blocks`` and ``final_norm`` are relative to a block.

    Args:
        blocks: the list of blocks.
        attn_proj: the linear map after attention. Its input is the heads' z side by side, shape
            (row, position, n_heads * d_head); its output is what attention adds to the residual.
        mlp: what the block adds after attention; None for a network without MLPs.
        norm_before_mlp: the norm whose input is the residual between attention and MLP; None if
            the MLP reads something else. Known, it lets the last layer skip positions that no
            one reads.
        final_norm: what reads the residual stream after the last block.
        caches: attention takes the keys and values of earlier positions from
            ``past_key_values``, so that a prefix shared by two prompts is computed once.
        activation: the MLP's activation function. Where there is one that torch has as a single
            kernel, that computes it.
    """

    blocks: str
    attn_proj: str
    mlp: str | None
    norm_before_mlp: str | None
    final_norm: str
    caches: bool = True
    activation: str | None = None


_LLAMA = ModulePaths(
    blocks="model.layers",
    attn_proj="self_attn.o_proj",
    mlp="mlp",
    norm_before_mlp="post_attention_layernorm",
    final_norm="model.norm",
)

ARCHITECTURES: dict[str, ModulePaths] = {
    "gpt2": ModulePaths(
        blocks="transformer.h",
        attn_proj="attn.c_proj",
        mlp="mlp",
        norm_before_mlp="ln_2",
        final_norm="transformer.ln_f",
        activation="mlp.act",
    ),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
    "mediawidget_induction": ModulePaths(
        blocks="model.layers",
        attn_proj="self_attn.o_proj",
        mlp=None,
        norm_before_mlp=None,
        final_norm="model.norm",
        caches=False,
    ),
}


def module_paths(module: nn.Module, paths: ModulePaths | None) -> ModulePaths:
    """The paths for a model: the given ones, or the table's by ``config.model_type``.

    Raises:
        MediationError: the architecture is not in the table, or a path leads nowhere.
    """
    model_type = getattr(getattr(module, "config", None), "model_type", None)
    if paths is None:
        if model_type not in ARCHITECTURES:
            raise MediationError(
                "The modules of this architecture are not known.",
                value=f"{type(module).__name__} with model_type {model_type!r}",
                expected="model_type one of " + ", ".join(ARCHITECTURES) + ", or paths=",
                fix="load(model, tokenizer=..., paths=ModulePaths(blocks='model.layers', "
                "attn_proj='self_attn.o_proj', mlp='mlp', norm_before_mlp=None, "
                "final_norm='model.norm')), with the names that print(model) shows",
            )
        paths = ARCHITECTURES[model_type]
    blocks = follow(module, paths.blocks)
    follow(module, paths.final_norm)
    for block in blocks:
        for path in (paths.attn_proj, paths.mlp, paths.norm_before_mlp):
            if path is not None:
                follow(block, path)
    return paths


def follow(root: Any, path: str) -> Any:
    """The module (or its traced twin) at a dotted path.

    Raises:
        MediationError: names the step that leads nowhere.
    """
    here = root
    for step in path.split("."):
        if not hasattr(here, step):
            named: Any = getattr(here, "named_children", list)
            raise MediationError(
                "A module path leads nowhere.",
                value=f"{path!r}: {type(here).__name__} has no {step!r}",
                expected="one of " + ", ".join(name for name, _ in named()),
                fix="print(model) shows the names of its modules",
            )
        here = getattr(here, step)
    return here
