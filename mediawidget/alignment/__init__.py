"""Supervised searches for the subspace of a site that carries a variable, and their controls."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .controlling import Controls, controls, controls_job
    from .methods import (
        boundless,
        boundless_job,
        das,
        das_job,
        neuron_masks,
        neuron_masks_job,
    )
    from .options import Options
    from .result import Aligned, Sizes
    from .sizing import sizes, sizes_job

_HOMES = {
    "controlling": ["Controls", "controls", "controls_job"],
    "methods": [
        *("das", "das_job", "boundless", "boundless_job"),
        *("neuron_masks", "neuron_masks_job"),
    ],
    "options": ["Options"],
    "result": ["Aligned", "Sizes"],
    "sizing": ["sizes", "sizes_job"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Aligned",
    "Controls",
    "Options",
    "Sizes",
    "boundless",
    "boundless_job",
    "controls",
    "controls_job",
    "das",
    "das_job",
    "neuron_masks",
    "neuron_masks_job",
    "sizes",
    "sizes_job",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
