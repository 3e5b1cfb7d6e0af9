"""A server whose model is on a card: what a request brings lies on a processor until it is moved.

There is no card here. So tensors that came with a request are marked, and an operation that takes
a marked one together with another fails, as torch does for two devices. It lets pass what torch
lets pass: an index into a tensor, and numbers without a dimension.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import torch
from nnsight.schema.request import RequestModel
from torch import Tensor
from torch.overrides import TorchFunctionMode

_INDEXING = (Tensor.__getitem__, Tensor.__setitem__)


class TwoDevices(TorchFunctionMode):
    """Marks tensors, and sees to it that they are moved before they are used."""

    def __init__(self) -> None:
        self.marked: dict[int, Tensor] = {}
        self.moved = 0

    def mark(self, value: Any) -> None:
        """All tensors in what was read from a request."""
        if isinstance(value, Tensor):
            self.marked[id(value)] = value
        elif isinstance(value, SimpleNamespace):
            self.mark(vars(value))
        elif isinstance(value, dict):
            self.mark(list(value.values()))
        elif isinstance(value, list | tuple):
            for part in value:
                self.mark(part)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is Tensor.to and id(args[0]) in self.marked and args[1] == torch.device("cpu"):
            self.moved += 1
            return args[0].clone()
        taken = args[:1] + args[2:] if func in _INDEXING else args
        tensors = [one for one in _flat([taken, kwargs]) if one.ndim]
        here = [id(one) in self.marked for one in tensors]
        if any(here) and not all(here):
            raise RuntimeError(f"Expected all tensors to be on the same device: {func}")
        result = func(*args, **kwargs)
        if any(here):
            self.mark(result)
        return result


def _flat(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _flat(list(value.values()))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)


@contextmanager
def on_a_card() -> Iterator[TwoDevices]:
    """While requests are run in this process: as if the model were on a card."""
    mode, read = TwoDevices(), RequestModel.deserialize

    def marking(*args: Any, **kwargs: Any) -> Any:
        tracer = read(*args, **kwargs)
        mode.mark(dict(tracer.info.frame.f_locals))
        return tracer

    with patch.object(RequestModel, "deserialize", marking), mode:
        yield mode
