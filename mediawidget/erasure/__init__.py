"""Taking a property out of a site: what a linear reader could tell of it there is gone.

Names are imported when they are first used; what fits a probe needs the extra ``probes``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .amnesic_probing import amnesic
    from .amnesic_result import Amnesic
    from .erasers import Eraser
    from .least_squares import Leace, leace
    from .nullspace import Inlp, Round, inlp
    from .probing import Probed, probed

_HOMES = {
    "amnesic_probing": ["amnesic"],
    "amnesic_result": ["Amnesic"],
    "erasers": ["Eraser"],
    "least_squares": ["Leace", "leace"],
    "nullspace": ["Inlp", "Round", "inlp"],
    "probing": ["Probed", "probed"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Amnesic",
    "Eraser",
    "Inlp",
    "Leace",
    "Probed",
    "Round",
    "amnesic",
    "inlp",
    "leace",
    "probed",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
