"""What a user sees where a server fails, and that nothing is run twice for it."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import mediawidget as mw
from mediawidget.remote import GaveUp, Patience, Server, ServerError
from tests.remoting.failing.clients import PAIRS, QUICK, SITE, asked, client, remote_of
from tests.remoting.faults import DETAILS, Faulty
from tests.small_models import random_model, tokenizer_of

# --- what mends itself --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "fault", "times"),
    [
        ("arriving", 503, 1),
        ("polling", "cut", 2),
        ("polling", "unknown", 5),
        ("sending", "cut", 2),
        ("sending", "truncated", 1),
    ],
)
def test_what_mends_itself_is_not_seen(
    server: Faulty, study: mw.Study, want: mw.Effect, stage: Any, fault: Any, times: int
) -> None:
    server.fails(stage, fault, times=times)
    asked(study, want)
    assert server.happened == [(stage, fault)] * times
    assert len(server.executed) == 1, "it was run twice"
    assert remote_of(study).jobs == ()


def test_the_place_in_the_queue_is_said(server: Faulty, study: mw.Study, want: mw.Effect) -> None:
    server.fails("polling", "queued", times=3)
    heard: list[str] = []
    remove = remote_of(study).listen(heard.append)
    asked(study, want)
    remove()
    assert "queued, place 3" in heard
    assert heard[0] == "being sent"


def test_a_server_that_takes_nothing_yet_is_said_to(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    server.fails("arriving", 503, times=1)
    heard: list[str] = []
    remove = remote_of(study).listen(heard.append)
    asked(study, want)
    remove()
    assert heard[:2] == ["being sent", "the server takes nothing now, trying again"]


def test_a_server_that_is_gone_is_said_to_be(server: Faulty, study: mw.Study) -> None:
    heard: list[str] = []
    remove = remote_of(study).listen(heard.append)
    server.close()
    with pytest.raises(ServerError, match=r"Patience\(connect=60"):
        study.intervene(mw.Site("head", 1, head=1))
    remove()
    assert heard == ["being sent", "the server does not answer, trying again", ""]


# --- what is said -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "fault", "what", "fix"),
    [
        ("arriving", 400, "does not work with these versions", "nnsight.ndif.compare"),
        ("arriving", 500, "refuses the request", "ask again"),
        ("arriving", "cut", "cut after the request was sent", "ask again"),
        ("arriving", 502, "cut after the request was sent", "ask again"),
        ("arriving", "garbage", "cannot be read", "ask again"),
    ],
)
def test_a_request_that_does_not_arrive(
    server: Faulty,
    study: mw.Study,
    want: mw.Effect,
    stage: Any,
    fault: Any,
    what: str,
    fix: str,
) -> None:
    server.fails(stage, fault)
    with pytest.raises(ServerError, match=what) as caught:
        study.intervene(SITE)
    assert fix in caught.value.fix
    assert server.host in str(caught.value)
    assert server.key not in str(caught.value)
    if isinstance(fault, int) and fault != 502:
        assert DETAILS[fault][:20] in str(caught.value)
    assert server.executed == []
    asked(study, want)
    assert len(server.executed) == 1


@pytest.mark.parametrize("fault", ["cut", "garbage"])
def test_an_answer_that_does_not_arrive_may_cost_one_run(
    server: Faulty, study: mw.Study, want: mw.Effect, fault: Any
) -> None:
    """The id went with it, so nobody can ask for the job: this is said, and not repeated."""
    server.fails("received", fault)
    with pytest.raises(ServerError, match=r"cut after|cannot be read"):
        study.intervene(SITE)
    assert len([one for one in server.requests if one.route == "request"]) == 3
    asked(study, want)
    assert len(server.executed) == 2


def test_a_status_that_is_refused_keeps_the_job(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    server.fails("polling", 400)
    with pytest.raises(ServerError) as caught:
        study.intervene(SITE)
    (job,) = remote_of(study).jobs
    assert caught.value.job == job
    assert job in str(caught.value)
    asked(study, want)
    assert len(server.executed) == 1, "it was run twice"
    assert remote_of(study).jobs == ()


def test_a_status_that_says_nothing_keeps_the_job(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    """Also of a job that was open before: who asks again does not run it again."""
    for times in (3, 6):
        server.fails("polling", "garbage", times=3)
        with pytest.raises(ServerError, match="cannot be read") as caught:
            study.intervene(SITE)
        assert len(server.happened) == times
        assert remote_of(study).jobs == (caught.value.job,)
        assert "asked for by its id" in caught.value.fix
    asked(study, want)
    assert len(server.executed) == 1, "it was run twice"
    assert remote_of(study).jobs == ()


def test_a_status_of_another_job_is_none(server: Faulty, study: mw.Study, want: mw.Effect) -> None:
    """A proxy that keeps pages may give one of another's."""
    server.fails("polling", "another")
    asked(study, want)
    assert server.happened == [("polling", "another")]


@pytest.mark.parametrize("place", ["http://[x", "file:///etc/passwd", 7])
def test_a_result_at_no_address(
    server: Faulty, study: mw.Study, want: mw.Effect, place: Any
) -> None:
    server.misplaces(place)
    with pytest.raises(ServerError, match="cannot be read"):
        study.intervene(SITE)
    server.heals()
    asked(study, want)


def test_the_prompts_alone_are_asked_for_once(server: Faulty, study: mw.Study) -> None:
    total = study.total
    assert len(server.executed) == 1
    assert study.total is total
    study.metric = mw.LogitDiff()
    assert len(server.executed) == 1
    study.swap()
    assert study.total is not total
    assert len(server.executed) == 2


def test_a_result_that_is_gone_is_run_anew(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    server.fails("sending", "unknown")
    with pytest.raises(ServerError, match="has this job no more") as caught:
        study.intervene(SITE)
    assert "run anew" in caught.value.fix
    asked(study, want)
    assert len(server.executed) == 2


def test_a_server_that_is_away_for_long_keeps_the_job(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    server.fails("polling", 503, times=999)
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        study.intervene(SITE)
    assert "asked for by its id" in caught.value.fix
    assert remote_of(study).jobs == (caught.value.job,)
    server.heals()
    heard: list[str] = []
    remove = remote_of(study).listen(heard.append)
    asked(study, want)
    remove()
    assert heard[0] == "asked for again"
    assert len(server.executed) == 1


def test_a_server_that_is_not_there(server: Faulty, study: mw.Study) -> None:
    server.close()
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        study.intervene(SITE)
    assert "check the address" in caught.value.fix


def test_a_job_that_takes_too_long_is_asked_for_again(
    server: Faulty, study: mw.Study, want: mw.Effect
) -> None:
    short = Patience(connect=1, answer=5, away=1, job=0.3, least=0.01, most=0.05)
    remote_of(study).server.patience = short
    server.going.clear()
    with pytest.raises(ServerError, match="not finished in time") as caught:
        study.intervene(SITE)
    assert remote_of(study).jobs == (caught.value.job,)
    remote_of(study).server.patience = QUICK
    server.going.set()
    asked(study, want)
    assert len(server.executed) == 1


def test_waiting_is_given_up_and_taken_up(server: Faulty, study: mw.Study, want: mw.Effect) -> None:
    server.going.clear()
    remote, caught = remote_of(study), []

    def ask() -> None:
        try:
            study.intervene(SITE)
        except GaveUp as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    while remote.status != "running":
        time.sleep(0.01)
    remote.cancel()
    thread.join(20)
    assert not thread.is_alive()
    assert [error.job for error in caught] == list(remote.jobs)
    server.going.set()
    asked(study, want)
    assert len(server.executed) == 1


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("11111111-1111-4111-8111-111111111111", "does not accept the key"),
        ("nonsense", "does not accept the key"),
    ],
)
def test_a_key_that_the_server_does_not_know(server: Faulty, key: str, what: str) -> None:
    study = mw.Study(client(server, key=key), PAIRS)
    with pytest.raises(ServerError, match=what) as caught:
        study.intervene(SITE)
    assert "NDIF_API_KEY" in caught.value.fix
    assert key not in str(caught.value)
    assert server.executed == []


def test_a_model_that_the_server_does_not_have(server: Faulty) -> None:
    has = mw.load(random_model("gpt2", seed=1), tokenizer=tokenizer_of("gpt2"))
    with Faulty(has) as other:
        where = Server(other.host, other.key, patience=QUICK)
        study = mw.Study(mw.load(server.model, remote=where, dtype=torch.float64), PAIRS)
        with pytest.raises(ServerError, match="cannot load this model") as caught:
            study.intervene(SITE)
    assert "nnsight.ndif.status" in caught.value.fix
    assert server.name in str(caught.value)


# --- lies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", [0.01, 1e-6, float("nan")])
def test_a_server_that_lies_shows_no_number(server: Faulty, by: float) -> None:
    server.lies(by)
    study = mw.Study(client(server), PAIRS)
    before = len(study.history)
    with pytest.raises(mw.MediationError, match="does not compute what it is asked"):
        study.intervene(SITE)
    with pytest.raises(mw.MediationError, match="does not compute what it is asked"):
        study.sweep("head")
    assert len(study.history) == before


def test_a_server_that_begins_to_lie_is_found_by_a_sweeps_own_checks(
    server: Faulty, study: mw.Study
) -> None:
    server.lies(0.01, only="kept")
    effect = study.sweep("head")
    assert any(check.ok is False for check in effect.checks)


def test_errors_name_no_machine_and_no_key(server: Faulty, study: mw.Study) -> None:
    server.fails("arriving", 500)
    with pytest.raises(ServerError) as caught:
        study.intervene(SITE)
    text = "".join(str(error) for error in _chain(caught.value))
    assert server.key not in text
    assert not re.search(r"site-packages", text)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
