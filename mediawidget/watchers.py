"""Who is told of changes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from .errors import require
from .turns import tell

_log = logging.getLogger(__name__)


class Watchers:
    """Functions of one text, called in the order in which they came."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[[str], None]] = []

    def add(self, callback: Callable[[str], None]) -> Callable[[], None]:
        """Tell it from now on. Returns how to stop it.

        Raises:
            MediationError: something that cannot be called.
        """
        require(
            callable(callback),
            "A subscriber is a function.",
            value=callback,
            expected="a function of one text",
            fix="study.subscribe(print)",
        )
        self._callbacks.append(callback)

        def stop() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return stop

    def tell(self, event: str) -> None:
        """Tell all of them, whatever one of them does."""
        for callback in list(self._callbacks):
            try:
                tell(callback, event)
            except Exception:  # noqa: BLE001 - whatever a view does, the result is there
                _log.warning("a subscriber of the study failed", exc_info=True)
