"""Work that waits for a server: beside the kernel's thread, and yet never at the same time.

Such work has a thread of its own, for a kernel that waits answers nobody. But a study and its views
are changed by cells too, and two threads in one study go wrong. So the two take turns: while the
work computes, the kernel's loop stands still, as if it did the work itself; while the work waits,
inside a model's ``Lock``, the kernel goes on. What belongs on the kernel's own thread is done there
meanwhile (``in_kernel``): traits and those who observe them, tasks and timers of the loop.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from .workers import Worker

T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

LOOK = 0.1
"""Seconds after which who waits in a cell looks again; an interrupt gets in between."""


class _Here(threading.local):
    turn: Turn | None = None
    hurried = False


_here = _Here()


class Abandoned(Exception):  # noqa: N818 - nothing went wrong
    """What was waited for is not wanted any more."""


class Hurried(Exception):  # noqa: N818 - nothing went wrong
    """What must be there at once cannot wait for a server."""


class Turn:
    """A piece of work beside a loop.

    Args:
        worker: on whose thread.
        work: what is done; what it returns and raises is that of ``future``.
        loop: which stands still meanwhile.

    Attributes:
        future: of the loop; None where the work was abandoned before it began.
        ended: whether it is over.
        holds: whether the kernel stands still for it.
        abandoned: whether nobody wants it any more.
    """

    def __init__(
        self, worker: Worker, work: Callable[[], Any], loop: asyncio.AbstractEventLoop
    ) -> None:
        self.future: asyncio.Future[Any] = loop.create_future()
        self.ended = self.holds = self.abandoned = False
        self._worker, self._work, self._loop = worker, work, loop
        self._began = False
        self._depth = 0
        self._granted = threading.Semaphore(0)
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    # --- on the kernel's thread -------------------------------------------------------------------

    def serve(self) -> None:
        """Stand still until the work waits or ends, and do what it asks for meanwhile."""
        interrupt: KeyboardInterrupt | None = None
        self._granted.release()
        while True:
            try:
                call = self._calls.get()
            except KeyboardInterrupt as error:  # the work is in the middle of something
                interrupt = error
                continue
            if call is None:
                break
            call()
        if interrupt is not None:
            raise interrupt

    def abandon(self) -> None:
        """Nobody wants it any more: it is not begun, or ends at its next wait, that of now too."""
        self.abandoned = True
        if self._depth:
            self._worker.give_up()

    def join(self) -> None:
        """Wait in a cell until it has ended; what has not begun is abandoned."""
        if not self._began:
            self.abandon()
        elif not self.holds:  # else the kernel does something for this very work
            while not self.ended:
                self._worker.serve(LOOK)

    # --- on the worker's thread -------------------------------------------------------------------

    def run(self) -> None:
        """Take the kernel's turn and do the work."""
        _here.turn = self
        value, error = None, None
        self._take()
        try:
            if not self.abandoned:
                self._began = True
                value = self._work()
        except BaseException as caught:  # noqa: BLE001 - whoever awaits it hears of it
            error = caught
        self.ended, _here.turn = True, None
        self._do(lambda: self._settle(value, error))
        self._leave()

    def wait(self) -> None:
        """A wait begins: the kernel may go on."""
        self._depth += 1
        if self._depth == 1:
            self._leave()

    def back(self) -> None:
        """A wait is over.

        Raises:
            Abandoned: what was waited for is not wanted any more.
        """
        self._depth -= 1
        if self._depth == 0:
            self._take()
            if self.abandoned:
                raise Abandoned

    def ask(self, call: Callable[[], T]) -> T:
        """Have it done on the kernel's thread, which stands still."""
        if not self.holds:
            return call()
        answer: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

        def do() -> None:
            try:
                answer.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - it is the work's
                answer.put((None, error))

        self._calls.put(do)
        value, error = answer.get()
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def _do(self, call: Callable[[], None]) -> None:
        if self.holds:
            self._calls.put(call)

    def _take(self) -> None:
        asked = self._worker.request(self, self._loop)
        while asked and not self.holds:
            self.holds = self._granted.acquire(timeout=1.0)
            asked = self.holds or not self._loop.is_closed() or not self._worker.withdraw()
        if not asked:  # a loop that is no more wants nothing
            self.abandoned = True

    def _leave(self) -> None:
        # Without a loop there was nobody to stand still.
        if self.holds:
            self.holds = False
            self._calls.put(None)

    def _settle(self, value: Any, error: BaseException | None) -> None:
        if self.future.done():
            return
        if error is None:
            self.future.set_result(value)
        else:
            self.future.set_exception(error)


class Lock:
    """One trace of a model at a time. Who waits in it beside the kernel gives it its turn back.

    Args:
        refuse: asked by whoever has it; raises where the model cannot be run all the same.
    """

    def __init__(self, refuse: Callable[[], None] = lambda: None) -> None:
        self._lock = threading.RLock()
        self._refuse = refuse

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """As of a lock of Python. False where it was not to be had.

        Raises:
            Hurried: what must be there at once cannot wait.
            MediationError: what ``refuse`` raises.
        """
        if _here.hurried:
            raise Hurried
        turn = _here.turn
        if turn is not None:
            turn.wait()
        got = False
        try:
            got = self._lock.acquire(blocking, timeout)
        finally:
            if turn is not None and not got:
                turn.back()
        if got:
            try:
                self._refuse()
            except BaseException:
                self.release()
                raise
        return got

    def release(self) -> None:
        """Another may have it. The work beside the kernel takes its turn again."""
        self._lock.release()
        if _here.turn is not None:
            _here.turn.back()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def within() -> bool:
    """Whether this is work beside a kernel."""
    return _here.turn is not None


def abandoned() -> bool:
    """Whether nobody wants what this thread is about to wait for."""
    return _here.turn is not None and _here.turn.abandoned


@contextmanager
def hurried() -> Iterator[None]:
    """For what must be there at once: in it a trace of a model raises ``Hurried``."""
    before, _here.hurried = _here.hurried, True
    try:
        yield
    finally:
        _here.hurried = before


def in_kernel(call: Callable[[], T]) -> T:
    """Do it on the kernel's thread, where this is work beside it; else here."""
    return call() if _here.turn is None else _here.turn.ask(call)


def anywhere(callback: C) -> C:
    """Marks a callback that may wait for a server: it is called wherever there is news."""
    callback.__dict__["anywhere"] = True
    return callback


def tell(callback: Callable[..., object], *news: object) -> None:
    """Call back, on the kernel's thread unless the callback is marked."""
    if getattr(callback, "anywhere", False):
        callback(*news)
    else:
        in_kernel(lambda: callback(*news))


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that this runs on, or beside; None in a script."""
    try:
        return in_kernel(asyncio.get_running_loop)
    except RuntimeError:
        return None
