"""What a trace takes along where its body runs in another process, which has no mediawidget."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import cloudpickle

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
