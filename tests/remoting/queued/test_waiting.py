"""Jobs that wait for a server beside the kernel: what they say, and what gives them up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import jobs
from mediawidget.remote import GaveUp
from tests.remoting.faults import Faulty
from tests.remoting.queues import (
    QUEUED,
    Queue,
    Ticks,
    click,
    close,
    replies,
    until,
)
from tests.widgets.conftest import PAIRS, Page


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
