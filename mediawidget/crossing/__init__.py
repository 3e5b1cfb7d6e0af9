"""Cross-model patching: what a network does with the activations of another one.

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .crossed import CrossPatch
    from .maps import AffineMap, least_squares, procrustes
    from .patching import cross_patch

_HOMES = {
    "crossed": ["CrossPatch"],
    "maps": ["AffineMap", "least_squares", "procrustes"],
    "patching": ["cross_patch"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["AffineMap", "CrossPatch", "cross_patch", "least_squares", "procrustes"]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
