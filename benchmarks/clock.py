"""Time: of the processor for one thread, which a busy machine distorts least, else of the wall."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import TypeVar

import torch

T = TypeVar("T")

_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def seconds() -> float:
    """Now, in seconds, once the GPU has done what it was given.

    With one thread on a CPU user and system time of this process and its ended children.
    """
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    elif torch.get_num_threads() == 1:
        own, children = (resource.getrusage(who) for who in _WHO)
        return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
    return time.perf_counter()


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns, and the seconds it took."""
    started = seconds()
    result = work()
    return result, seconds() - started
