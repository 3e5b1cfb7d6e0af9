"""The loopback server under nnsight's own client, over its websocket and by polling."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import pytest
from nnsight import save
from nnsight.intervention.backends.remote import AsyncRemoteBackend
from nnsight.schema.response import ResponseModel, Status

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote.loopback import Loopback
from tests.remoting.clients import IDS, PAIR, TOLERANCE, Client, assert_same, polled
from tests.remoting.faults import Faulty

# --- the ways to wait ---------------------------------------------------------------------------


def test_over_the_websocket(client: Client) -> None:
    here = client.patched()
    assert_same(client.patched(client.backend()), here)
    assert (here - client.hf(IDS).logits).abs().max() > 0.1, "the patch did nothing"
    assert [exchange.route for exchange in client.server.requests] == ["subscribe", "request"]
    assert client.server.requests[0].sent > here.nbytes // 2


def test_by_polling(client: Client) -> None:
    backend = client.submitted()
    assert backend.status == Status.RECEIVED
    assert_same(polled(backend), client.patched())
    routes = [exchange.route for exchange in client.server.requests]
    assert routes[0] == "request"
    assert routes[-1] == "result"
    assert set(routes[1:-1]) == {"response"}
    first = client.server.requests[0]
    assert (first.status, first.received > 1000, first.sent > 100) == (200, True, True)


def test_by_asyncio(client: Client) -> None:
    model = client.model
    backend, seen = client.backend(AsyncRemoteBackend), []

    async def follow() -> Any:
        async for update in backend:
            if isinstance(update, dict):
                return update["logits"]
            seen.append(update.status)
        return None

    with client.model.trace(IDS, backend=backend):
        logits = save(model.output.logits)  # noqa: F841 - comes back by its name
    assert_same(asyncio.run(follow()), client.hf(IDS).logits.detach())
    assert seen == [Status.QUEUED, Status.DISPATCHED, Status.RUNNING, Status.COMPLETED]


def test_nnsights_own_words(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """``remote=host`` and the key in nnsight's settings."""
    model = client.model
    from nnsight import CONFIG

    monkeypatch.setattr(CONFIG.API, "APIKEY", client.server.key)
    monkeypatch.setattr(CONFIG.APP, "REMOTE_LOGGING", False)
    with client.model.trace(IDS, remote=client.server.host):
        logits = save(model.output.logits)
    assert_same(logits, client.hf(IDS).logits.detach())


@pytest.mark.parametrize("compress", [True, False])
def test_compressed_or_not(client: Client, compress: bool) -> None:
    backend = client.backend()
    backend.compress = compress
    assert_same(client.patched(backend), client.patched())


def test_a_result_too_large_for_the_websocket_comes_by_its_url(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mediawidget.remote.loopback.server.INLINE", 10)
    assert_same(client.patched(client.backend()), client.patched())
    assert client.server.requests[-1].route == "result"


# --- what a server does -------------------------------------------------------------------------


def test_one_job_runs_and_the_others_have_their_places(client: Client) -> None:
    server: Any = client.server
    server.going.clear()
    backends = [client.submitted()]
    while said_of(server)[0] != "Your job has started running.":
        time.sleep(0.01)
    backends += [client.submitted() for _ in range(2)]
    assert said_of(server)[1:] == [
        "Added to Queue at position 1.",
        "Added to Queue at position 2.",
    ]
    server.going.set()
    logits = [polled(backend) for backend in backends]
    assert_same(logits[0], logits[2])
    assert server.executed == [job.digest for job in server.jobs.values()]


def said_of(server: Loopback) -> list[str]:
    """Of every job what is known of it."""
    return [str(job.response and job.response.description) for job in server.jobs.values()]


def test_a_job_may_take_longer(lm: mw.LM) -> None:
    with Loopback(lm, delay=0.3) as server:
        client, start = Client(server), time.monotonic()
        assert_same(polled(client.submitted()), client.patched())
        assert time.monotonic() - start >= 0.3


def test_what_a_body_prints_is_logged(client: Client) -> None:
    model = client.model
    backend, said = client.backend(), []
    note = backend.note

    def heard(response: ResponseModel) -> Any:
        said.append(response)
        return note(response)

    backend.note = heard
    with client.model.trace(IDS, backend=backend):
        print("half", "way")
        logits = save(model.output.logits)
    assert logits.shape[0] == 2
    assert "half way" in [each.description for each in said if each.status == Status.LOG]


def test_the_same_statuses_as_the_server_has_models(fresh: Faulty) -> None:
    told = httpx.get(f"{fresh.host}/status").json()
    (entry,) = told["deployments"].values()
    client = mw.load(fresh.model, remote=fresh.server)
    assert client.remote is not None
    assert entry["model_key"] == client.remote.model_key
    assert (entry["application_state"], entry["deployment_level"]) == ("RUNNING", "HOT")
    assert httpx.get(f"{fresh.host}/ping").json() == "pong"
    assert httpx.get(f"{fresh.host}/nowhere").status_code == 404


def test_local_traces_and_those_of_the_server_go_on_side_by_side(client: Client, lm: mw.LM) -> None:
    """One process, two threads that trace, and nothing of one in the other."""
    study = mw.Study(lm, mw.Contrast([PAIR]))
    want, there = study.sweep("head").edited, client.patched()
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            for _ in range(10):
                assert_same(client.patched(client.backend()), there)
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=ask)
    thread.start()
    rounds = 0
    while thread.is_alive():
        fresh = mw.Study(lm, mw.Contrast([PAIR]))
        assert abs(fresh.sweep("head").edited - want).max() < TOLERANCE
        rounds += 1
    thread.join()
    assert not failures
    assert rounds


# --- the end ------------------------------------------------------------------------------------


def test_nothing_is_left_after_the_end(lm: mw.LM) -> None:
    before = set(threading.enumerate())
    with Loopback(lm) as server:
        client = Client(server)
        held = httpx.Client()
        assert held.get(f"{server.host}/ping").status_code == 200
        assert_same(polled(client.submitted()), client.patched())
        host = server.host
        while_open = {thread.name for thread in set(threading.enumerate()) - before}
    held.close()
    assert {"loopback server", "loopback jobs"} <= while_open
    left = [thread for thread in set(threading.enumerate()) - before if "loopback" in thread.name]
    assert not left
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{host}/ping")


def test_from_cell_to_cell(lm: mw.LM) -> None:
    server = Loopback(lm)
    server.close()
    assert "not opened" in repr(server)
    assert server.open() is server
    with pytest.raises(mw.MediationError, match="opened once"):
        server.open()
    assert_same(polled(Client(server).submitted()), Client(server).patched())
    server.close()
    server.close()
    assert "closed" in repr(server)


def test_a_post_that_is_none(fresh: Faulty) -> None:
    key = {"ndif-api-key": fresh.key}
    post = httpx.post
    assert post(f"{fresh.host}/request", headers=key, content=iter([b"a"])).status_code == 411
    assert post(f"{fresh.host}/request", headers=key, content=b"abc").status_code == 422
    form: Any = {"data": (None, "{}"), "blob": ("request", b"\r\n--\x00")}
    assert post(f"{fresh.host}/request", headers=key, files=form).status_code == 422
    assert post(f"{fresh.host}/nowhere", headers=key, files=form).status_code == 404
    assert httpx.get(f"{fresh.host}/subscribe").status_code == 426
    assert not fresh.jobs


def test_the_key_is_not_shown_and_weights_are_not_copied(lm: mw.LM, fresh: Faulty) -> None:
    assert fresh.key not in repr(fresh)
    twin = fresh._deployed.model._module
    assert twin is not lm.hf
    for (name, own), other in zip(lm.hf.named_parameters(), twin.parameters(), strict=True):
        assert own.data_ptr() == other.data_ptr(), name
        assert own.requires_grad
        assert not other.requires_grad


@pytest.mark.parametrize("options", [{"key": "abc"}, {"delay": -1}])
def test_options_that_are_none(lm: mw.LM, options: dict[str, Any]) -> None:
    with pytest.raises(mw.MediationError) as caught:
        Loopback(lm, **options)
    assert "abc" not in str(caught.value)


def test_a_model_is_loaded_from_the_loopback_itself() -> None:
    loopback = Loopback(mw.load())
    with pytest.raises(MediationError, match=r"\.open\(\)"):
        mw.load("model", remote=loopback)
    with loopback:
        lm = mw.load(loopback.model, remote=loopback)
        assert lm.remote is not None
        assert lm.remote.server.host == loopback.host
        assert lm.remote.server.key() == loopback.key
        assert mw.load(loopback.model, remote=lm.remote).remote is not lm.remote
    with pytest.raises(MediationError, match="Nobody listens"):
        mw.load("model", remote=loopback)
