"""The modules of a loaded model: found by the table of architectures, checked, and measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from .errors import MediationError
from .known_paths import ARCHITECTURES, CLASSIFIERS, OLDER_HEADS, SHIPPED, VARIANTS
from .path_checks import refuse_no_modules, refuse_other_modules, widths
from .paths import ModulePaths, follow

__all__ = ["ARCHITECTURES", "ModulePaths", "Sizes", "follow", "module_paths", "sizes"]


def module_paths(module: nn.Module, paths: ModulePaths | None) -> ModulePaths:
    """The paths for a model: the given ones, or the table's by ``config.model_type``.

    Args:
        module: the model; its ``config.model_type`` says which architecture it is.
        paths: given ones, which are checked too; None for those of the table.

    Raises:
        MediationError: the architecture is not in the table, or a path leads nowhere.
    """
    config: Any = getattr(module, "config", None)
    model_type, given = getattr(config, "model_type", None), paths
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
        if model_type in VARIANTS:
            paths = VARIANTS[model_type](config, paths)
        older = OLDER_HEADS.get(model_type)
        if older is not None and hasattr(module, older):
            paths = replace(paths, head=older)
        if type(module).__name__.endswith("ForSequenceClassification"):
            paths = replace(paths, **CLASSIFIERS.get(model_type, {"head": "score"}))  # type: ignore[arg-type]
        found = _without_replaced(module, paths)
    else:
        found = paths
    refuse_no_modules(module, found)
    if not is_shipped(module, given):
        refuse_other_modules(module, found)
    return found


def is_shipped(module: nn.Module, paths: ModulePaths | None) -> bool:
    """Whether the paths of a model are this package's own, and not given or put in the table."""
    model_type = getattr(getattr(module, "config", None), "model_type", None)
    ours = SHIPPED.get(model_type or "")
    return paths is None and ours is not None and ARCHITECTURES.get(model_type or "") is ours


def _without_replaced(module: nn.Module, paths: ModulePaths) -> ModulePaths:
    """An MLP that somebody put in the place of the architecture's own need not have neurons."""
    if paths.neurons is None:
        return paths
    try:
        for block in follow(module, paths.blocks):
            follow(block, paths.neurons)
    except MediationError:
        return replace(paths, neurons=None)
    return paths


@dataclass(frozen=True)
class Sizes:
    """How large a model is, as far as interventions go.

    Attributes:
        n_layers: blocks.
        n_heads, n_kv_heads: query heads and key-value heads of a block; 0 without attention.
        d_model: the residual stream's width.
        d_head: a head's width, which need not be ``d_model / n_heads``.
        d_mlp: neurons of a block's MLP, or of one expert; 0 for a network without MLPs.
        vocabulary: logits.
        d_mixer: channels of a block that mixes positions by a scan; 0 for one with attention.
    """

    n_layers: int
    n_heads: int
    n_kv_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    vocabulary: int
    d_mixer: int = 0


_HEAD_COUNTS = ("num_attention_heads", "n_head", "num_heads", "n_heads")


def sizes(module: nn.Module, paths: ModulePaths) -> Sizes:
    """The sizes of a model, measured on its modules where they show, else from its config.

    Args:
        module: the model.
        paths: where its modules are.

    Raises:
        MediationError: the number of heads is not known, or the heads are not equally wide.
    """
    config: Any = getattr(module, "config", None)
    block = follow(module, paths.blocks)[0]
    if paths.mixes == "scan":
        return _scanning(module, block, paths)
    n_heads = _named(config, _HEAD_COUNTS)
    if n_heads is None:
        raise MediationError(
            "The number of heads is not known.",
            value=f"{type(module).__name__}.config",
            expected="one of " + ", ".join(_HEAD_COUNTS),
            fix="model.config.num_attention_heads = ...",
        )
    width, d_model = widths(follow(block, paths.attn_proj))
    if width % n_heads:
        raise MediationError(
            "The attention width is no multiple of the number of heads.",
            value=f"width {width}, {n_heads} heads",
            expected="heads of equal width",
            fix="pass paths=ModulePaths(attn_proj=...) naming the attention's output map",
        )
    n_kv_heads = _named(config, ("num_key_value_heads",)) or n_heads
    if paths.key is not None:
        out = widths(follow(block, paths.key))[1]
        keys = out if paths.qkv == "separate" else (out - width) // 2
        n_kv_heads = keys * n_heads // width
    d_mlp = _named(config, ("intermediate_size", "n_inner", "ffn_dim")) or 4 * d_model
    if paths.neurons is not None:
        d_mlp = widths(follow(block, paths.neurons))[0]
    return Sizes(
        n_layers=len(follow(module, paths.blocks)),
        n_heads=n_heads,
        n_kv_heads=n_kv_heads,
        d_model=d_model,
        d_head=width // n_heads,
        d_mlp=d_mlp,
        vocabulary=_vocabulary(module, paths),
    )


def _scanning(module: nn.Module, block: nn.Module, paths: ModulePaths) -> Sizes:
    """The sizes of a network that has no heads."""
    channels, d_model = widths(follow(block, paths.attn_proj))
    return Sizes(
        n_layers=len(follow(module, paths.blocks)),
        n_heads=0,
        n_kv_heads=0,
        d_model=d_model,
        d_head=0,
        d_mlp=widths(follow(block, paths.neurons))[0] if paths.neurons is not None else 0,
        vocabulary=_vocabulary(module, paths),
        d_mixer=channels,
    )


def _vocabulary(module: nn.Module, paths: ModulePaths) -> int:
    named = _named(getattr(module, "config", None), ("vocab_size",))
    return named or widths(follow(module, paths.head or "lm_head"))[1]


def _named(config: Any, names: tuple[str, ...]) -> int | None:
    found = (getattr(config, name, None) for name in names)
    return next((int(value) for value in found if value), None)
