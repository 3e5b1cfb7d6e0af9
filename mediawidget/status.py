"""How a cell of an effect came by its number."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """How a cell came by its number.

    - ``NOT_RUN``: it has none, as in a job that was cancelled.
    - ``EXACT``: it was run.
    - ``ESTIMATE``: from gradients.
    - ``IMPLIED_ZERO``: 0 by construction, so that no run was needed.
    - ``FAILED``: it came to no finite number, or a check of the engine failed: it has none.
    - ``IMPOSSIBLE``: there is nothing to set, as at an attention edge to a later token.
    """

    NOT_RUN = 0
    EXACT = 1
    ESTIMATE = 2
    IMPLIED_ZERO = 3
    FAILED = 4
    IMPOSSIBLE = 5


SHOWN = (Status.EXACT, Status.ESTIMATE, Status.IMPLIED_ZERO)
