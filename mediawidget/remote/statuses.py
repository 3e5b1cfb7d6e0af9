"""What the server said last, in words."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)

Listener = Callable[[str], object]

_WORDS = {
    "RECEIVED": "received",
    "QUEUED": "queued",
    "PROVISIONING": "a place for the model is being made",
    "DEPLOYING": "the model is being loaded",
    "DISPATCHED": "handed to the model",
    "RUNNING": "running",
    "COMPLETED": "done",
    "ERROR": "failed",
}
SENDING = "being sent"
AGAIN = "asked for again"
FETCHING = "the result is coming"
AWAY = "the server does not answer, trying again"
BUSY = "the server takes nothing now, trying again"


def words_of(status: str, description: str = "") -> str:
    """A status of the server as people say it.

    >>> words_of("QUEUED", "Moved to position 3 in Queue.")
    'queued, place 3'
    """
    place = re.search(r"position (\d+)", description)
    if status == "QUEUED" and place:
        return f"queued, place {place[1]}"
    if status == "LOG":
        return " ".join(description.split())[:200]
    return _WORDS.get(status, status.lower())


class Statuses:
    """The words of now, and who wants to hear of new ones."""

    def __init__(self) -> None:
        self.now = ""
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def tell(self, words: str) -> None:
        """Say new words to all listeners, from the thread of the caller.

        One that fails is written to the log: the request goes on.
        """
        with self._lock:
            if words == self.now:
                return
            self.now = words
            listeners = tuple(self._listeners)
        for listener in listeners:
            try:
                listener(words)
            except Exception:  # noqa: BLE001 - whatever a callback of others raises
                _log.exception("who listens to the server's statuses failed")

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a function with all new words; what is given back ends that."""
        with self._lock:
            self._listeners.append(listener)

        def remove() -> None:
            with self._lock:
                # By identity, and once only.
                kept = [one for one in self._listeners if one is not listener]
                self._listeners[:] = kept

        return remove
