"""What the loopback server refuses, and how it fails when told to, under nnsight's own client."""

from __future__ import annotations

from typing import Any

import pytest
from nnsight import save
from nnsight.intervention.backends.remote import RemoteError
from nnsight.schema.response import Status

import mediawidget as mw
from tests.remoting.clients import IDS, TOLERANCE, Client, assert_same, polled
from tests.remoting.faults import Faulty

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


def test_a_model_of_another_shape_is_a_mismatch(fresh: Faulty) -> None:
    other = Client(fresh, "llama")
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
