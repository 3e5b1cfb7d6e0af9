"""Whose turn it is: a model's lock, and a kernel that stands still for the work beside it."""

from __future__ import annotations

import asyncio
import threading

import pytest

from mediawidget.turns import Hurried, Lock, Turn, hurried, in_kernel
from mediawidget.workers import Worker


def test_a_lock_of_a_model_is_as_any() -> None:
    """One at a time, of several threads; the same thread may have it again."""
    lock, found = Lock(), list[bool]()

    def other() -> None:
        found.append(lock.acquire(blocking=False))
        found.append(lock.acquire(timeout=0.01))

    with lock:
        assert lock.acquire(blocking=False)
        lock.release()
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert found == [False, False]
    with hurried(), pytest.raises(Hurried):
        lock.acquire(blocking=False)
    with pytest.raises(RuntimeError):
        lock.release()


def test_a_lock_that_is_not_to_be_had_gives_the_turn_back() -> None:
    """Work beside the kernel stands still for nobody who waits, and goes on where it cannot."""
    lock, worker = Lock(), Worker(lambda: None)
    mine = threading.Event()

    def work() -> tuple[bool, bool]:
        got = lock.acquire(blocking=False)
        return got, in_kernel(threading.current_thread) is threading.main_thread()

    def hold() -> None:
        with lock:
            mine.wait()

    async def scene() -> tuple[bool, bool]:
        holder = threading.Thread(target=hold)
        holder.start()
        try:
            return await asyncio.wait_for(worker.do(work, asyncio.get_running_loop()).future, 30)
        finally:
            mine.set()
            holder.join()

    assert asyncio.run(scene()) == (False, True)


def test_a_turn_that_a_cell_serves_is_not_withdrawn() -> None:
    """A loop that closes while a cell stands still for the work already: the cell goes on."""
    worker = Worker(lambda: None)
    closed = asyncio.new_event_loop()
    turn = Turn(worker, lambda: None, closed)
    closed.close()
    assert worker.request(turn, closed) is False, "there is nobody"
    worker._asking.put(turn)
    assert worker.withdraw()
    assert not worker.withdraw(), "a cell has taken it"
