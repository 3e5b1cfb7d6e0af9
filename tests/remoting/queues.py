"""A server that is a queue in front of the model of this process, and a loop that waits for it.

A request waits in the queue until it is let through. A loop that stood still meanwhile would let
nothing through, and the queue gives that up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from nnsight.modeling.transformers import TransformersModel
from nnsight.tracing.backend import Backend

import mediawidget as mw
from mediawidget.remote import trouble
from mediawidget.remote.server import Server
from tests.small_models import random_model, tokenizer_of
from tests.widgets.conftest import PAIRS, Page

PATIENCE = 30.0
QUEUED = "queued, place 3"


class Queue:
    """A server, and what is known of it: ``lm.remote`` and ``lm.backend`` in one.

    Attributes:
        asked, ran: how many requests came, and how many were let through.
        fails: raised in the place of an answer.
    """

    model_key = "a model"

    def __init__(self) -> None:
        self.server = Server("http://127.0.0.1:9", key="none")
        self.status = ""
        self.asked = self.ran = 0
        self.fails: Exception | None = None
        self.threads: set[int] = set()
        self._left: float = float("inf")
        self._given_up = False
        self._listeners: list[Callable[[str], object]] = []

    def __call__(self) -> Backend:
        return _Waiting(self)

    def let(self, n: float) -> None:
        """Let that many through, and then no more."""
        self._left = n

    def wait(self) -> None:
        self.asked += 1
        self.threads.add(threading.get_ident())
        self._given_up = False
        self._tell(QUEUED)
        nap = threading.Event()
        naps = 0.0
        try:
            while self._left < 1:
                if self._given_up:
                    raise trouble.gave_up("a job")
                naps += 1
                assert naps < PATIENCE / 0.002, "nothing lets it through"
                nap.wait(0.002)
            self._left -= 1
            self._tell("running")
            if self.fails is not None:
                raise self.fails
        finally:
            self._tell("")
        self.ran += 1

    def listen(self, listener: Callable[[str], object]) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def cancel(self, thread: int | None = None) -> None:
        assert thread is None or thread in self.threads, "of another"
        self._given_up = True

    def _tell(self, words: str) -> None:
        self.status = words
        for listener in list(self._listeners):
            listener(words)


class _Waiting(Backend):  # type: ignore[misc]
    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    def __call__(self, tracer: Any) -> None:
        self._queue.wait()
        super().__call__(tracer)


class Ticks:
    """A coroutine that wants to go on every millisecond."""

    def __init__(self) -> None:
        self.n = 0
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.n += 1
            await asyncio.sleep(0.001)

    async def some(self, n: int = 30) -> None:
        """The loop goes on that often."""
        before = self.n
        await until(lambda: self.n >= before + n)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until a condition holds."""
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "waited too long"
        await asyncio.sleep(0.001)


def click(page: Page, index: int) -> int:
    """Click a head; the request's id."""
    return int(page.request("intervene", cells=[{"panel": "head", "index": index}])["id"])


def replies(page: Page) -> list[int]:
    return [m["id"] for m in page.messages if m["kind"] == "reply"]


def close(found: Any, known: Any) -> None:
    np.testing.assert_allclose(found, known, rtol=0, atol=1e-4)


def study_of(queue: Queue) -> mw.Study:
    """One pair: 5 layers x 3 heads, 7 tokens that part at 2."""
    module, tokenizer = random_model("gpt2", torch.float32), tokenizer_of("gpt2")
    lm = mw.load(module, tokenizer=tokenizer)
    lm.traced = TransformersModel(module, tokenizer=tokenizer, task="text-generation")
    lm.remote, lm.backend = queue, queue  # type: ignore[assignment]
    return mw.Study(lm, PAIRS[0])


def study_here() -> mw.Study:
    """The same with nothing to wait for."""
    lm = mw.load(random_model("gpt2", torch.float32), tokenizer=tokenizer_of("gpt2"))
    return mw.Study(lm, PAIRS[0])
