"""Sparse autoencoder features as mediators: loaded, set, swept, attributed, and put into circuits.

Names are imported when they are first used: an autoencoder in memory needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..edits.features import Features, clamp, error, steer
    from ..edits.sparse import SAE
    from .attributing import attribute, check
    from .between import FeatureEdges, edges
    from .cells import codes
    from .circuits import FeatureCircuit, circuit, nodes_of
    from .files import load
    from .firing import Context, contexts
    from .nodes import Node
    from .shipped import teaching
    from .sweeping import job, sweep

_HOMES = {
    "..edits.features": ["Features", "clamp", "error", "steer"],
    "..edits.sparse": ["SAE"],
    ".attributing": ["attribute", "check"],
    ".cells": ["codes"],
    ".circuits": ["FeatureCircuit", "circuit", "nodes_of"],
    ".between": ["FeatureEdges", "edges"],
    ".firing": ["Context", "contexts"],
    ".files": ["load"],
    ".nodes": ["Node"],
    ".shipped": ["teaching"],
    ".sweeping": ["job", "sweep"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "SAE",
    "Context",
    "FeatureCircuit",
    "FeatureEdges",
    "Features",
    "Node",
    "attribute",
    "check",
    "circuit",
    "clamp",
    "codes",
    "contexts",
    "edges",
    "error",
    "job",
    "load",
    "nodes_of",
    "save",
    "steer",
    "sweep",
    "teaching",
]


def save(sae: SAE, path: str | Path) -> Path:
    """Write an autoencoder as SAELens does: a folder with cfg.json and sae_weights.safetensors.

    A function of this module itself: nnsight gives every object a ``save`` of its own, modules too,
    which would be found before a name that is imported when it is first used.
    """
    from .files import save as written

    return written(sae, path)


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(_HOME_OF[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
