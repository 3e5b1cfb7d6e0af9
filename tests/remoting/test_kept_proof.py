"""First contact that was read from a folder says nothing of the server that is there now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.remote import Patience, ServerError
from tests.remoting.faults import Faulty
from tests.remoting.keeping import asked, files, posted
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
SITE = mw.Site("mlp_out", 2)
FIRST = 2
"""Requests of first contact."""
QUICK = Patience(connect=0.5, away=0.5, job=20.0, least=0.01, most=0.05)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with Faulty(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as running:
        yield running


def study_at(server: Faulty, folder: Path) -> mw.Study:
    """Of a kernel that has asked nothing yet."""
    where = server.server
    where.patience = QUICK
    return mw.Study(mw.load(server.model, remote=where, cache=folder), PAIR)


def remote_of(study: mw.Study) -> Any:
    assert study.lm.remote is not None
    return study.lm.remote


@pytest.fixture
def filled(server: Faulty, tmp_path: Path) -> np.ndarray[Any, Any]:
    """What an assistant swept, who left it in the folder."""
    found = study_at(server, tmp_path).sweep("head").edited
    server.requests.clear()
    return found


def test_a_live_number_is_shown_once_the_server_itself_was_proven(
    server: Faulty, tmp_path: Path, filled: Any
) -> None:
    study = study_at(server, tmp_path)
    assert study.sweep("head").edited.tobytes() == filled.tobytes()
    assert posted(server) == 0, "what is kept may be read"
    assert remote_of(study).owed is not None
    kept = files(tmp_path)
    found = study.intervene(SITE)
    assert posted(server) == FIRST + 1
    assert remote_of(study).owed is None
    here = mw.Study(server._lm, PAIR).intervene(SITE)
    np.testing.assert_allclose(found.edited, here.edited, rtol=0, atol=1e-9)
    assert set(kept) < set(files(tmp_path))
    study.intervene(mw.Site("mlp_out", 1))
    assert posted(server) == FIRST + 2, "once"


def test_a_class_works_while_the_server_is_away(
    server: Faulty, tmp_path: Path, filled: Any
) -> None:
    study = study_at(server, tmp_path)
    server.close()
    assert study.sweep("head").edited.tobytes() == filled.tobytes()
    with pytest.raises(ServerError, match="cannot be reached"):
        study.intervene(SITE)
    assert study.sweep("head").edited.tobytes() == filled.tobytes()


@pytest.mark.parametrize("ask", ["click", "sweep", "logits", "activations"])
def test_a_server_that_lies_by_now_shows_nothing_live(
    server: Faulty, tmp_path: Path, filled: Any, ask: str
) -> None:
    """By whatever road a number is asked for; what the folder has stays, and was right."""
    study = study_at(server, tmp_path)
    study.sweep("head")
    kept = {path: path.read_bytes() for path in files(tmp_path)}
    server.lies(0.01)
    live: Any = {
        "click": lambda: study.intervene(SITE),
        "sweep": lambda: study.sweep("residual"),
        "logits": lambda: study.lm.logits_at(torch.tensor([[2, 3, 4]]), [-1]),
        "activations": lambda: study.activations(SITE),
    }[ask]
    for _ in range(2):
        with pytest.raises(mw.MediationError, match="does not compute what it is asked"):
            live()
    assert {path: path.read_bytes() for path in files(tmp_path)} == kept
    assert len(remote_of(study).recent) == 0
    assert study.sweep("head").edited.tobytes() == filled.tobytes()
    server.heals()
    live()
    assert remote_of(study).owed is None


def test_a_server_that_answers_with_less_by_now_leaves_the_folder(
    server: Faulty, tmp_path: Path, filled: Any
) -> None:
    study = study_at(server, tmp_path)
    assert study.sweep("head").edited.tobytes() == filled.tobytes()
    kept = {path: path.read_bytes() for path in files(tmp_path)}
    server.cuts()
    with pytest.raises(mw.MediationError, match="other numbers than those that were asked for"):
        study.intervene(SITE)
    assert {path: path.read_bytes() for path in files(tmp_path)} == kept
    assert len(remote_of(study).recent) == 0


def test_a_grid_half_of_which_is_kept(server: Faulty, tmp_path: Path) -> None:
    """The half that is read goes in; the first chunk that is sent waits for the proof."""
    first = study_at(server, tmp_path)
    first.engine.budget = 200_000
    job = first.job("head")
    for _ in range(4):
        assert job.step()
    before = len(files(tmp_path))
    server.requests.clear()
    study = study_at(server, tmp_path)
    study.engine.budget = 200_000
    effect = study.sweep("head")
    whole = mw.Study(server._lm, PAIR).sweep("head")
    np.testing.assert_allclose(effect.edited, whole.edited, rtol=0, atol=1e-9)
    assert posted(server) == FIRST + len(files(tmp_path)) - before


@pytest.mark.usefixtures("filled")
def test_two_threads_repeat_it_once(server: Faulty, tmp_path: Path) -> None:
    study = study_at(server, tmp_path)
    study.sweep("head")
    found: list[torch.Tensor] = []

    def ask(last: int) -> None:
        found.append(study.lm.logits_at(torch.tensor([[2, 3, last]]), [-1]))

    threads = [threading.Thread(target=ask, args=(last,)) for last in (4, 5, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 3
    assert posted(server) == FIRST + 3


@pytest.mark.usefixtures("filled")
def test_who_traces_by_himself_is_not_stopped(server: Faulty, tmp_path: Path) -> None:
    """His numbers are not ours to prove, and a trace within a trace would be."""
    study = study_at(server, tmp_path)
    study.sweep("head")
    asked(study.lm)
    assert posted(server) == 1
    assert remote_of(study).owed is not None
