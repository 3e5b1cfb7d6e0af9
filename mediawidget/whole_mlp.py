"""GPT-2's MLP in one go, where it is that and nobody looks inside it.

A kernel that makes a map and its activation at once spares the widest tensor there is two ways
through the memory: up to a fiftieth of a sweep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeGuard

import torch
from torch import Tensor, nn
from transformers.activations import NewGELUActivation
from transformers.pytorch_utils import Conv1D

from .identity import lies_plain, untouched
from .tanh_gelu import gelu_of_map

if TYPE_CHECKING:
    from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

_CLASS = ("transformers.models.gpt2.modeling_gpt2", "GPT2MLP")
"""By its name, so that kernels that never see a GPT-2 need not import it."""

_PARTS = {"c_fc": Conv1D, "c_proj": Conv1D, "act": NewGELUActivation, "dropout": nn.Dropout}


def is_whole(module: nn.Module | None) -> TypeGuard[GPT2MLP]:
    """Whether a module is GPT-2's MLP in all its parts, and what it computes is what that does.

    Not where any part is hooked, offloaded, replaced, adapted, in training, or has weights that are
    no plain tensors.
    """
    if module is None:
        return False
    kind = type(module)
    if (kind.__module__, kind.__qualname__) != _CLASS:
        return False
    parts = dict(module.named_children())
    return (
        untouched(module, kind)
        and parts.keys() == _PARTS.keys()
        and all(untouched(parts[name], part) for name, part in _PARTS.items())
        and not any(part.training for part in parts.values())
        and all(map(_is_plain, (parts["c_fc"], parts["c_proj"])))
    )


def mlp_output(mlp: GPT2MLP, value: Tensor) -> Tensor:
    """What a whole MLP makes of ``value`` (row, position, d_model), in the same shape."""
    up, down = mlp.c_fc, mlp.c_proj
    hidden = gelu_of_map(value, up.weight, up.bias).view(-1, len(down.weight))
    return torch.addmm(down.bias, hidden, down.weight).view(value.shape)


def _is_plain(part: nn.Module) -> bool:
    """Whether a map's weights are tensors like any others: a subclass may compute otherwise."""
    weights: list[Any] = [getattr(part, name, None) for name in ("weight", "bias")]
    return all(type(one) in (Tensor, nn.Parameter) and lies_plain(one) for one in weights)
