"""What a server answered last, in this kernel's memory: what is asked again is not sent again."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .packing import UnkeepableError, packed, unpacked

LIMIT = 64 * 2**20
"""Bytes of all answers: thousands of clicks and grids, few of whole activations."""
_SHARE = 4
"""No answer takes more than this part of the limit, for it would drive out all others."""


class Recent:
    """Answers that came live to this kernel; the one not asked for longest goes first.

    Each is kept as bytes and read anew, so that whoever changes what he was handed changes no
    other's.

    Attributes:
        limit: how many bytes all of them may have.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._answers: OrderedDict[str, bytes] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much is kept."""
        return self._bytes

    def __len__(self) -> int:
        return len(self._answers)

    def find(self, question: str, names: frozenset[str]) -> dict[str, Any] | None:
        """The values that a question asks for, where all of them are kept; else None."""
        with self._lock:
            content = self._answers.get(question)
            if content is None:
                return None
            self._answers.move_to_end(question)
        found = unpacked(question, content)
        return {name: found[name] for name in names} if names <= found.keys() else None

    def keep(self, question: str, values: Mapping[str, Any]) -> None:
        """Keep an answer, unless it is large or nothing that bytes can hold."""
        try:
            content = packed(question, values)
        except UnkeepableError:
            return
        with self._lock:
            self._drop(question)
            if len(content) > self.limit // _SHARE:
                return
            self._answers[question] = content
            self._bytes += len(content)
            while self._bytes > self.limit:
                self._drop(next(iter(self._answers)))

    def drop(self, question: str) -> None:
        """Forget one answer."""
        with self._lock:
            self._drop(question)

    def forget(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._answers.clear()
            self._bytes = 0

    def __repr__(self) -> str:
        return f"Recent({len(self)} answers, {self.bytes:,} of at most {self.limit:,} bytes)"

    def _drop(self, question: str) -> None:
        self._bytes -= len(self._answers.pop(question, b""))
