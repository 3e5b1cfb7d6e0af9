"""Processor time: what a machine that is busy with other things distorts least."""

from __future__ import annotations

import resource
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def seconds() -> float:
    """User and system time of this process and of its children that ended, in seconds."""
    own, children = (resource.getrusage(who) for who in _WHO)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def timed(work: Callable[[], T]) -> tuple[T, float]:
    """What the work returns, and the processor seconds it took."""
    started = seconds()
    result = work()
    return result, seconds() - started
