"""A grid cut into chunks is the same grid; a job can be watched, stopped and run beside others."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest

import mediawidget as mw
from tests.engine.cases import Case, case, oracle_edited, random_pair
from tests.small_models import KINDS

NOT_RUN, EXACT = 0, 1
ONE_RUN, SEVERAL_RUNS = 1, 200_000  # bytes: budgets that a run, and that a whole grid, exceeds


def several(kind: str) -> Case:
    pairs = [
        random_pair(kind, 70 + i, length=length, first=first)
        for i, (length, first) in enumerate([(6, 2), (8, 5), (6, 4), (8, 1)])
    ]
    return case(kind, pairs)


@pytest.mark.parametrize(
    ("mediator", "edit", "budget"),
    [
        ("attn_out", mw.Patch(), ONE_RUN),
        ("residual", mw.Patch(), ONE_RUN),
        ("mlp_out", mw.Zero(), ONE_RUN),
        ("head", mw.Patch(), SEVERAL_RUNS),
        ("head", mw.Zero(), SEVERAL_RUNS),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_small_budget_gives_the_same_grid(
    kind: str, mediator: str, edit: mw.Edit, budget: int
) -> None:
    case_ = several(kind)
    whole = case_.study.sweep(mediator, edit=edit)
    case_.study.engine.budget = budget
    cut = case_.study.sweep(mediator, edit=edit)
    assert cut.facts["passes"] > whole.facts["passes"]
    np.testing.assert_allclose(cut.edited, whole.edited, atol=1e-11, rtol=0)
    np.testing.assert_allclose(cut.bases, whole.bases, atol=1e-11, rtol=0)
    np.testing.assert_array_equal(cut.status, whole.status)


@pytest.mark.parametrize("kind", KINDS)
def test_means_do_not_depend_on_the_cut(kind: str) -> None:
    """The mean is over all pairs of a length, not over those that share a chunk."""
    case_ = several(kind)
    case_.study.engine.budget = ONE_RUN
    effect = case_.study.sweep("attn_out", edit=mw.Mean())
    for index in range(4):
        expected = oracle_edited(case_, "attn_out", how="mean", index=index)
        np.testing.assert_allclose(effect.edited[index], expected, atol=1e-9, rtol=0)


def test_by_position_in_chunks_against_the_oracle() -> None:
    case_ = case("llama", [random_pair("llama", 75, length=6, first=3)])
    case_.study.engine.budget = ONE_RUN
    effect = case_.study.sweep("residual", by="position")
    expected = oracle_edited(case_, "residual", by="position")
    np.testing.assert_allclose(effect.edited[0], expected, atol=1e-9, rtol=0)


def test_progress_rises_to_the_total() -> None:
    case_ = several("gpt2")
    case_.study.engine.budget = ONE_RUN
    job = case_.study.job("attn_out")
    seen = [job.progress]
    while job.step():
        seen.append(job.progress)
    assert len(seen) > 10
    assert seen[0][0] == 0
    assert seen[-1][0] == seen[-1][1]
    assert all(a[0] < b[0] for a, b in pairwise(seen))
    assert len({total for _, total in seen}) == 1
    assert job.state == "done"
    assert job.result()["TIE"].shape == (5,)


def test_a_cancelled_sweep_keeps_what_was_done_and_invents_nothing() -> None:
    case_ = case("gpt2", [random_pair("gpt2", 76, length=6, first=2)])
    whole = case_.study.sweep("head", by="position")
    case_.study.engine.budget = ONE_RUN
    job = case_.study.job("head", by="position")
    for _ in range(12):
        assert job.step()
    job.cancel()
    assert job.state == "cancelled"
    assert not job.step()
    effect = job.result()
    done = effect.status == EXACT
    missing = effect.status == NOT_RUN
    assert done.any()
    assert missing.any()
    for key in ("TIE", "PIE"):
        np.testing.assert_allclose(effect[key][done], whole[key][done], atol=1e-11)
        assert np.isnan(effect[key][missing]).all()


def test_a_job_cancelled_before_its_first_step() -> None:
    case_ = case("gpt2", [random_pair("gpt2", 77)])
    job = case_.study.job("head")
    job.cancel()
    effect = job.result()
    assert (effect.status == NOT_RUN).all()
    assert np.isnan(effect["TIE"]).all()
    assert case_.study.sweep("head")["TIE"].shape == (5, 3)


def test_two_jobs_and_a_click_take_turns() -> None:
    """Chunks of two sweeps and an intervention between them do not disturb each other."""
    pairs = [random_pair("gpt2", 78 + i, length=6, first=2) for i in range(2)]
    alone = case("gpt2", pairs)
    added = alone.study.sweep("attn_out")
    blocks = alone.study.sweep("residual")
    clicked = alone.study.intervene([mw.Site("mlp_out", 2)])
    case_ = case("gpt2", pairs)
    case_.study.engine.budget = ONE_RUN
    first, second = case_.study.job("attn_out"), case_.study.job("residual")
    while not (first.finished and second.finished):
        first.step()
        effect = case_.study.intervene([mw.Site("mlp_out", 2)])
        second.step()
        np.testing.assert_allclose(effect["PIE"], clicked["PIE"], atol=1e-11)
    np.testing.assert_allclose(first.result()["TIE"], added["TIE"], atol=1e-11)
    np.testing.assert_allclose(second.result()["TIE"], blocks["TIE"], atol=1e-11)


def test_a_started_job_goes_on_by_itself_in_an_event_loop() -> None:
    case_ = several("gpt2")
    expected = case_.study.sweep("attn_out")["TIE"]
    case_.study.engine.budget = ONE_RUN

    async def wait() -> tuple[int, mw.Effect]:
        job = case_.study.start("attn_out")
        turns = 0
        while not job.finished:
            turns += 1
            await asyncio.sleep(0.001)
        return turns, job.result()

    turns, effect = asyncio.run(wait())
    assert turns > 5
    np.testing.assert_allclose(effect["TIE"], expected, atol=1e-11)
