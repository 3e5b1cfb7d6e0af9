"""A model that is on a server: who is asked, what is open there, and what was said last."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..turns import abandoned
from . import asking
from .keeping import Cache, question_of
from .ledger import Ledger
from .meta import stamp
from .recent import Recent
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
        known_as: what its answers are kept under, its address unless that changes.
        ledger: the jobs that are open.
        statuses: what the server said last.
        counter: counts what is asked.
        recent: what was answered to this kernel last, in its memory.
        cache: the folder of what was answered, and how often it was of use; or None.
        owed: puts the server to the proof, where first contact was read from the folder and the
            server itself has shown nothing yet; else None.
    """

    def __init__(
        self,
        server: Server,
        model: Any,
        cache: Cache | None = None,
        known_as: str | None = None,
    ) -> None:
        self.server, self.model, self.cache = server, model, cache
        self.model_key: str = model.to_model_key()
        known = json.loads(self.model_key.partition(":")[2])
        self.name: str = known["repo_id"]
        self.revision: str | None = known["revision"]
        self.whose = (self.model_key, *stamp(model))
        self.known_as = known_as or server.host
        self.ledger = Ledger(server.host, None if cache is None else cache.folder)
        self.statuses = Statuses()
        self.counter = Counter()
        self.recent = Recent()
        self.owed: Callable[[], None] | None = None
        self._waiting: dict[threading.Event, int] = {}
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
            >>> mw.Study(far, pair).sweep("head")
            >>> far.remote.traffic
            4 jobs in ... requests, ... bytes sent, ... received
        """
        return self.counter.so_far

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call a function with all new words, from whatever thread; returns what ends that.

        Example:
            >>> heard = []
            >>> remove = far.remote.listen(heard.append)
            >>> mw.Study(far, pair).total
            >>> remove()
            >>> heard[-1]
        """
        return self.statuses.listen(listener)

    def forget(self) -> None:
        """Forget what is kept in this kernel's memory: what is asked next is sent again.

        A folder of ``cache=`` stays, for it is others' too; ``lm.remote.cache.drop()`` takes away
        what this kernel has read or kept there.

        Example:
            >>> far.remote.forget()
            >>> mw.Study(far, pair).sweep("head")  # computed anew
        """
        self.recent.forget()

    def cancel(self, thread: int | None = None) -> None:
        """Give up waiting: who waits gets a ``GaveUp``. The job goes on, and its id is kept.

        All who wait for this model give up, in cells, views and jobs alike. ``job.cancel()`` ends
        one job and leaves the others.

        Args:
            thread: only who waits on this one, by its ``ident``; default, everybody.
        """
        with self._lock:
            for stop, whose in self._waiting.items():
                if thread in (None, whose):
                    stop.set()

    @contextmanager
    def waiting(self) -> Iterator[threading.Event]:
        """While a request is waited for: what is set where the waiting is given up."""
        stop = threading.Event()
        with self._lock:
            self._waiting[stop] = threading.get_ident()
        if abandoned():
            stop.set()  # given up before it was begun
        try:
            yield stop
        finally:
            with self._lock:
                del self._waiting[stop]
            self.statuses.tell("")

    # --- answers that are kept ----------------------------------------------------------------

    def kept(
        self, digest: str | None, names: frozenset[str], *, again: bool = False
    ) -> dict[str, Any] | None:
        """What a question was answered with before, where that is kept; or since that was asked.

        Args:
            digest: what the question goes by; None for one that nothing is kept of.
            names: of the values that it asks for.
            again: it was looked for just now; only what came since is of interest.

        Returns:
            The values by name, or None where they are not kept.
        """
        if digest is None or asking.is_live():
            return None
        question = self._question(digest)
        found, folder = self.recent.find(question, names), False
        if found is None and self.cache is not None:
            found, folder = self.cache.find(question, names, again=again), True
        if found is not None:
            self.ledger.forget(digest)
            asking.came(lambda: self._take_back(question, self.cache), from_folder=folder)
        return found

    def keep(self, digest: str | None, values: dict[str, Any]) -> None:
        """Keep what a question was answered with: in memory, and in the folder if there is one.

        Args:
            digest: what the question goes by; None: nothing is kept.
            values: the answer, by name.
        """
        if digest is None:
            return
        question = self._question(digest)
        self.recent.keep(question, values)
        # The folder's own answer to it stays, whatever a server says while it is put to the proof.
        folder = None if asking.is_live() else self.cache
        if folder is not None:
            folder.keep(question, values)
        asking.came(lambda: self._take_back(question, folder))

    def refuse_unproven(self) -> None:
        """Before something is sent: raise where first contact is still owed by the server.

        Raises:
            MediationError: the server has not been put to the proof yet.
        """
        asking.refuse_unproven(self.owed)

    def drop(self) -> None:
        """Take away all answers that this kernel has, for the server is not to be believed."""
        self.recent.forget()
        if self.cache is not None:
            self.cache.drop()

    def _question(self, digest: str) -> str:
        return question_of(digest, self.known_as)

    def _take_back(self, question: str, folder: Cache | None) -> None:
        self.recent.drop(question)
        if folder is not None:
            folder.drop([question])

    def backend(self) -> Submitting:
        """For one trace."""
        from .backend import Submitting

        return Submitting(self)

    def __repr__(self) -> str:
        at = f" at {self.revision}" if self.revision else ""
        known = f"{len(self.recent)} answers kept in {self.recent.bytes:,} bytes of memory"
        where = f"{self.name!r}{at} on {self.server.host}"
        return f"Remote({where}, {len(self.jobs)} jobs open, {known})"
