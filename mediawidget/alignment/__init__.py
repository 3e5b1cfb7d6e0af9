"""Supervised searches for the subspace of a site that carries a variable, and their controls."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .methods import (
        boundless,
        boundless_job,
        das,
        das_job,
        neuron_masks,
        neuron_masks_job,
    )
    from .result import Aligned

_HOMES = {
    "methods": [
        *("das", "das_job", "boundless", "boundless_job"),
        *("neuron_masks", "neuron_masks_job"),
    ],
    "result": ["Aligned"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Aligned",
    "boundless",
    "boundless_job",
    "das",
    "das_job",
    "neuron_masks",
    "neuron_masks_job",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
