"""Attention over short prompts on a processor, for many rows at once.

torch's kernel goes through rows and heads one by one, which pays where each is long. A sweep has
thousands that are short: as two batched products they take half the time on two threads, and no
more on one.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

if TYPE_CHECKING:
    from .lm import LM

NAME = "mediawidget_short"
"""What the model's config calls it while a pass runs."""

SHORT = 2048
"""Queries times keys of one row up to which it is the faster one."""

_KERNEL = functional.scaled_dot_product_attention

_SAID_BY_MASK = ("is_causal", "sliding_window", "position_ids", "use_cache", "cache_position")
"""Options of an attention function that a mask made beforehand leaves nothing to say."""


def fits(lm: LM) -> bool:
    """Whether a model's attention may be computed so: it asks transformers for a function.

    It comes with a mask that is made beforehand, and computes in single precision or more. What
    somebody put in the place of torch's attention is left there.
    """
    config: Any = getattr(lm.hf, "config", None)
    functions: Any = getattr(sys.modules[type(lm.hf).__module__], "ALL_ATTENTION_FUNCTIONS", {})
    return (
        getattr(config, "_attn_implementation", None) == "sdpa"
        and lm.paths.masks != "own"
        and lm.backend is None
        and lm.device.type == "cpu"
        and lm.dtype in (torch.float32, torch.float64)
        and functions.get("sdpa") is sdpa_attention_forward
        and functional.scaled_dot_product_attention is _KERNEL
    )


def attend(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    scaling: float | None = None,
    **rest: Any,
) -> tuple[Tensor, None]:
    """Attention of every query: (row, query, head, d_head).

    Args:
        module: whose attention it is.
        query: (row, head, query, d_head).
        key: (row, kv head, key, d_head).
        value: likewise.
        attention_mask: additive, broadcast to (row, head, query, key).
        scaling: of the products of queries and keys; default 1 / sqrt(d_head).
        rest: handed on to torch's kernel, which does what is not short or comes with more.
    """
    n_rows, n_heads, n_queries, width = query.shape
    n_kv, n_keys = key.shape[1], key.shape[2]
    kinds = {part.dtype for part in (query, key, value, attention_mask) if part is not None}
    exact = kinds in ({torch.float32}, {torch.float64})
    if n_queries * n_keys > SHORT or attention_mask is None or not exact or _more(rest):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, **rest
        )
    # Heads that share a key stand beside each other.
    grouped = query.reshape(n_rows, n_kv, -1, width)
    scores = grouped @ key.transpose(2, 3)
    scores = scores.view(n_rows, n_heads, n_queries, n_keys)
    scores = scores.mul_(width**-0.5 if scaling is None else scaling).add_(attention_mask)
    weights = _softmax(scores).view(n_rows, n_kv, -1, n_keys)
    mixed = (weights @ value).view(n_rows, n_heads, n_queries, -1)
    return mixed.transpose(1, 2).contiguous(), None


def _softmax(scores: Tensor) -> Tensor:
    """Over the keys, in place: for so few of them a sixth of what torch's own takes."""
    scores.sub_(scores.amax(-1, keepdim=True)).exp_()
    return scores.div_(scores.sum(-1, keepdim=True))


def _more(options: dict[str, Any]) -> bool:
    """Whether something is asked for beyond a softmax of masked products."""
    return any(
        name not in _SAID_BY_MASK and (isinstance(option, Tensor) or bool(option))
        for name, option in options.items()
    )


AttentionInterface.register(NAME, attend)
# For whoever calls the model meanwhile, with no mask of ours.
AttentionMaskInterface.register(NAME, sdpa_mask)
