"""Attention softmaxes of a pass: their scores and patterns, and the scores of other queries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..architectures import follow
from ..calls import attention
from ..gradients import Where
from ..lm import LM
from ..plain_hooks import module_at, within_forward

SOFTMAX = (torch.nn.functional.softmax, torch.softmax, Tensor.softmax)

LARGEST = 80.0
"""A score so far above, or below, all of a row's scores leaves no doubt; its exponential is still
a number in single precision."""


class Intercepted(TorchFunctionMode):
    """Passes the calls of some functions, made inside of it, through ``act``."""

    def __init__(self, functions: Sequence[Any], act: Callable[..., Any]) -> None:
        super().__init__()
        self.functions, self.act = tuple(functions), act

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func not in self.functions:
            return func(*args, **(kwargs or {}))
        return self.act(func, *args, **(kwargs or {}))


def intercepting(
    module: nn.Module, functions: Sequence[Any], act: Callable[..., Any]
) -> AbstractContextManager[None]:
    """The same for what is called inside the forward of ``module``."""
    return within_forward(module, lambda: Intercepted(functions, act))


@dataclass
class Softmaxes:
    """The softmaxes of some layers in one forward pass.

    Attributes:
        scores: per layer what entered the softmax, (row, head, query, key).
        patterns: per layer what left it, part of the graph.
    """

    lm: LM
    layers: Sequence[int]
    scores: dict[int, Tensor] = field(default_factory=dict)
    patterns: dict[int, Tensor] = field(default_factory=dict)
    _calls: dict[int, tuple[Any, Any]] = field(default_factory=dict)

    @contextmanager
    def seeing(self) -> Iterator[None]:
        """Keep them in the pass to come."""
        with ExitStack() as hooks:
            hooks.enter_context(attention(self.lm, "eager"))
            for layer in self.layers:
                module, calls = self._module(layer), self._keeps_call(layer)
                handle = module.register_forward_pre_hook(calls, with_kwargs=True)
                hooks.callback(handle.remove)
                hooks.enter_context(intercepting(module, SOFTMAX, self._keeps(layer)))
            yield

    def scores_with(self, layer: int, where: Where, own: Tensor, change: Tensor) -> Tensor:
        """What would enter a layer's softmax if all of its queries or keys were others.

        Attention alone is run again, on what it read in the pass.

        Args:
            layer: whose.
            where: the point of the queries or keys.
            own: what is there, (row, position, columns).
            change: what is added to it.
        """
        args, kwargs = self._calls[layer]
        module, projection = self._module(layer), module_at(self.lm, *where)
        found: list[Tensor] = []

        def look(func: Any, scores: Tensor, *args: Any, **kwargs: Any) -> Any:
            found.append(scores)
            return func(scores, *args, **kwargs)

        def put(_: nn.Module, __: Any, output: Tensor) -> Tensor:
            return (own + change).reshape(output.shape).to(output)

        with torch.no_grad(), ExitStack() as hooks:
            hooks.enter_context(attention(self.lm, "eager"))
            hooks.enter_context(intercepting(module, SOFTMAX, look))
            hooks.callback(projection.register_forward_hook(put).remove)
            module(*args, **kwargs)
        return found[-1].reshape(self.scores[layer].shape)

    # --- inside -------------------------------------------------------------------------------

    def _module(self, layer: int) -> nn.Module:
        block = follow(self.lm.hf, self.lm.paths.blocks)[layer]
        module: nn.Module = follow(block, self.lm.paths.attention or "")
        return module

    def _keeps_call(self, layer: int) -> Any:
        def keep(_: nn.Module, args: Any, kwargs: Any) -> None:
            self._calls[layer] = (args, kwargs)

        return keep

    def _keeps(self, layer: int) -> Any:
        def keep(func: Any, scores: Tensor, *args: Any, **kwargs: Any) -> Tensor:
            pattern: Tensor = func(scores, *args, **kwargs)
            if not pattern.requires_grad:
                pattern = pattern.detach().requires_grad_()
            self.scores[layer], self.patterns[layer] = scores.detach(), pattern
            return pattern

        return keep


# --- what a change of scores is worth ---------------------------------------------------------


def row_worth(old: Tensor, new: Tensor, gradient: Tensor, where: NDArray[np.float64]) -> Tensor:
    """Gradient times the pattern's change, where whole rows of scores are new.

    Args:
        old: scores (row, head, query, key) with the own queries.
        new: the same with the new ones.
        gradient: at the pattern.
        where: (query, cell) 1 where a cell's queries are.

    Returns:
        (row, head, cell), in double precision where the device has it.
    """
    change = precise(new).softmax(-1) - precise(old).softmax(-1)
    each = (change * precise(gradient)).sum(-1)
    return each @ torch.from_numpy(where).to(each)


def column_worth(old: Tensor, new: Tensor, gradient: Tensor, where: NDArray[np.float64]) -> Tensor:
    """The same where some columns are new, those of a cell's keys: (row, head, cell)."""
    old, new, gradient = precise(old), precise(new), precise(gradient)
    alone = _single_columns(old, new, gradient) if (where.sum(0) == 1).any() else None
    found = []
    for cell in where.T:
        keys = np.flatnonzero(cell)
        if len(keys) == 1 and alone is not None:
            found.append(alone[..., keys[0]])
            continue
        mixed = old.clone()
        mixed[..., keys] = new[..., keys]
        found.append(((mixed.softmax(-1) - old.softmax(-1)) * gradient).sum((-1, -2)))
    return torch.stack(found, dim=-1)


def _single_columns(old: Tensor, new: Tensor, gradient: Tensor) -> Tensor:
    """The same for every key alone, (row, head, key), without a softmax for each.

    With p_t the old weight of key t and e its new one before weights are made to add up, the new
    weights are e / (1 - p_t + e) at t and p_k / (1 - p_t + e) elsewhere. Where one key has nearly
    all weight, 1 - p_t is what the others have, not a difference.
    """
    total = old.logsumexp(-1, keepdim=True)
    pattern = (old - total).exp()
    most = pattern.argmax(-1, keepdim=True)
    weighed = pattern * gradient
    zero = torch.zeros_like(most, dtype=pattern.dtype)
    rest, others = 1.0 - pattern, weighed.sum(-1, keepdim=True) - weighed
    rest = rest.scatter(-1, most, pattern.scatter(-1, most, zero).sum(-1, keepdim=True))
    others = others.scatter(-1, most, weighed.scatter(-1, most, zero).sum(-1, keepdim=True))
    weight = (new - total).clamp(-LARGEST, LARGEST).exp()
    worth = (others + gradient * weight) / (rest + weight) - weighed.sum(-1, keepdim=True)
    return worth.sum(-2)


def precise(value: Tensor) -> Tensor:
    """In double precision, but for devices that have none (Apple's)."""
    return value.to(torch.float32 if value.device.type == "mps" else torch.float64)
