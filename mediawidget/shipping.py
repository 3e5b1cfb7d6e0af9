"""What a trace takes along where its body runs in another process, which has no mediawidget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import cloudpickle
from torch import Tensor

_PACKAGE = __package__


def shipped(value: Any) -> Any:
    """The same with a plain namespace for every dataclass: attributes, and no class of ours.

    A class travels with methods that were compiled for this Python; the server may have another.
    """
    if is_dataclass(value) and not isinstance(value, type):
        parts = {part.name: shipped(getattr(value, part.name)) for part in fields(value)}
        return SimpleNamespace(**parts)
    if type(value) in (list, tuple):
        return type(value)(map(shipped, value))
    return value


def near(value: Any, other: Tensor) -> Any:
    """Inside a trace: what was shipped, with its tensors on the card where a pass has come to.

    What is sent lies on a processor, the model on a card, or on several, layer by layer. What was
    not shipped is made where its model is, and stays as it is.
    """
    if isinstance(value, SimpleNamespace):
        return SimpleNamespace(**near(vars(value), other))
    if isinstance(value, dict):
        return {name: near(part, other) for name, part in value.items()}
    if type(value) in (list, tuple):
        return type(value)([near(part, other) for part in value])
    return value.to(other.device) if isinstance(value, Tensor) else value


@contextmanager
def by_value() -> Iterator[None]:
    """Functions of this package travel as their source inside."""
    modules = cloudpickle.cloudpickle._PICKLE_BY_VALUE_MODULES  # noqa: SLF001 - as nnsight does
    known = _PACKAGE in modules
    modules.add(_PACKAGE)
    try:
        yield
    finally:
        if not known:
            modules.discard(_PACKAGE)
