"""A grid is many requests: what was finished before a fault stays, and is not asked again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.remote import Server, ServerError
from tests.remoting.failing.clients import PAIRS, QUICK, TOLERANCE, client, remote_of
from tests.remoting.faults import Faulty


def small_chunks(study: mw.Study) -> Any:
    """A head grid in ten chunks."""
    study.engine.budget = 200_000
    return study.job("head")


def undisturbed(here: mw.LM) -> int:
    """How many bodies such a grid is where nothing fails."""
    with Faulty(here) as server:
        study = mw.Study(client(server), PAIRS)
        study.engine.prove()
        known = len(server.executed)
        small_chunks(study).result()
        return len(server.executed) - known


def test_what_was_finished_before_a_fault_stays(
    server: Faulty, study: mw.Study, here: mw.LM
) -> None:
    job = small_chunks(study)
    while not np.isfinite(job.so_far().edited).any():
        assert job.step()
    server.fails("arriving", 500)
    with pytest.raises(ServerError, match="refuses the request"):
        job.step()
    assert (job.state, 0 < job.done < job.total) == ("failed", True)
    part, whole = job.so_far(), mw.Study(here, PAIRS).sweep("head")
    known = np.isfinite(part.edited)
    assert 0 < known.sum() < known.size
    np.testing.assert_allclose(part.edited[known], whole.edited[known], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("folder", [False, True])
def test_a_grid_that_failed_half_way_asks_the_other_half(
    server: Faulty, here: mw.LM, tmp_path: Path, folder: bool
) -> None:
    """From this kernel's memory; from a folder also where the kernel is another."""
    where = Server(server.host, server.key, patience=QUICK)
    lm = mw.load(
        server.model, remote=where, dtype=torch.float64, cache=tmp_path if folder else None
    )
    study = mw.Study(lm, PAIRS)
    study.engine.prove()
    job, known = small_chunks(study), len(server.executed)
    for _ in range(4):
        assert job.step()
    finished = len(server.executed) - known
    assert finished >= 4
    server.fails("arriving", 500)
    with pytest.raises(ServerError, match="refuses the request"):
        job.step()
    if folder:
        remote_of(study).forget()
    effect = small_chunks(study).result()
    np.testing.assert_allclose(
        effect.edited, mw.Study(here, PAIRS).sweep("head").edited, rtol=0, atol=TOLERANCE
    )
    assert len(server.executed) - known == undisturbed(here), "something was asked twice"


def test_a_grid_over_a_line_that_is_cut_again_and_again(
    server: Faulty, study: mw.Study, here: mw.LM
) -> None:
    for after in range(0, 12, 3):
        server.fails("polling", "cut", after=after)
        server.fails("sending", "cut", after=after)
    effect = small_chunks(study).result()
    np.testing.assert_allclose(
        effect.edited, mw.Study(here, PAIRS).sweep("head").edited, rtol=0, atol=TOLERANCE
    )
    assert len(server.happened) > 4
    assert len(server.executed) == undisturbed(here)
