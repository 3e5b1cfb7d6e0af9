"""A model that is on a server: who is asked, what is open there, and what was said last."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..turns import abandoned
from .keeping import Cache, question_of
from .ledger import Ledger
from .meta import stamp
from .server import Server
from .statuses import Listener, Statuses
from .traffic import Counter, Traffic

if TYPE_CHECKING:
    from .backend import Submitting


class Remote:
    """What ``lm.remote`` is, where the weights are on a server; else that is None.

    Attributes:
        server: who is asked, and how long it is waited for.
        name, revision: what the server knows the model by.
        model: the model as nnsight sees it, without its weights.
        model_key: name, revision and task, in the words of the server.
        whose: all that tells its weights from others, in the digests of questions.
        ledger: the jobs that are open.
        statuses: what the server said last.
        counter: counts what is asked.
        cache: the folder of what was answered, and how often it was of use; or None.
    """

    def __init__(self, server: Server, model: Any, cache: Cache | None = None) -> None:
        self.server, self.model, self.cache = server, model, cache
        self.model_key: str = model.to_model_key()
        known = json.loads(self.model_key.partition(":")[2])
        self.name: str = known["repo_id"]
        self.revision: str | None = known["revision"]
        self.whose = (self.model_key, *stamp(model))
        self.ledger = Ledger(server.host, None if cache is None else cache.folder)
        self.statuses = Statuses()
        self.counter = Counter()
        self._waiting: set[threading.Event] = set()
        self._lock = threading.Lock()

    @property
    def status(self) -> str:
        """What the server said last, in words; empty where nothing is asked."""
        return self.statuses.now

    @property
    def jobs(self) -> tuple[str, ...]:
        """The ids of the open jobs: accepted by the server, and nobody has read the result."""
        return tuple(self.ledger.jobs.values())

    @property
    def traffic(self) -> Traffic:
        """What was asked so far, in requests and bytes.

        Example:
            >>> lm.remote.traffic
            5 jobs in 19 requests, 60,455 bytes sent, 132,607 received
        """
        return self.counter.so_far

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a function with all new words, from whatever thread; returns what ends that.

        Example:
            >>> remove = lm.remote.listen(print)
            >>> remove()
        """
        return self.statuses.listen(listener)

    def cancel(self) -> None:
        """Give up waiting: who waits gets a ``GaveUp``. The job goes on, and its id is kept."""
        with self._lock:
            for stop in self._waiting:
                stop.set()

    @contextmanager
    def waiting(self) -> Iterator[threading.Event]:
        """While a request is waited for: what is set where the waiting is given up."""
        stop = threading.Event()
        with self._lock:
            self._waiting.add(stop)
        if abandoned():
            stop.set()  # given up before it was begun
        try:
            yield stop
        finally:
            with self._lock:
                self._waiting.discard(stop)
            self.statuses.tell("")

    def kept(
        self, digest: str | None, names: frozenset[str], *, again: bool = False
    ) -> dict[str, Any] | None:
        """What a question was answered with before, where that is kept; or since that was asked."""
        if self.cache is None or digest is None:
            return None
        found = self.cache.find(question_of(digest, self.server.host), names, again=again)
        if found is not None:
            self.ledger.forget(digest)
        return found

    def keep(self, digest: str | None, values: dict[str, Any]) -> None:
        """Keep what a question was answered with, where there is a folder for it."""
        if self.cache is not None and digest is not None:
            self.cache.keep(question_of(digest, self.server.host), values)

    def backend(self) -> Submitting:
        """For one trace."""
        from .backend import Submitting

        return Submitting(self)

    def __repr__(self) -> str:
        at = f" at {self.revision}" if self.revision else ""
        return f"Remote({self.name!r}{at} on {self.server.host}, {len(self.jobs)} jobs open)"
