"""How a cell of an effect came by its number."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a cell came by its number."""

    NOT_RUN = 0
    EXACT = 1
    ESTIMATE = 2
    IMPLIED_ZERO = 3
    FAILED = 4
    IMPOSSIBLE = 5


SHOWN = (Status.EXACT, Status.ESTIMATE, Status.IMPLIED_ZERO)
