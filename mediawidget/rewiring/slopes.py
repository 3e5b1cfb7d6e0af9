"""How the metric moves with what each reader of the residual stream sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..failing import noting_what_a_pass_asks
from ..gradients import only_activations
from ..lm import LM
from ..plain_hooks import module_at
from .passing import Pass
from .support import matrix
from .writes import Writes


def reader_slopes(
    lm: LM,
    ids: Tensor,
    start: Tensor,
    reads: Sequence[int],
    number: Callable[[Tensor], Tensor],
) -> Tensor:
    """The gradient of a number at every receiver's own input.

    What follows from a change of the input counts, through all later components.

    Args:
        lm: a model that can be rewired.
        ids: (row, position) token ids.
        start: (row, position, d_model) what enters the first block.
        reads: positions whose logits the number is read from.
        number: logits (row, read, vocabulary) to a tensor without axes.

    Returns:
        (receiver, row, position, d_model).
    """
    wiring = lm.wiring
    whole = torch.zeros(len(ids), *wiring.reach.shape, device=lm.device, dtype=lm.dtype)
    with lm.lock, only_activations(lm):
        passed = Pass(lm, whole, None, start=start.detach().requires_grad_(), probe=True)
        total = number(passed.logits(ids, reads))
        inputs = [stacked for _, stacked in passed.inputs]
        with noting_what_a_pass_asks():
            gradients = torch.autograd.grad(total, inputs)
    found = torch.empty(len(wiring.receivers), *start.shape, device=lm.device, dtype=lm.dtype)
    for (receivers, _), gradient in zip(passed.inputs, gradients, strict=True):
        found[list(receivers)] = torch.unflatten(gradient, 0, (len(receivers), -1))
    return found


def spread(lm: LM, own: Writes, other: Writes) -> Tensor:
    """What every sender writes less what it writes elsewhere: (row, sender, position, d_model)."""
    parts = [(own.start - other.start)[:, None]]
    for layer, (here, there) in enumerate(zip(own.heads, other.heads, strict=True)):
        proj = module_at(lm, layer + 1, "attn_z")
        change = torch.unflatten(here - there, -1, (lm.n_heads, -1))
        weight = torch.unflatten(matrix(proj), 0, (lm.n_heads, -1))
        parts.append(torch.einsum("nphe,hed->nhpd", change, weight))
        if own.mlps:
            parts.append((own.mlps[layer] - other.mlps[layer])[:, None])
    return torch.cat(parts, 1)
