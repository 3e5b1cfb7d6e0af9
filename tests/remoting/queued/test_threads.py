"""The kernel stays free while views wait for a server, and nothing is done twice."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.remote import trouble
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


def test_a_designer_waits_beside_the_kernel_and_its_page_hears_for_what(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        lm = mw.models.lookback()
        monkeypatch.setattr(lm, "remote", queue)
        monkeypatch.setattr(lm, "backend", queue)
        designer = mw.CounterfactualDesigner(
            lm, mw.abstraction.lookback_hypotheses(), mw.models.lookback_prompt, n=2
        )
        said: list[str] = []
        monkeypatch.setattr(designer, "send", lambda content: said.append(content["words"]))
        queue.let(0)
        designer._handle_custom_msg({"do": "run", "layer": 0, "position": 1}, [])
        await until(lambda: said == [QUEUED])
        await Ticks().some()
        queue.let(np.inf)
        await until(lambda: said == [QUEUED, ""])
        designer.close()
        queue._tell("queued, place 9")
        await Ticks().some()
        assert said == [QUEUED, ""]

    asyncio.run(scene())


def test_a_page_is_told_where_it_runs(
    study: mw.Study, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene(host: str) -> str:
        queue.server = mw.remote.Server(host, key="none")
        page = Page(mw.HeadGrid(study), monkeypatch)
        worker = threading.Thread(target=queue._tell, args=("running",))
        worker.start()
        await until(lambda: any(m["kind"] == "waiting" for m in page.messages))
        worker.join()
        page.view.close()
        (said,) = (m["words"] for m in page.messages if m["kind"] == "waiting")
        return str(said)

    assert asyncio.run(scene("https://api.ndif.us")) == "running on ndif.us"
    assert asyncio.run(scene("http://127.0.0.1:8001")) == "running on this machine"
    assert asyncio.run(scene("https://ndif.uni.edu")) == "running on ndif.uni.edu"
