"""Directions of a site as mediators: made, compared, and held against what fools them.

Names are imported when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .comparing import Comparison, compare, standard
    from .dormant import Dormancy, check_dormant
    from .found import Direction
    from .illusions import illusion
    from .makers import difference_of_means, given, principal, random
    from .placebos import Placebos, placebo
    from .probes import probe
    from .row_spaces import RowSpace, row_space
    from .splitting import Split, split
    from .studies import halves
    from .sweeping import sweep

_HOMES = {
    "comparing": ["Comparison", "compare", "standard"],
    "dormant": ["Dormancy", "check_dormant"],
    "found": ["Direction"],
    "illusions": ["illusion"],
    "makers": ["difference_of_means", "given", "principal", "random"],
    "placebos": ["Placebos", "placebo"],
    "probes": ["probe"],
    "row_spaces": ["RowSpace", "row_space"],
    "splitting": ["Split", "split"],
    "studies": ["halves"],
    "sweeping": ["sweep"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Comparison",
    "Direction",
    "Dormancy",
    "Placebos",
    "RowSpace",
    "Split",
    "check_dormant",
    "compare",
    "difference_of_means",
    "given",
    "halves",
    "illusion",
    "placebo",
    "principal",
    "probe",
    "random",
    "row_space",
    "split",
    "standard",
    "sweep",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
