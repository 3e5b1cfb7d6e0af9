"""Which models can be rewired: those whose components add to the residual stream one by one."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ..architectures import follow
from ..errors import MediationError
from ..lm import LM


def refuse_no_rewiring(lm: LM) -> None:
    """Raise where single edges do not exist, or cannot be had.

    Raises:
        MediationError: a remote model or one in training mode; a norm after attention, through
            which the writes of heads do not add up; weights that are no plain matrices; a module
            that nobody has named.
    """
    lm.refuse_training_mode()
    if lm.backend is not None:
        raise MediationError(
            "The edges of a remote model cannot be told apart: that takes its weights.",
            value=lm.name,
            expected="a model that runs here",
            fix="mw.search.path_patching(study, receivers), mw.routes(study, site), "
            "study.sweep('head'), which its server answers; or load the model without remote=",
        )
    reason = _reason(lm)
    if reason is not None:
        raise MediationError(
            f"The edges of this model cannot be told apart: {reason}.",
            value=f"{lm.name}: {type(lm.hf).__name__}",
            expected="a decoder that runs here and adds each head and MLP to the stream as it is",
            fix="study heads and MLPs instead: study.sweep('head'), mw.routes(study, site)",
        )


def _reason(lm: LM) -> str | None:
    paths, config = lm.paths, getattr(lm.hf, "config", None)
    unread = paths.norm_before_mlp is None and paths.mlp_in is None
    reasons = {
        "it has no heads": paths.mixes != "attention",
        "its blocks read an encoder beside the stream": paths.cross is not None,
        "a norm after attention rescales the sum of its heads": paths.attn_out is not None,
        "its MLP reads all prompts as one": paths.flat_mlp,
        "its queries, keys and values are not named": None in (paths.query, paths.key, paths.value),
        "what its MLP reads is not named": paths.mlp is not None and unread,
        "its stream goes through a norm": bool(
            getattr(config, "apply_residual_connection_post_layernorm", False)
        ),
    }
    found = [reason for reason, holds in reasons.items() if holds]
    return found[0] if found else _no_matrix(lm)


def _no_matrix(lm: LM) -> str | None:
    block, paths = follow(lm.hf, lm.paths.blocks)[0], lm.paths
    for path in (paths.attn_proj, paths.query, paths.key, paths.value):
        assert path is not None
        if not is_plain(follow(block, path)):
            return f"the weights of {path} are no plain matrix"
    return None


def is_plain(module: nn.Module) -> bool:
    """Whether a module is a linear map whose weight is kept as numbers to compute with."""
    linear = isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"
    return linear and torch.is_floating_point(module.weight)  # type: ignore[arg-type]


def matrix(module: nn.Module) -> torch.Tensor:
    """The weight as (in, out): GPT-2's Conv1D keeps it so, a Linear the other way round."""
    weight: torch.Tensor = module.weight  # type: ignore[assignment]
    return weight if type(module).__name__ == "Conv1D" else weight.T


def on_scale(norm: nn.Module, stream: torch.Tensor, moved: torch.Tensor) -> torch.Tensor:
    """What a norm makes of a change of the stream, if it divides by what the stream has it divide.

    Raises:
        MediationError: a norm whose formula is not known.
    """
    if isinstance(norm, nn.Identity):
        return moved
    gain: torch.Tensor | None = getattr(norm, "weight", None)
    if isinstance(norm, nn.LayerNorm):
        spread = stream.var(-1, keepdim=True, correction=0)
        moved = moved - moved.mean(-1, keepdim=True)
        moved = moved * torch.rsqrt(spread + norm.eps)
        return moved if gain is None else moved * gain
    if type(norm).__name__ in PLAIN_RMS and gain is not None:
        eps: Any = getattr(norm, "variance_epsilon", getattr(norm, "eps", None))
        return moved * torch.rsqrt(stream.pow(2).mean(-1, keepdim=True) + eps) * gain
    raise MediationError(
        "This final norm cannot be held.",
        value=type(norm).__name__,
        expected="a layer norm or a root mean square norm",
        fix="norm='live'",
    )


PLAIN_RMS = tuple(
    f"{name}RMSNorm" for name in ("Llama", "Mistral", "Mixtral", "Qwen2", "Qwen3", "Phi3")
)
"""Norms that scale by their weight and by nothing else."""
