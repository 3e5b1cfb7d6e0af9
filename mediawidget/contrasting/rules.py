"""How a relevance is passed from what is computed to what it is computed from.

Every rule gives away exactly what it gets, and nothing negative comes of what is not negative:

- linear map: input j of output i gets the share of its positive contribution x_j w_ji among all
  positive ones (Chefer et al. 2021, eq. 4; the z+ rule of Deep Taylor decomposition). Where none
  is positive it is shared by their size, and where all are 0 equally;
- biases get nothing: what they bring is divided among the inputs as the rest is;
- sum: by the size of what each brings, coordinate by coordinate. The paper's x / (x + y) knows no
  bound where the two cancel, as writes to a residual stream do;
- product of two activations (pattern and values, queries and keys, the factors of a gated unit):
  either gets half, which is what the paper's normalisation (eq. 10 to 12) comes to, and within
  either it is shared by the size of the products;
- norms, activation functions, softmax, rotations of queries and keys: it is passed on as it is,
  coordinate by coordinate, as the authors' code does for norms and softmax.

Sources: Chefer, Gur and Wolf 2021; Montavon et al. 2017 (Deep Taylor decomposition).
"""

from __future__ import annotations

import torch
from torch import Tensor


def through_map(relevance: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    """From the outputs of x W + b to x.

    Args:
        relevance: (..., out).
        x: (..., in).
        weight: (in, out).
    """
    up, down = x.clamp(min=0), (-x).clamp(min=0)
    w_up, w_down = weight.clamp(min=0), (-weight).clamp(min=0)
    positive = up @ w_up + down @ w_down
    scale = _over(relevance, positive)
    found = up * (scale @ w_up.T) + down * (scale @ w_down.T)
    size = x.abs() @ weight.abs()
    scale = _over(torch.where(positive > 0, 0.0, relevance), size)
    found = found + x.abs() * (scale @ weight.abs().T)
    nothing = torch.where(size > 0, 0.0, relevance).sum(-1, keepdim=True)
    return found + nothing / x.shape[-1]


def through_sum(relevance: Tensor, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """From a sum to its two terms, all of one shape."""
    size = one.abs() + other.abs()
    share = torch.where(size > 0, _over(one.abs(), size), 0.5)
    return relevance * share, relevance * (1 - share)


def through_mix(relevance: Tensor, pattern: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
    """From what heads mix to their patterns and to the values.

    Args:
        relevance: (prompt, head, query, width).
        pattern: (prompt, head, query, key).
        value: (prompt, head, key, width).

    Returns:
        Of the shapes of ``pattern`` and ``value``.
    """
    half, size = relevance / 2, pattern @ value.abs()
    scale = _over(half, size)
    # A column without any value: a pattern sums to one, so its weights are the shares.
    rest = torch.where(size > 0, 0.0, half)
    to_pattern = pattern * (scale @ value.abs().transpose(-1, -2) + rest.sum(-1, keepdim=True))
    turned = pattern.transpose(-1, -2)
    return to_pattern, value.abs() * (turned @ scale) + turned @ rest


def through_scores(relevance: Tensor, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
    """From scores to queries and keys.

    Args:
        relevance: (prompt, head, query, key).
        query: (prompt, head, position, width).
        key: the same shape.
    """
    half, size = relevance / 2, query.abs() @ key.abs().transpose(-1, -2)
    scale = _over(half, size)
    rest = torch.where(size > 0, 0.0, half) / query.shape[-1]
    to_query = query.abs() * (scale @ key.abs()) + rest.sum(-1, keepdim=True)
    turned = scale.transpose(-1, -2)
    to_key = key.abs() * (turned @ query.abs()) + rest.sum(-2)[..., None]
    return to_query, to_key


def _over(relevance: Tensor, size: Tensor) -> Tensor:
    """The quotient, 0 where the divisor is."""
    return torch.where(size > 0, relevance / torch.where(size > 0, size, 1.0), 0.0)
