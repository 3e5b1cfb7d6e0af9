"""The loopback server under nnsight's own client, over its websocket and by polling."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import torch
from nnsight import save
from nnsight.intervention.backends.remote import AsyncRemoteBackend, RemoteBackend, RemoteError
from nnsight.modeling import huggingface
from nnsight.modeling.transformers import TransformersModel
from nnsight.schema.response import ResponseModel, Status
from torch import Tensor

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote.loopback import Loopback
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
TOLERANCE = 1e-9
PAIR = mw.PromptPair("ant bee cat dog", "ant owl cat dog", "fox", "gnu")


class Client:
    """The same random model at the client's end, named as the server names it."""

    def __init__(self, server: Loopback, kind: str = "gpt2") -> None:
        self.hf: Any = random_model(kind)
        self.model = TransformersModel(
            self.hf, tokenizer=tokenizer_of(kind), task="text-generation"
        )
        self.model.repo_id = server.model
        huggingface._ID_CACHE[server.model] = server.model
        self.server = server

    def backend(self, kind: type[RemoteBackend] = RemoteBackend, **options: Any) -> Any:
        env = self.model._remoteable_get_env()
        given = {"host": self.server.host, "api_key": self.server.key, **options}
        backend = kind(self.model.to_model_key(), env=env, **given)
        backend.display.enabled = False
        return backend

    def patched(self, backend: Any = None) -> Tensor:
        """Logits where each prompt has the other's output of the second block's MLP."""
        model, mlp = self.model, self.model.transformer.h[1].mlp
        with torch.no_grad(), model.trace(IDS, backend=backend):
            mlp.output = mlp.output.flip(0)
            logits: Any = save(model.output.logits)
        return logits  # type: ignore[no-any-return]

    def submitted(self) -> Any:
        """The backend of the same trace, posted and not waited for."""
        backend = self.backend(blocking=False)
        model, mlp = self.model, self.model.transformer.h[1].mlp
        with model.trace(IDS, backend=backend):
            mlp.output = mlp.output.flip(0)
            logits = save(model.output.logits)  # noqa: F841 - comes back by its name
        return backend


def polled(backend: Any) -> Tensor:
    """What a posted trace gave."""
    end = time.monotonic() + 60
    while (saved := backend()) is None:
        assert time.monotonic() < end
        time.sleep(0.01)
    logits: Tensor = saved["logits"]
    return logits


@pytest.fixture
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


@pytest.fixture
def server(lm: mw.LM) -> Iterator[Faulty]:
    with Faulty(lm) as running:
        yield running


@pytest.fixture
def client(server: Faulty) -> Client:
    return Client(server)


def assert_same(one: Tensor, other: Tensor) -> None:
    assert not one.requires_grad
    torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE)


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


def test_the_same_statuses_as_the_server_has_models(server: Faulty) -> None:
    told = httpx.get(f"{server.host}/status").json()
    (entry,) = told["deployments"].values()
    client = mw.load(server.model, remote=server.server)
    assert client.remote is not None
    assert entry["model_key"] == client.remote.model_key
    assert (entry["application_state"], entry["deployment_level"]) == ("RUNNING", "HOT")
    assert httpx.get(f"{server.host}/ping").json() == "pong"
    assert httpx.get(f"{server.host}/nowhere").status_code == 404


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


# --- what a server refuses ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("", "Missing or invalid API key"),
        ("abc", "Invalid API key format"),
        ("00000000-0000-4000-8000-000000000000", "Invalid API key."),
    ],
)
def test_a_wrong_key_is_refused(client: Client, key: str, words: str) -> None:
    model = client.model
    backend = client.backend(blocking=False)
    backend.api_key = key
    with (
        pytest.raises(RemoteError, match=words),
        client.model.trace(IDS, backend=backend),
    ):
        logits = save(model.output.logits)  # noqa: F841 - is refused
    assert not client.server.jobs
    assert not client.server.executed
    assert client.server.requests[-1].status in (400, 401, 403)


def test_an_old_client_and_a_server_that_is_away_are_said(client: Client) -> None:
    client.server.oldest_client = "99.0"
    with pytest.raises(RemoteError, match=r"below the minimum supported 99\.0"):
        client.submitted()
    client.server.oldest_client, client.server.ready = None, False
    with pytest.raises(RemoteError, match="temporarily unavailable"):
        client.submitted()
    client.server.ready = True
    assert_same(polled(client.submitted()), client.patched())


def test_what_fails_in_a_body_comes_back_as_its_own_traceback(client: Client) -> None:
    backend = client.backend()
    with (
        pytest.raises(RemoteError, match="no such thing") as caught,
        client.model.trace(IDS, backend=backend),
    ):
        raise KeyError("no such thing")
    assert "KeyError" in str(caught.value)
    assert "deployed.py" not in str(caught.value)
    assert_same(client.patched(client.backend()), client.patched())


def test_another_model_is_not_deployed(client: Client) -> None:
    backend = client.backend()
    backend.model_key = backend.model_key.replace(client.server.model, "somebody/else")
    with pytest.raises(RemoteError, match=r"Could not deploy this model\. somebody/else"):
        client.patched(backend)
    assert not client.server.executed


def test_a_model_of_another_shape_is_a_mismatch(server: Faulty) -> None:
    other = Client(server, "llama")
    model = other.model
    with (
        pytest.raises(RemoteError, match="architecture on this server doesn't match"),
        other.model.trace(IDS, backend=other.backend()),
    ):
        logits = save(model.output.logits)  # noqa: F841 - is refused


def test_what_this_package_has_is_not_on_the_server(client: Client) -> None:
    """An object by reference, which NDIF could not read either."""
    import cloudpickle.cloudpickle as by_value

    held = by_value._PICKLE_BY_VALUE_MODULES
    client.patched(client.backend())  # nnsight registers what lies about here, once
    were = {name for name in held if name.startswith("mediawidget")}
    held.difference_update(were)
    site = mw.Site("residual", 1, position=2)
    try:
        with (
            pytest.raises(RemoteError, match="No module named 'mediawidget"),
            client.model.trace(IDS, backend=client.backend()),
        ):
            layer = save(site.layer)  # noqa: F841 - is refused
    finally:
        held.update(were)


def test_a_class_that_travels_stays_what_it_was_here(client: Client) -> None:
    """Read in the same process, a class by value must not be written over the sender's."""
    import cloudpickle

    error = mw.MediationError
    cloudpickle.register_pickle_by_value(__import__("mediawidget.errors").errors)
    try:
        with client.model.trace(IDS, backend=client.backend()):
            name = save([error.__name__])
    finally:
        cloudpickle.unregister_pickle_by_value(__import__("mediawidget.errors").errors)
    assert name == ["MediationError"]
    assert mw.MediationError("a", value=1, expected="b", fix="c").fix == "c"


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


def test_a_post_that_is_none(server: Faulty) -> None:
    key = {"ndif-api-key": server.key}
    post = httpx.post
    assert post(f"{server.host}/request", headers=key, content=iter([b"a"])).status_code == 411
    assert post(f"{server.host}/request", headers=key, content=b"abc").status_code == 422
    form: Any = {"data": (None, "{}"), "blob": ("request", b"\r\n--\x00")}
    assert post(f"{server.host}/request", headers=key, files=form).status_code == 422
    assert post(f"{server.host}/nowhere", headers=key, files=form).status_code == 404
    assert httpx.get(f"{server.host}/subscribe").status_code == 426
    assert not server.jobs


def test_the_key_is_not_shown_and_weights_are_not_copied(lm: mw.LM, server: Faulty) -> None:
    assert server.key not in repr(server)
    twin = server._deployed.model._module
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


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["cut", 429, 500, 400, "garbage"])
@pytest.mark.parametrize("stage", ["arriving", "received"])
def test_a_fault_at_the_post(client: Client, stage: Any, fault: Any) -> None:
    server: Any = client.server
    server.fails(stage, fault)
    with pytest.raises(Exception, match=r".") as caught:
        client.submitted()
    assert not isinstance(caught.value, AssertionError)
    assert server.happened == [(stage, fault)]
    assert len(server.jobs) == (stage == "received")
    assert_same(polled(client.submitted()), client.patched())


@pytest.mark.parametrize("fault", ["cut", "garbage", "truncated", 500])
def test_a_fault_in_the_result(client: Client, fault: Any) -> None:
    server: Any = client.server
    server.fails("sending", fault)
    backend = client.submitted()
    with pytest.raises(Exception, match=r"."):
        polled(backend)
    # The result is kept: the same is asked for again, and not computed again.
    assert_same(polled(backend), client.patched())
    assert len(server.executed) == 1


def test_a_job_held_in_the_queue_and_one_that_is_not_known_yet(client: Client) -> None:
    server: Any = client.server
    server.fails("polling", "unknown", times=2)
    server.fails("polling", "queued", times=3)
    backend = client.submitted()
    assert [backend(), backend()] == [None, None]
    assert backend.status == Status.RECEIVED
    assert [backend() for _ in range(3)] == [None] * 3
    assert backend.status == Status.QUEUED
    assert_same(polled(backend), client.patched())


def test_a_lie_is_one_number(client: Client) -> None:
    server: Any = client.server
    server.lies(0.5)
    wrong = polled(client.submitted()) - client.patched()
    assert wrong.flatten()[-1].item() == pytest.approx(0.5)
    assert wrong.flatten()[:-1].abs().max() < TOLERANCE
    server.heals()
    assert_same(polled(client.submitted()), client.patched())


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
