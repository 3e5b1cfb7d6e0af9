"""Kinds of mediator, one a file: each has a ``KIND``, and a new file is a new row of the table."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from .base import Kind


def kinds() -> list[Kind]:
    """All of them, in the order that they give."""
    names = [module.name for module in iter_modules(__path__) if module.name != "base"]
    found: list[Kind] = [import_module(f"{__name__}.{name}").KIND for name in names]
    return sorted(found, key=lambda kind: kind.order)
