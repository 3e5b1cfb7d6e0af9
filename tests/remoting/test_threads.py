"""The kernel stays free while a server is waited for, and nothing is done twice or by two at once.

The server is a queue in front of the model of this process: a request waits in it until it is let
through. A loop that stood still meanwhile would let nothing through, and the queue gives that up.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from nnsight.modeling.transformers import TransformersModel
from nnsight.tracing.backend import Backend

import mediawidget as mw
from mediawidget import jobs
from mediawidget.remote import GaveUp, trouble
from mediawidget.remote.server import Server
from mediawidget.turns import Hurried, Lock, Turn, hurried, in_kernel
from mediawidget.workers import Worker
from tests.remoting.faults import Faulty
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


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def study(queue: Queue) -> mw.Study:
    """One pair: 5 layers x 3 heads, 7 tokens that part at 2."""
    module, tokenizer = random_model("gpt2", torch.float32), tokenizer_of("gpt2")
    lm = mw.load(module, tokenizer=tokenizer)
    lm.traced = TransformersModel(module, tokenizer=tokenizer, task="text-generation")
    lm.remote, lm.backend = queue, queue  # type: ignore[assignment]
    return mw.Study(lm, PAIRS[0])


@pytest.fixture(scope="module")
def here() -> mw.Study:
    """The same with nothing to wait for."""
    lm = mw.load(random_model("gpt2", torch.float32), tokenizer=tokenizer_of("gpt2"))
    return mw.Study(lm, PAIRS[0])


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


def test_the_loop_goes_on_while_a_click_waits(
    study: mw.Study, here: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        seen: list[int] = []
        page.view.observe(lambda _: seen.append(threading.get_ident()))
        study.subscribe(lambda _: seen.append(threading.get_ident()))
        queue.threads.clear()
        queue.let(0)
        sent = click(page, 4)
        await until(lambda: queue.status == QUEUED)
        await Ticks().some()
        assert replies(page) == []
        queue.let(np.inf)
        await until(lambda: replies(page) == [sent])
        assert page.view.result["label"] == "L1H1"
        # It waited elsewhere; what people hang on traits and studies is called on the loop.
        assert threading.get_ident() not in queue.threads
        assert len(queue.threads) == 1
        assert set(seen) == {threading.get_ident()}
        page.view.close()

    asyncio.run(scene())
    site = mw.Site("head", 1, head=1)
    close(study.history.current.effect["PIE"], here.intervene(site)["PIE"])  # type: ignore[union-attr]


def test_the_page_hears_what_is_waited_for(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        queue.let(0)
        sent = click(page, 4)
        await until(lambda: {"kind": "waiting", "words": QUEUED} in page.messages)
        queue.let(np.inf)
        await until(lambda: sent in replies(page))
        said = [m["words"] for m in page.messages if m["kind"] == "waiting"]
        assert said == [QUEUED, ""]  # what is over at once is not said
        page.view.close()
        before = len(page.messages)
        study.intervene(mw.Site("head", 0, head=1))
        assert len(page.messages) == before

    asyncio.run(scene())


def test_of_twenty_clicks_that_wait_the_last_is_run(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        first = click(page, 3)
        await until(lambda: replies(page) == [first])
        queue.let(0)
        waits = click(page, 4)
        await until(lambda: queue.status == QUEUED)
        others = [click(page, (5 + i) % 15) for i in range(20)]
        await Ticks().some()
        assert replies(page) == [first]
        queue.let(np.inf)
        await until(lambda: len(replies(page)) == 22)
        assert replies(page) == [first, waits, *others]
        assert page.view.result["label"] == "L3H0"
        labels = [None if entry is None else entry.effect.labels for entry in study.history]
        assert labels[-1:] != [None]
        assert len(labels) == 4  # nothing, the first, the one that waited, the last
        page.view.close()

    asyncio.run(scene())


def test_what_is_asked_stays_in_order(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        queue.let(0)
        one = click(page, 4)
        back = page.request("undo")["id"]
        two = click(page, 7)
        queue.let(np.inf)
        await until(lambda: len(replies(page)) == 3)
        assert replies(page) == [one, back, two]
        # Undone before the second click, the first is no more.
        assert [bool(entry) for entry in study.history] == [False, True]
        assert page.view.result["label"] == "L2H1"
        page.view.close()

    asyncio.run(scene())


def test_an_error_of_the_server_is_the_answer(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        queue.fails = trouble.unreachable("http://127.0.0.1:9", "refused", 1)
        sent = click(page, 4)
        await until(lambda: replies(page) == [sent])
        (reply,) = (m for m in page.messages if m["kind"] == "reply")
        assert not reply["ok"]
        assert reply["error"]["message"] == "The server cannot be reached."
        queue.fails = None
        again = click(page, 4)
        await until(lambda: again in replies(page))
        assert page.messages[-1]["ok"]
        assert page.view.result["label"] == "L1H1"
        page.view.close()

    asyncio.run(scene())


def test_a_click_on_prompts_that_are_no_more_changes_nothing(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell asks something else while the click waits."""

    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        queue.let(0)
        sent = click(page, 4)
        await until(lambda: queue.status == QUEUED)
        timer = threading.Timer(0.05, lambda: queue.let(np.inf))
        timer.start()
        study.contrast = PAIRS[1]  # its views read the new prompts: the cell waits its turn
        await until(lambda: sent in replies(page))
        (reply,) = (m for m in page.messages if m["kind"] == "reply")
        assert not reply["ok"]
        assert "changed" in reply["error"]["message"]
        assert study.selection == ()
        assert page.view.view["prompts"]["clean"][0]["text"].strip() == "rat"
        page.view.close()

    asyncio.run(scene())


def test_a_board_waits_beside_the_kernel(
    study: mw.Study, here: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its clicks, and what it runs by itself once it is left alone."""
    first, second = mw.Site("head", 1, head=1), mw.Site("head", 2, head=0)

    async def scene() -> mw.CircuitBoard:
        board = mw.CircuitBoard(study, mw.Circuit([first]), mode="node")
        page = Page(board, monkeypatch)
        queue.let(0)
        queue.threads.clear()
        sent = page.request("set", items=[{"id": second.label(), "on": True}])["id"]
        await until(lambda: queue.status == QUEUED)
        await Ticks().some()
        assert len(board.circuit.nodes) == 1
        queue.let(np.inf)
        await until(lambda: sent in replies(page))
        assert set(board.circuit.nodes) == {first, second}
        await until(lambda: len(board.result.left_out) == 2)
        assert threading.get_ident() not in queue.threads
        board.close()
        return board

    board = asyncio.run(scene())
    known = mw.CircuitBoard(here, mw.Circuit([first, second]), mode="node")
    close(board.result.faithfulness.kept, known.result.faithfulness.kept)


def test_a_board_follows_a_search_that_waits_and_is_cancelled(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        board = mw.CircuitBoard(study, mode="node")
        page = Page(board, monkeypatch)
        job = mw.search.greedy_job(study, 3)
        ticks = Ticks()
        queue.let(0)
        queue.threads.clear()
        board.follow(job)
        while job.done == 0:
            queue.let(1)
            await ticks.some(5)
        await until(lambda: queue.status == QUEUED)
        page.request("cancel")
        await until(lambda: job.finished)
        await ticks.some()
        assert job.state == "cancelled"
        queue.let(np.inf)
        await until(lambda: not board.graph["following"])
        assert threading.get_ident() not in queue.threads
        board.close()

    asyncio.run(scene())


# --- jobs -----------------------------------------------------------------------------------------


def chunked(study: mw.Study) -> jobs.Job[Any]:
    """A sweep in many requests, started."""
    study.engine.budget = 150_000
    return study.start("head")


def test_a_sweep_waits_beside_the_kernel(study: mw.Study, here: mw.Study, queue: Queue) -> None:
    async def scene() -> None:
        queue.let(0)
        job = chunked(study)
        await until(lambda: queue.status == QUEUED)
        await Ticks().some()
        assert (job.state, job.done) == ("running", 0)
        queue.let(np.inf)
        await until(lambda: job.finished)
        assert queue.asked > 3
        assert threading.get_ident() not in queue.threads
        close(job.result()["PIE"], here.sweep("head", progress=False)["PIE"])
        assert "head" in study.grids

    asyncio.run(scene())


def test_cancel_comes_back_at_once_and_the_late_chunk_writes_nothing(
    study: mw.Study, here: mw.Study, queue: Queue
) -> None:
    known = here.sweep("head", progress=False)["PIE"]

    async def scene() -> None:
        queue.let(0)
        job = chunked(study)
        ticks = Ticks()
        while job.done == 0:
            queue.let(1)
            await ticks.some(5)
        await until(lambda: queue.status == QUEUED)
        done, asked = job.done, queue.asked
        job.cancel()
        assert job.state == "cancelled"
        assert 0 < job.done == done < job.total
        kept = job.result()
        run = np.isfinite(kept["PIE"])
        assert 0 < run.sum() < run.size
        before = np.array(kept["Y01"])
        queue.let(np.inf)
        await ticks.some()
        await until(lambda: queue.status == "")
        assert (queue.asked, job.done, job.error) == (asked, done, None)
        np.testing.assert_array_equal(np.array(job.result()["Y01"]), before)
        close(np.array(kept["PIE"])[run], known[run])
        # The server is free for what is asked next.
        job = study.start("head")
        await until(lambda: job.finished)
        close(job.result()["PIE"], known)

    asyncio.run(scene())


def test_a_chunk_that_cannot_be_given_up_is_not_filed_after_cancel(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        monkeypatch.setattr(queue, "cancel", lambda *_: None)
        queue.let(0)
        job = chunked(study)
        ticks = Ticks()
        while job.done == 0:
            queue.let(1)
            await ticks.some(5)
        await until(lambda: queue.status == QUEUED)
        job.cancel()
        before = np.array(job.result()["Y01"])
        ran = queue.ran
        queue.let(np.inf)
        await until(lambda: queue.ran == ran + 1)
        await ticks.some()
        np.testing.assert_array_equal(np.array(job.result()["Y01"]), before)
        assert job.state == "cancelled"

    asyncio.run(scene())


def test_a_cell_takes_over_a_job_that_waits_beside_it(
    study: mw.Study, here: mw.Study, queue: Queue
) -> None:
    async def scene() -> None:
        queue.let(0)
        job = chunked(study)
        await until(lambda: queue.status == QUEUED)
        threading.Timer(0.05, lambda: queue.let(np.inf)).start()
        found = job.result()  # the loop stands still, as in any cell
        close(found["PIE"], here.sweep("head", progress=False)["PIE"])
        assert job.done == job.total
        await Ticks().some()
        assert job.state == "done"

    asyncio.run(scene())


def test_clicks_get_in_between_the_chunks_of_a_sweep(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        study.engine.budget = 150_000
        queue.let(0)
        page.request("sweep", panels=["head"])
        await until(lambda: queue.status == QUEUED)
        sent = click(page, 4)
        queue.let(np.inf)
        await until(lambda: sent in replies(page))
        states = [m["state"] for m in page.messages if m["kind"] == "progress"]
        assert set(states) == {"running"}
        await until(lambda: page.messages[-1].get("state") == "done")
        assert page.view.result["label"] == "L1H1"
        page.view.close()

    asyncio.run(scene())


def test_esc_is_heard_while_the_sweep_waits(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        page = Page(mw.HeadGrid(study), monkeypatch)
        queue.let(0)
        page.request("sweep", panels=["head"])
        await until(lambda: queue.status == QUEUED)
        sent = page.request("cancel")["id"]
        await until(lambda: sent in replies(page))
        await until(lambda: any(m.get("state") == "cancelled" for m in page.messages))
        assert not [m for m in page.messages if m["kind"] == "reply" and not m["ok"]]
        page.view.close()

    asyncio.run(scene())


def test_a_part_of_a_view_is_drawn_beside_the_kernel(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        view = mw.AttentionPattern(study)
        page = Page(view, monkeypatch)
        study.intervene(mw.Site("head", 3, head=2))
        queue.let(0)
        await until(lambda: queue.status == QUEUED)
        await Ticks().some()
        assert page.sent("attention") == []
        queue.let(np.inf)
        await until(lambda: page.sent("attention") != [])
        assert (view.attention["layer"], view.attention["head"]) == (3, 2)
        view.close()

    asyncio.run(scene())


def test_a_blocking_call_says_in_its_bar_what_it_waits_for(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(jobs, "BAR_AFTER", 0)
    study.sweep("head")
    out = capsys.readouterr().out
    assert QUEUED in out
    assert "running" in out


def test_who_waits_keeps_neither_the_interpreter_nor_the_model(
    study: mw.Study, queue: Queue
) -> None:
    async def scene() -> None:
        queue.let(0)
        job = chunked(study)
        await until(lambda: queue.status == QUEUED)
        (thread,) = (t for t in threading.enumerate() if t.ident in queue.threads)
        assert thread.daemon
        job.cancel()
        await until(lambda: queue.status == "")

    asyncio.run(scene())


def test_a_job_that_was_given_up_goes_on_on_the_server_and_is_asked_for_by_its_id(
    here: mw.Study,
) -> None:
    """With the real client, and a server that takes its time."""

    async def scene(loopback: mw.remote.Loopback) -> None:
        lm = mw.load(loopback.model, remote=loopback.server)
        study = mw.Study(lm, PAIRS[0])
        _ = study.total  # first contact is over
        asked, remote = len(loopback.jobs), lm.remote
        assert remote is not None
        job = study.start("head")
        await until(lambda: len(loopback.jobs) > asked and bool(remote.jobs))
        await Ticks().some()
        job.cancel()
        assert job.state == "cancelled"
        await until(lambda: remote.status == "")
        assert len(remote.jobs) == 1
        again = study.start("head")
        await until(lambda: again.finished)
        assert list(remote.jobs) == []
        # The chunk and its comparison with a plain pass, each once.
        assert len(loopback.jobs) == asked + 2
        close(again.result()["PIE"], here.sweep("head", progress=False)["PIE"])

    with mw.remote.Loopback(here.lm, delay=0.3) as loopback:
        asyncio.run(scene(loopback))


def test_who_cancels_a_job_gives_up_nobody_else(here: mw.Study) -> None:
    """A job waits for its turn behind somebody's thread; ``lm.remote.cancel()`` is for all."""
    ids, found = torch.tensor([[2, 3, 4, 5]]), list[Any]()

    async def scene(server: Faulty) -> None:
        lm = mw.load(server.model, remote=server.server)
        study, remote = mw.Study(lm, PAIRS[0]), lm.remote
        assert remote is not None
        _ = study.total

        def ask() -> None:
            try:
                found.append(lm.logits_at(ids, [-1]))
            except GaveUp as error:
                found.append(error)

        async def cancelled_beside(end: Callable[[], None]) -> None:
            server.going.clear()
            thread = threading.Thread(target=ask)
            thread.start()
            await until(lambda: remote.status == "running")
            job = study.start("head")
            await until(lambda: job._turn is not None and job._turn._depth > 0)
            job.cancel()
            await Ticks().some()
            assert thread.is_alive(), "it was given up with the job"
            end()
            await until(lambda: not thread.is_alive())

        await cancelled_beside(remote.cancel)
        await cancelled_beside(server.going.set)
        await until(lambda: remote.status == "")
        assert isinstance(found[0], GaveUp)
        assert torch.is_tensor(found[1])
        assert len(server.executed) == 4, "first contact, the total, and what the thread asked"

    with Faulty(here.lm) as server:
        asyncio.run(scene(server))


def test_a_loop_that_ends_leaves_nobody_waiting(study: mw.Study, queue: Queue) -> None:
    """A click of a kernel that is no more; the next loop asks the same worker."""

    async def left() -> None:
        queue.let(0)
        study.start("head")
        await until(lambda: queue.status == QUEUED)

    async def next_one() -> None:
        job = study.start("head")
        await until(lambda: job.finished)
        assert job.state == "done"

    asyncio.run(left())
    queue.let(np.inf)
    asyncio.run(next_one())


def test_nothing_of_a_model_that_is_here_leaves_the_thread(here: mw.Study) -> None:
    assert here.lm.worker is None


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


def test_the_loop_goes_on_while_a_card_waits(study: mw.Study, queue: Queue) -> None:
    lesson = mw.teach.Lesson("Far away")
    total = lesson.number("total", "How large?", lambda: study.total["TE"], within=1)
    best = lesson.pick("best", "Which head?", study)

    async def pressed(card: Any, said: str, **content: Any) -> None:
        queue.let(0)
        card._handle_custom_msg({"id": card.question.id, **content}, [])
        await until(lambda: queue.status == QUEUED)
        await Ticks().some()
        assert card.state["card"]["status"] != said
        queue.let(np.inf)
        await until(lambda: card.state["card"]["status"] == said)

    async def scene() -> None:
        total.commit(1.0)
        await pressed(total, "revealed", do="reveal")
        queue.let(0)
        best._handle_custom_msg({"id": "best", "do": "commit", "guess": ["L1H1"]}, [])
        await until(lambda: queue.status == QUEUED)
        # The guess is kept at once; what it does comes later.
        assert best.state["card"]["status"] == "committed"
        assert best.state["card"]["tried"] is None
        await Ticks().some()
        queue.let(np.inf)
        await until(lambda: best.state["card"]["tried"] is not None)
        await pressed(best, "revealed", do="reveal")

    asyncio.run(scene())
