"""What becomes of freed memory: kept for the next block of a pass, or given back at once."""

from __future__ import annotations

import ctypes
import os

ENOUGH = 1 << 30
"""Bytes that a chunk must be free to take for freed memory to be kept."""

KEPT, SCARCE = 1 << 28, 1 << 20
"""Bytes, where memory is enough and where it is not: larger blocks are mapped apart and given back
whole, and of the free end of the heap what exceeds them is given back."""

OLDER = 1 << 25
"""The largest block that an older glibc can be told not to map apart."""

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""glibc's names for what it maps apart, and for what it gives back (malloc.h)."""


def fit_allocator(budget: int) -> bool:
    """Tell glibc's allocator how much freed memory to keep; whether it is told.

    By itself it gives the system back what a pass frees and asks for the same again at the next
    block, and the system hands out every page anew, cleared: up to a fifth of a sweep. Or it keeps
    what no longer fits anything, so that a pass takes half as much again as it needs. Where there
    is enough, freed memory is kept; where it is scarce, every large tensor is mapped apart and
    given back whole. Another allocator is left alone, and one that the user has set by
    ``MALLOC_...`` or ``GLIBC_TUNABLES``. It holds for the whole process from then on.

    Args:
        budget: bytes that a chunk may take.
    """
    set_by_user = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if set_by_user or os.name != "posix":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    most = KEPT if budget >= ENOUGH else SCARCE
    apart = mallopt(_MMAP_THRESHOLD, most) or mallopt(_MMAP_THRESHOLD, min(most, OLDER))
    return bool(apart and mallopt(_TRIM_THRESHOLD, most))
