"""Jobs: progress, cancel, failure, and going on between cells of a running loop."""

import asyncio
from collections.abc import Iterator

import pytest

from mediawidget.jobs import Job


def job_of(chunks: int, done: list[int]) -> Job[list[int]]:
    def work() -> Iterator[int]:
        for chunk in range(chunks):
            done.append(chunk)
            yield 10

    return Job(work(), 10 * chunks, lambda: list(done))


def test_result_runs_every_chunk_once() -> None:
    done: list[int] = []
    job = job_of(3, done)
    assert job.progress == (0, 30)
    assert job.seconds_left is None
    assert job.result() == [0, 1, 2]
    assert (job.state, job.progress) == ("done", (30, 30))
    assert job.result() == [0, 1, 2], "a second look runs nothing"
    assert done == [0, 1, 2]


def test_cancel_keeps_what_was_finished() -> None:
    done: list[int] = []
    job = job_of(5, done)
    job.step()
    job.step()
    job.cancel()
    assert job.state == "cancelled"
    assert job.step() is False
    assert job.result() == [0, 1]


def test_a_failed_chunk_is_raised_and_raised_again() -> None:
    def work() -> Iterator[int]:
        yield 1
        raise ZeroDivisionError("chunk 2")

    states: list[str] = []
    job: Job[str] = Job(work(), 2, lambda: "never")
    job.watch(lambda j: states.append(j.state))
    with pytest.raises(ZeroDivisionError, match="chunk 2"):
        job.result()
    with pytest.raises(ZeroDivisionError, match="chunk 2"):
        job.result()
    assert states == ["running", "failed"]


def test_then_changes_the_result_alone() -> None:
    done: list[int] = []
    assert job_of(2, done).then(len).result() == 2


def test_a_started_job_lets_other_work_in_between_chunks() -> None:
    done: list[int] = []
    seen: list[int] = []

    async def cell() -> list[int]:
        job = job_of(4, done).start()
        while not job.finished:
            seen.append(job.done)
            await asyncio.sleep(0)
        return job.result()

    assert asyncio.run(cell()) == [0, 1, 2, 3]
    assert {10, 20, 30} <= set(seen), "the loop answered between the chunks"


def test_without_a_loop_a_started_job_waits_for_its_result() -> None:
    done: list[int] = []
    job = job_of(2, done).start()
    assert (job.state, done) == ("waiting", [])
    assert job.result() == [0, 1]
