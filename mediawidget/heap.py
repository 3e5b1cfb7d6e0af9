"""Freed memory that stays with the process, so that the next block of a pass finds it ready."""

from __future__ import annotations

import ctypes
import os

import torch

from .memory import budget_bytes

MOST, SHARE = 1 << 28, 0.125
"""Bytes of freed memory that the process keeps: at most, and of what a chunk may take."""

_MMAP_THRESHOLD, _TRIM_THRESHOLD = -3, -1
"""glibc's names for what it maps apart, and for what it gives back (malloc.h)."""


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep what is freed; whether it does.

    It gives the system back what a pass frees and asks for the same again at the next block. The
    system then hands out every page anew, cleared, which takes up to a fifth of a sweep. Another
    allocator is left alone, as is one that the user has set by ``MALLOC_...`` or
    ``GLIBC_TUNABLES``.
    """
    set_by_user = any(name.startswith(("MALLOC_", "GLIBC_TUNABLES")) for name in os.environ)
    if set_by_user or os.name != "posix":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    most = min(MOST, int(SHARE * budget_bytes(torch.device("cpu"))))
    return bool(mallopt(_MMAP_THRESHOLD, most) and mallopt(_TRIM_THRESHOLD, most))
