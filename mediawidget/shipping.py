"""What a trace takes along where its body runs in another process, which has no mediawidget."""

from __future__ import annotations

import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import SimpleNamespace
from typing import Any

import cloudpickle
from torch import Tensor

_PACKAGE = __package__
_kept: dict[str, Any] = {}
"""By module whose text is kept: the spec it was imported by, which is new where it is reloaded."""


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


def keep_sources() -> None:
    """Keep the text of this package's modules as it is now, which is what runs.

    The body of a trace is read from its file when it is traced, and so is a function that is sent.
    Where the package is upgraded under a kernel, that would be the text of another version.
    """
    modules = {name: vars(module) for name, module in list(sys.modules.items()) if _is_ours(name)}
    for name, names in modules.items():
        spec = names.get("__spec__")
        if spec is None or spec.origin is None or _kept.get(name) is spec:
            continue
        if name in _kept:
            _forget(spec.origin)
        _kept[name] = spec
        lines = linecache.updatecache(spec.origin, names)
        if lines:
            # Without a time it is not compared with the file any more.
            size = sum(map(len, lines))
            linecache.cache[spec.origin] = (size, None, lines, spec.origin)


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] == _PACKAGE


def _forget(file: str) -> None:
    """Of a module that was reloaded: what nnsight has read of it."""
    from nnsight.tracing.globals import BLOCKS, SOURCES

    SOURCES.pop(file, None)
    for site in [site for site in list(BLOCKS) if site[0] == file]:
        BLOCKS.pop(site, None)


@contextmanager
def by_value() -> Iterator[None]:
    """Functions of this package travel as their source inside."""
    keep_sources()
    modules = cloudpickle.cloudpickle._PICKLE_BY_VALUE_MODULES  # noqa: SLF001 - as nnsight does
    known = _PACKAGE in modules
    modules.add(_PACKAGE)
    try:
        yield
    finally:
        if not known:
            modules.discard(_PACKAGE)
