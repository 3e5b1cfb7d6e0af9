"""Context managers by which the oracle changes what a model computes, without tracing it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Change = Callable[[Tensor], Tensor]
"""(position, width), or a pattern (head, query, key), to another one of the same shape."""


@contextmanager
def rewriting(
    module: nn.Module, side: str, change: Change, columns: Sequence[int] | None = None
) -> Iterator[None]:
    """Pass what enters or leaves ``module``, or some columns of it, through ``change``."""

    def changed(x: Tensor) -> Tensor:
        # OPT's MLP has no axis for rows; there is one row anyway.
        flat = x.reshape(-1, x.shape[-1])
        assert x.dim() == 2 or x.shape[0] == 1
        part = flat if columns is None else flat[:, list(columns)]
        new = change(part)
        if new is part:
            return x
        if columns is None:
            return new.reshape(x.shape)
        whole = flat.clone()
        whole[:, list(columns)] = new
        return whole.reshape(x.shape)

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

    def after(_: nn.Module, __: Any, output: Any) -> Any:
        if isinstance(output, tuple):
            return (changed(output[0]), *output[1:])
        assert isinstance(output, Tensor), f"{type(output)} is no plain tensor"
        return changed(output)

    if side == "input":
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    else:
        handle = module.register_forward_hook(after)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def between(block: nn.Module, added: nn.Module, change: Change) -> Iterator[None]:
    """Pass the sum of a block's input and the output of ``added`` through ``change``."""
    seen: list[Tensor] = []

    def look(x: Tensor) -> Tensor:
        seen[:] = [x]
        return x

    def shift(x: Tensor) -> Tensor:
        total = seen[0] + x
        new = change(total)
        return x if new is total else new - seen[0]

    with rewriting(block, "input", look), rewriting(added, "output", shift):
        yield


@contextmanager
def attending(attention: nn.Module, what: str, change: Change) -> Iterator[None]:
    """Pass the "scores" or the "pattern" of an attention module through ``change``.

    While the module runs, torch's two ways to attend are replaced by their definition.
    """
    functions: Any = nn.functional
    originals: list[tuple[Any, Any]] = []
    calls: list[None] = []

    def enter(*_: Any) -> None:
        softmax, fused = functions.softmax, functions.scaled_dot_product_attention
        originals.append((softmax, fused))

        def our_softmax(scores: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            calls.append(None)
            assert scores.shape[0] == 1
            if what == "scores":
                scores = change(scores[0])[None]
            pattern: Tensor = softmax(scores, *args, **kwargs)
            return change(pattern[0])[None] if what == "pattern" else pattern

        functions.softmax = our_softmax
        if not getattr(fused, "by_definition", False):
            functions.scaled_dot_product_attention = attend

    def leave(*_: Any) -> None:
        functions.softmax, functions.scaled_dot_product_attention = originals.pop()

    handles = [
        attention.register_forward_pre_hook(enter),
        # Nested, the last to enter is the first to leave.
        attention.register_forward_hook(leave, always_call=True, prepend=True),
    ]
    try:
        yield
        assert len(calls) == 1, f"{len(calls)} calls of softmax in {type(attention).__name__}"
    finally:
        for handle in handles:
            handle.remove()


def attend(  # noqa: PLR0917 - torch's own signature
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """What ``scaled_dot_product_attention`` is defined as, with a softmax that can be seen."""
    assert dropout_p == 0.0
    if enable_gqa:
        key, value = (
            x.repeat_interleave(query.shape[1] // x.shape[1], dim=1) for x in (key, value)
        )
    scores = query @ key.transpose(-2, -1) * (scale or query.shape[-1] ** -0.5)
    if is_causal:
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        scores = scores.masked_fill(future, float("-inf"))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, float("-inf"))
    elif attn_mask is not None:
        scores = scores + attn_mask
    return nn.functional.softmax(scores, dim=-1) @ value


attend.by_definition = True  # type: ignore[attr-defined]
