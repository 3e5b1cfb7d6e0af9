"""Hooks that look at, or change, the activation at one point of a model that is not traced."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from .architectures import follow
from .calls import adds_alibi_twice, attention
from .lm import LM
from .mediators import Point
from .taps import module_path

Act = Callable[[Tensor], Tensor | None]
"""An activation (position, columns) to its replacement, or to None if it was only looked at."""

_INPUTS = ("block_in", "attn_z", "cross_z", "mid", "neurons")


@dataclass
class Passes:
    """Forward passes of a model, and the rows that were given to them."""

    passes: int = 0
    rows: int = 0


@contextmanager
def counted(lm: LM) -> Iterator[Passes]:
    """Counts the forward passes that this thread makes with a model meanwhile."""
    found, mine = Passes(), threading.get_ident()

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if threading.get_ident() == mine:
            found.passes += 1
            found.rows += len(args[0] if args else kwargs["input_ids"])

    handle = lm.hf.register_forward_pre_hook(before, with_kwargs=True)
    try:
        yield found
    finally:
        handle.remove()


@contextmanager
def at_point(lm: LM, stage: int, point: Point, act: Act) -> Iterator[None]:
    """Run ``act`` on the activation at a point, whenever a forward pass comes to it."""
    module = module_at(lm, stage, point)
    if point == "mask" and adds_alibi_twice(lm):
        before = _before_keyword(act, lm.paths.mask, lm.n_heads)
        handle = module.register_forward_pre_hook(before, with_kwargs=True)
    elif point in ("mask", "pattern"):
        with attention(lm, "eager"), within_forward(module, lambda: _Softmax(point, act)):
            yield
        return
    elif at_input(lm, stage, point):
        handle = module.register_forward_pre_hook(_before(act, point), with_kwargs=True)
    else:
        handle = module.register_forward_hook(lambda _, __, output: _changed(act, output))
    try:
        yield
    finally:
        handle.remove()


def module_at(lm: LM, stage: int, point: Point) -> nn.Module:
    """The module at whose input or output a point is."""
    path = module_path(lm.paths, stage, lm.n_layers, point)
    assert path is not None, f"the model has nothing at {point}"
    if point == "embed" or stage > lm.n_layers:
        module: nn.Module = follow(lm.hf, path)
        return module
    block: nn.Module = follow(lm.hf, lm.paths.blocks)[stage - 1]
    return follow(block, path) if path else block


def at_input(lm: LM, stage: int, point: Point) -> bool:
    """Whether a point is what its module reads, and not what it returns."""
    return point in _INPUTS or stage > lm.n_layers


def _before_keyword(act: Act, name: str, n_heads: int) -> Any:
    """Passes a mask, which is added to the scores, through ``act`` as ``_Softmax`` passes these."""

    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        mask = kwargs[name].expand(-1, n_heads, -1, -1)
        return args, {**kwargs, name: _by_query(act, mask)}

    return before


def _by_query(act: Act, value: Tensor) -> Tensor:
    """(1, head, query, key) as ``act`` leaves it, which is shown (query, head * key).

    A sink, which is no key and comes after them all, is not shown.
    """
    n = value.shape[-2]
    if value.shape[-1] == n + 1:
        return torch.cat([_by_query(act, value[..., :n]), value[..., n:]], -1)
    one = value.reshape(-1, *value.shape[-2:])  # (head, query, key)
    rows = one.transpose(0, 1).reshape(n, -1)
    new = act(rows)
    if new is None:
        return value
    return new.reshape(n, one.shape[0], -1).transpose(0, 1).reshape(value.shape)


def _changed(act: Act, value: Tensor) -> Tensor:
    """``value``, (1, position, columns) or (position, columns), as ``act`` leaves it."""
    new = act(value.reshape(-1, value.shape[-1]))
    return value if new is None else new.reshape(value.shape)


def _before(act: Act, point: Point) -> Any:
    def before(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = args[0] if args else kwargs["hidden_states"]
        new = _changed(act, value)
        if point == "mid":
            value.copy_(new)  # the block adds to this very tensor later on
            return None
        return ((new, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": new})

    return before


class _Softmax(TorchFunctionMode):
    """Passes what enters, or leaves, a softmax through ``act``, as (query, head * key)."""

    def __init__(self, point: Point, act: Act) -> None:
        super().__init__()
        self.point, self.act = point, act

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func not in (torch.nn.functional.softmax, torch.softmax, Tensor.softmax):
            return func(*args, **(kwargs or {}))
        scores = args[0]
        if self.point == "mask":
            return func(_by_query(self.act, scores), *args[1:], **(kwargs or {}))
        return _by_query(self.act, func(*args, **(kwargs or {})))


@contextmanager
def within_forward(
    module: nn.Module, mode: Callable[[], AbstractContextManager[Any]]
) -> Iterator[None]:
    """A mode that is on while ``module``'s forward runs, and off between its calls.

    Args:
        module: of a model that is not traced.
        mode: makes one for each call.
    """
    modes: list[AbstractContextManager[Any]] = []

    def enter(*_: Any) -> None:
        made = mode()
        made.__enter__()
        modes.append(made)

    def leave(*_: Any) -> None:
        modes.pop().__exit__(None, None, None)

    handles = (
        module.register_forward_pre_hook(enter),
        module.register_forward_hook(leave, always_call=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        while modes:
            leave()
