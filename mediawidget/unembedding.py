"""The map from the residual stream to the logits, cut as a processor is quickest at it.

torch's product over GPT-2's 50,257 tokens ran at half the rate of its other products for 294 rows
on an AMD, and at a fifth of the memory's pace for 2 (two cores, MKL); on an Intel at a half of it
for 8. In parts of the vocabulary it does not. On the Intel parts cost a tenth from 128 rows on.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.overrides import handle_torch_function, has_torch_function

from .identity import lies_plain, untouched
from .processor import MKL_LAGS

FEW = 8
"""Rows up to which the weight stands on the left where MKL lags, and is so read at the pace of the
memory. On an Intel that is twice as slow as rows on the left."""

FEWEST = 3
"""Rows up to which the parts may be larger: nothing is read twice."""

MANY = 64
"""Rows from which on the whole vocabulary is computed at once where MKL does not lag."""

PART, PART_OF_FEW = 512, 2048
"""Tokens of the vocabulary that are computed together, so that their weights stay in the cache."""


def cuts(head: nn.Module) -> bool:
    """Whether a model's head is that map alone, on a processor, and large enough to be cut."""
    return (
        isinstance(head, nn.Linear)
        and untouched(head, nn.Linear)
        and lies_plain(head.weight)
        and head.weight.device.type == "cpu"
        and head.weight.dtype in (torch.float32, torch.float64)
        and head.out_features > PART_OF_FEW
    )


def unembedded(head: nn.Linear, value: Tensor) -> Tensor:
    """What ``head`` makes of (..., d_model): logits (..., vocabulary)."""
    rows = value.reshape(-1, head.in_features)
    logits = tall_product(rows, head.weight)
    if head.bias is not None:
        logits += head.bias
    return logits.view(*value.shape[:-1], -1)


def tall_product(rows: Tensor, weight: Tensor) -> Tensor:
    """``rows`` (n, d_model) by a tall ``weight`` (vocabulary, d_model): (n, vocabulary).

    A mode of torch's functions may take it over, as it may take torch's own.
    """
    if has_torch_function((rows, weight)):
        made: Tensor = handle_torch_function(tall_product, (rows, weight), rows, weight)
        return made
    if left_to_torch(rows, weight) or (len(rows) >= MANY and not MKL_LAGS):
        return rows @ weight.T
    return (_of_few if len(rows) <= FEW and MKL_LAGS else _in_parts)(weight, rows)


def left_to_torch(*parts: Tensor) -> bool:
    """Whether a product of them may be differentiated, or is asked for in another precision."""
    # A tangent that a tensor carries forwards is nowhere to be seen on it.
    tangents = forward_ad._current_level >= 0  # noqa: SLF001 - no public way
    gradients = torch.is_grad_enabled() and any(part.requires_grad for part in parts)
    return tangents or gradients or torch.is_autocast_enabled("cpu")


def _of_few(weight: Tensor, rows: Tensor) -> Tensor:
    # A single column would be a product with a vector, at half the pace.
    columns = rows.T if len(rows) > 1 else rows.T.repeat(1, 2)
    logits = torch.cat([part @ columns for part in torch.split(weight, PART_OF_FEW)])
    return logits[:, : len(rows)].T.contiguous()


def _in_parts(weight: Tensor, rows: Tensor) -> Tensor:
    logits = rows.new_empty(len(rows), len(weight))
    size = PART if len(rows) > FEWEST else PART_OF_FEW
    for part, into in zip(torch.split(weight, size), torch.split(logits, size, dim=1), strict=True):
        torch.mm(rows, part.T, out=into)
    return logits
