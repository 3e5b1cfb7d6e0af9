"""Many kernels started at once on one machine, as when a class opens its notebooks."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from threading import Barrier, Lock

from . import steps
from .kernels import Kernel, Memory, kernel


@dataclass
class Student:
    """One of them.

    Attributes:
        ready: seconds from the common start until the question was shown.
        clicks: seconds each, while all other kernels rest.
        memory: at the end, all kernels alive.
        failure: what went wrong; empty if nothing did.
    """

    ready: float = 0.0
    clicks: list[float] = field(default_factory=list)
    memory: Memory | None = None
    failure: str = ""

    def attempt(self, part: Callable[[], None]) -> None:
        """Do a part, unless one went wrong before."""
        if self.failure:
            return
        try:
            part()
        except (RuntimeError, TimeoutError, Empty) as error:
            self.failure = f"{type(error).__name__}: {error}"


def at_once(count: int, folder: Path) -> list[Student]:
    """So many kernels started together, each through all steps; then clicks, one at a time."""
    meet, turn, started = Barrier(count), Lock(), time.perf_counter()

    def student(index: int) -> Student:
        mine, it = Student(), list[Kernel]()

        def begin() -> None:
            it.append(stack.enter_context(kernel(folder / f"k{index}")))
            for code in steps.STEPS.values():
                steps.refuse_trouble(it[0].run(code))
            mine.ready = time.perf_counter() - started

        def click() -> None:
            mine.clicks = steps.click(it[0])
            steps.guess(it[0])

        def weigh() -> None:
            mine.memory = it[0].memory()

        with ExitStack() as stack:
            mine.attempt(begin)
            meet.wait()
            with turn:
                mine.attempt(click)
            meet.wait()
            # What is shared is divided among those who live.
            mine.attempt(weigh)
            meet.wait()
        return mine

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(student, range(count)))
