"""Which questions are the same, and which jobs are open for them, in this process and the next."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote import GaveUp, Ledger, Patience, Server, ServerError
from tests.remoting.digesting import PAIRS, QUESTIONS, digests
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of

HOST = "http://127.0.0.1:9"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("gpt2")
    random_model("gpt2").save_pretrained(place)
    tokenizer_of("gpt2").save_pretrained(place)
    return str(place)


# --- questions ----------------------------------------------------------------------------------


def elsewhere(folder: str, seed: str) -> list[str]:
    """The digests that another process finds, whose sets have another order."""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.remoting.digesting", folder]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_a_question_is_the_same_in_every_process_and_no_other(folder: str) -> None:
    here = digests(folder)
    assert len(set(here)) == len(here) == len(PAIRS) * len(QUESTIONS)
    assert None not in here
    assert here == elsewhere(folder, "1") == elsewhere(folder, "2")


def test_another_precision_is_another_question(folder: str) -> None:
    both = digests(folder, dtype=torch.float64), digests(folder, dtype=torch.bfloat16)
    assert not set(both[0]) & set(both[1])


def test_the_same_weights_under_another_name_are_another_model(folder: str, tmp_path: Path) -> None:
    random_model("gpt2").save_pretrained(tmp_path)
    tokenizer_of("gpt2").save_pretrained(tmp_path)
    assert not set(digests(folder)) & set(digests(str(tmp_path)))


# --- jobs ---------------------------------------------------------------------------------------


def test_jobs_are_found_until_they_are_forgotten() -> None:
    ledger = Ledger(HOST)
    assert ledger.find("a") is None
    ledger.add("a", "one")
    ledger.add("b", "two")
    assert (ledger.find("a"), ledger.jobs) == ("one", {"a": "one", "b": "two"})
    ledger.forget("a")
    ledger.forget("a")
    assert (ledger.find("a"), ledger.jobs) == (None, {"b": "two"})


def test_a_folder_tells_the_next_process(tmp_path: Path) -> None:
    Ledger(HOST, tmp_path).add("a", "one")
    assert Ledger(HOST, tmp_path).find("a") == "one"
    assert Ledger("http://other", tmp_path).find("a") is None
    Ledger(HOST, tmp_path).forget("a")
    assert Ledger(HOST, tmp_path).find("a") is None


_OF_HOST = '{"host": "http://127.0.0.1:9"'


@pytest.mark.parametrize(
    "text", ["", "{", "[]", *(_OF_HOST + rest for rest in ("}", ', "job": 3}', ', "job": "../x"}'))]
)
def test_a_broken_file_is_none(tmp_path: Path, text: str) -> None:
    Ledger(HOST, tmp_path).add("a", "one")
    (file,) = tmp_path.rglob("a.json")
    file.write_text(text)
    assert Ledger(HOST, tmp_path).find("a") is None


@pytest.mark.parametrize("jobs", [None, 3, {"a": 3}, {"a": "../x"}, {"../a": "x"}])
def test_what_is_no_list_of_jobs(jobs: Any) -> None:
    for data in ({"host": HOST, "jobs": jobs}, {"host": HOST}, {}, None):
        with pytest.raises(MediationError, match="list of jobs"):
            Ledger(HOST).take(data)  # type: ignore[arg-type]


def test_a_folder_that_takes_nothing_is_as_none(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    ledger = Ledger(HOST, tmp_path)
    ledger.add("a", "one")
    assert ledger.find("a") == "one"
    ledger.forget("a")
    assert ledger.find("a") is None


def test_jobs_of_another_server_are_left_alone() -> None:
    one, other = Ledger(HOST), Ledger("http://other")
    one.add("a", "one")
    other.take(one.to_json())
    assert other.jobs == {}


# --- studies ------------------------------------------------------------------------------------

PATIENCE = Patience(connect=0.5, away=0.5, job=0.3, least=0.02, most=0.1)


def test_a_saved_study_goes_on_with_the_jobs_it_left(folder: str, tmp_path: Path) -> None:
    local = mw.load(folder, device="cpu", dtype=torch.float64)
    with Faulty(local) as server:
        # Only the job that does not end is waited for in haste: others take what the machine takes.
        there = Server(server.host, server.key, patience=replace(PATIENCE, job=200.0, away=20.0))
        study = mw.Study(mw.load(server.model, remote=there), PAIRS[0])
        study.sweep("residual")
        server.going.clear()
        assert study.lm.remote is not None
        study.lm.remote.server = Server(server.host, server.key, patience=PATIENCE)
        with pytest.raises(ServerError, match="not finished in time"):
            study.sweep("head")
        study.save(tmp_path / "study.json")
        assert server.key not in (tmp_path / "study.json").read_text()
        server.going.set()
        lm = mw.load(server.model, remote=there)
        again = mw.Study.load(tmp_path / "study.json", lm)
        assert lm.remote is not None
        (job,) = lm.remote.jobs
        before = len(server.requests)
        own = mw.Study(local, PAIRS[0]).sweep("head")
        assert abs(again.sweep("head").edited - own.edited).max() < 1e-9
        assert lm.remote.jobs == ()
        assert f"/result/{job}" in [asked.path for asked in server.requests[before:]]


def test_a_study_is_saved_while_the_server_is_away(folder: str, tmp_path: Path) -> None:
    lm = mw.load(folder, remote=Server(HOST, patience=PATIENCE))
    mw.Study(lm, PAIRS[0]).save(tmp_path / "study.json")
    assert "jobs" not in (tmp_path / "study.json").read_text()
    mw.Study.load(tmp_path / "study.json", lm)
    other = mw.load(folder, device="cpu")
    with pytest.raises(MediationError, match="another model"):
        mw.Study.load(tmp_path / "study.json", other)


def test_giving_up_is_an_error_of_ours() -> None:
    assert issubclass(GaveUp, ServerError)
    assert issubclass(ServerError, MediationError)
