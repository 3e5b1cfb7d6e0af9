"""How a thread asks a server: what may be its answer, and what came last.

A question is asked at one place, where a trace is written, and answered at another, where nnsight
hands the trace on. Here is what the two know of each other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class _Here(threading.local):
    guarded = live = False
    from_folder = 0
    take_back: Callable[[], None] | None = None


_here = _Here()


class UnprovenError(Exception):
    """A server would be asked that nobody has seen compute: its proof was read from a folder.

    Attributes:
        prove: puts it to the proof, or raises what is wrong with it.
    """

    def __init__(self, prove: Callable[[], None]) -> None:
        super().__init__()
        self.prove = prove


def answered(ask: Callable[[], T]) -> T:
    """What is asked. A server that has to compute it is put to the proof first, if it is unproven.

    Raises:
        MediationError: what ``ask`` raises, and a server that does not compute what it is asked.
    """
    before, _here.guarded = _here.guarded, True
    try:
        while True:
            try:
                return ask()
            except UnprovenError as error:
                prove = error.prove
            # Only here, where the trace that asked is over: none is written within another.
            prove()
    finally:
        _here.guarded = before


def refuse_unproven(owed: Callable[[], None] | None) -> None:
    """Where something is about to be sent.

    Args:
        owed: puts the server to the proof; None where it passed one.

    Raises:
        UnprovenError: for ``answered``; nobody else, who asks by himself, is told.
    """
    if owed is not None and _here.guarded and not _here.live:
        raise UnprovenError(owed)


@contextmanager
def live() -> Iterator[None]:
    """In it nothing that is kept is an answer, and no folder is written to."""
    before, _here.live = _here.live, True
    try:
        yield
    finally:
        _here.live = before


def is_live() -> bool:
    """Whether only what a server computes now is an answer."""
    return _here.live


def came(take_back: Callable[[], None], *, from_folder: bool = False) -> None:
    """Note an answer, and what takes it out of all places where it is kept."""
    _here.take_back = take_back
    _here.from_folder += from_folder


def from_folder() -> int:
    """How many answers to this thread came from a folder, so far."""
    return _here.from_folder


def accept() -> None:
    """The answer that came last is of use: nothing more is to be done with it."""
    # What takes it back holds its server, and all that is kept of that one.
    _here.take_back = None


def reject() -> None:
    """The answer that came last is of no use: it is not kept."""
    take_back, _here.take_back = _here.take_back, None
    if take_back is not None:
        take_back()
