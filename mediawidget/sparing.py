"""What comes with transformers' models and no language model calls, left unread until it is called.

The losses of all its models are read with the first of them, and those of detecting objects in
images read ``scipy.optimize``: 35 MB of a kernel and a third of a second.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

_OPTIMISERS = "scipy.optimize"
_LOSSES = "transformers.loss.loss_utils"


def leave_optimisers() -> bool:
    """Read the losses that ask for ``scipy.optimize``, but not that; whether it is left unread.

    The losses work as ever: what they call reads the rest when it is called. So does an ``import
    scipy.optimize`` anywhere, now or later. Nothing happens where either is read already.
    """
    scipy = find_spec("scipy")
    if scipy is None or _OPTIMISERS in sys.modules or _LOSSES in sys.modules:
        return False
    place = _Unread(_OPTIMISERS)
    roots = scipy.submodule_search_locations or []
    place.__path__ = [str(Path(root) / "optimize") for root in roots]
    sys.modules[_OPTIMISERS] = place
    try:
        # Another release of transformers may have no such module.
        with suppress(ImportError):
            import_module(_LOSSES)
    finally:
        left = sys.modules.get(_OPTIMISERS) is place
        if left:
            del sys.modules[_OPTIMISERS]
    return left


class _Unread(ModuleType):
    """In the place of ``scipy.optimize`` while the losses are read."""

    def __getattr__(self, name: str) -> Any:
        """The one function that is called later; for anything else the module itself is read."""
        if name == "linear_sum_assignment":
            return _linear_sum_assignment
        if sys.modules.get(_OPTIMISERS) is self:
            del sys.modules[_OPTIMISERS]
        return getattr(import_module(_OPTIMISERS), name)


def _linear_sum_assignment(*args: Any, **options: Any) -> Any:
    """Of ``scipy.optimize``, which is read now."""
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(*args, **options)
