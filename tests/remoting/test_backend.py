"""One trace, one request: what is repeated, what never is, and what is said of what goes wrong."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from nnsight import save
from torch import Tensor

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote import GaveUp, Patience, Server, ServerError
from tests.remoting.faults import Fault, Faulty, Stage
from tests.small_models import random_model, tokenizer_of

IDS = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
SHORT = Patience(connect=0.5, away=0.5, job=20.0, least=0.02, most=0.1)


@pytest.fixture
def server() -> Iterator[Faulty]:
    with Faulty(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as running:
        yield running


def there(server: Faulty, cache: Path | None = None, **patience: float) -> mw.LM:
    """The model of a server, asked by somebody in a hurry."""
    short = Patience(**{**vars(SHORT), **patience})
    where = Server(server.host, server.key, patience=short)
    return mw.load(server.model, remote=where, cache=cache)


def asked(lm: mw.LM, factor: float = 1.0) -> Tensor:
    """Logits of two prompts, times a factor."""
    root: Any = lm.traced
    with torch.no_grad(), root.trace(IDS, backend=lm.backend() if lm.backend else None):
        logits: Tensor = save(root.output.logits * (1 / factor) ** -1)
    return logits


def plain(server: Faulty) -> Tensor:
    with torch.no_grad():
        logits: Tensor = server._lm.hf(IDS).logits
    return logits


def routes(server: Faulty) -> set[str]:
    return {exchange.route for exchange in server.requests}


def posted(server: Faulty) -> int:
    return sum(exchange.method == "POST" for exchange in server.requests)


# --- what goes well -----------------------------------------------------------------------------


def test_a_study_on_a_server_has_the_numbers_of_one_here(server: Faulty) -> None:
    here, far = mw.Study(server._lm, PAIR), mw.Study(there(server), PAIR)
    for mediator in ("head", "residual", "neuron"):
        one, other = here.sweep(mediator), far.sweep(mediator)
        np.testing.assert_array_equal(one.status, other.status)
        np.testing.assert_allclose(other.edited, one.edited, rtol=0, atol=1e-9)
    question = {mw.Site("mlp_out", 2): mw.Zero()}
    gap = abs(here.intervene(question).edited - far.intervene(question).edited).max()
    assert gap < 1e-9
    # A job outlives any connection, so none is held open.
    assert routes(server) == {"status", "request", "response", "result"}
    assert len(server.executed) == len(set(server.executed)) == posted(server)


def test_the_words_of_the_server_are_heard(server: Faulty) -> None:
    lm, heard = there(server), list[str]()
    assert lm.remote is not None
    remove = lm.remote.listen(heard.append)
    server.fails("polling", "queued", times=2)
    asked(lm)
    assert heard[0] == "being sent"
    assert "queued, place 3" in heard
    assert heard[-1] == lm.remote.status == ""
    remove()
    remove()
    before = len(heard)
    asked(lm)
    assert len(heard) == before


def test_nothing_but_what_was_saved_is_taken_from_an_answer(server: Faulty) -> None:
    lm = there(server)
    server._lie = lambda saved: {**saved, "lm": None, "IDS": None}
    assert torch.allclose(asked(lm), plain(server))
    assert lm.remote is not None
    lm.remote.forget()
    server._lie = lambda saved: {"other": saved["logits"]}
    with pytest.raises(ServerError, match="logits is not in it"):
        asked(lm)


class _Bomb:
    def __reduce__(self) -> Any:
        return os.mkdir, (os.environ["BOMB"],)


def test_nothing_that_an_answer_brings_is_run(
    server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOMB", str(tmp_path / "exploded"))
    lm = there(server)
    server._lie = lambda saved: {**saved, "bomb": _Bomb()}
    with pytest.raises(ServerError, match="cannot be read"):
        asked(lm)
    assert not (tmp_path / "exploded").exists()
    _Bomb().__reduce__()[0](*_Bomb().__reduce__()[1])
    assert (tmp_path / "exploded").exists(), "it would have been seen"


# --- what is repeated, and what is not ----------------------------------------------------------


@pytest.mark.parametrize("fault", [429, 503])
def test_what_was_certainly_not_accepted_is_sent_again(server: Faulty, fault: Fault) -> None:
    server.fails("arriving", fault, times=2)
    assert torch.allclose(asked(there(server, away=20.0)), plain(server))
    assert (posted(server), len(server.executed)) == (3, 1)


@pytest.mark.parametrize("fault", ["cut", 502])
@pytest.mark.parametrize("stage", ["arriving", "received"])
def test_what_may_have_been_accepted_is_not_sent_again(
    server: Faulty, stage: Stage, fault: Fault
) -> None:
    lm = there(server)
    server.fails(stage, fault)
    with pytest.raises(ServerError, match="before the server gave its id") as caught:
        asked(lm)
    assert caught.value.job is None
    assert posted(server) == 1
    assert lm.remote is not None
    assert lm.remote.jobs == ()
    assert torch.allclose(asked(lm), plain(server))


@pytest.mark.parametrize(
    ("stage", "fault"),
    [
        *(("polling", fault) for fault in ("cut", "garbage", "unknown", 429, 500, 502, 503)),
        *(("sending", fault) for fault in ("cut", "truncated", "garbage", 500, 502, 503)),
    ],
)
def test_what_only_asks_is_asked_again(server: Faulty, stage: Stage, fault: Fault) -> None:
    server.fails(stage, fault, times=2)
    assert torch.allclose(asked(there(server, away=20.0)), plain(server))
    assert len(server.happened) == 2
    assert (posted(server), len(server.executed)) == (1, 1)


def test_a_result_that_stays_unreadable(server: Faulty) -> None:
    lm = there(server)
    server.fails("sending", "truncated", times=9)
    with pytest.raises(ServerError, match="cannot be read") as caught:
        asked(lm)
    assert caught.value.job == next(iter(server.jobs))
    assert len(server.happened) == 3
    server.heals()
    assert torch.allclose(asked(lm), plain(server))


def test_nobody_there() -> None:
    with Faulty(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as server:
        lm = there(server)
        known = asked(lm)
    assert torch.equal(asked(lm), known), "what was answered before needs no server"
    assert lm.remote is not None
    lm.remote.forget()
    with pytest.raises(ServerError, match="cannot be reached") as caught:
        asked(lm)
    assert server.host in str(caught.value)
    assert caught.value.job is None


# --- by its id ----------------------------------------------------------------------------------


def held(server: Faulty, lm: mw.LM) -> str:
    """Ask, and give up while the job runs; its id."""
    server.going.clear()
    caught = list[BaseException]()

    def ask() -> None:
        try:
            asked(lm)
        except GaveUp as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert lm.remote is not None
    until = time.monotonic() + 20
    while lm.remote.status != "running" and time.monotonic() < until:
        time.sleep(0.01)
    lm.remote.cancel()
    thread.join(20)
    (error,) = caught
    assert isinstance(error, GaveUp)
    assert (error.job,) == lm.remote.jobs
    assert str(error.job) in str(error)
    server.going.set()
    return str(error.job)


def test_giving_up_leaves_the_job_which_is_asked_for_again(server: Faulty) -> None:
    lm = there(server)
    job = held(server, lm)
    assert torch.allclose(asked(lm), plain(server))
    assert (posted(server), list(server.jobs)) == (1, [job])
    assert lm.remote is not None
    assert lm.remote.jobs == ()


def test_giving_up_is_for_those_who_wait_now(server: Faulty) -> None:
    lm = there(server)
    assert lm.remote is not None
    lm.remote.cancel()
    assert torch.allclose(asked(lm), plain(server))


def test_who_gave_up_before_it_began_asks_nothing(server: Faulty) -> None:
    lm = there(server)
    assert lm.remote is not None
    remote = lm.remote

    def cancel(words: str) -> None:
        # From the thread that is about to ask.
        if words == "being sent":
            remote.cancel()

    remove = remote.listen(cancel)
    with pytest.raises(GaveUp) as caught:
        asked(lm)
    remove()
    assert (caught.value.job, posted(server), remote.jobs) == (None, 0, ())


def test_a_listener_that_fails_is_in_the_log(
    server: Faulty, caplog: pytest.LogCaptureFixture
) -> None:
    lm = there(server)
    assert lm.remote is not None
    lm.remote.listen(lambda words: words / 2)  # type: ignore[operator]
    assert torch.allclose(asked(lm), plain(server))
    assert "listens" in caplog.text
    assert "TypeError" in caplog.text


def test_another_question_is_another_job(server: Faulty) -> None:
    lm = there(server)
    held(server, lm)
    assert torch.allclose(asked(lm, 2.0), 2 * plain(server))
    assert posted(server) == 2
    assert lm.remote is not None
    assert len(lm.remote.jobs) == 1


def test_another_process_goes_on_with_a_job(server: Faulty) -> None:
    first, second = there(server), there(server)
    held(server, first)
    assert first.remote is not None
    assert second.remote is not None
    second.remote.ledger.take(first.remote.ledger.to_json())
    assert torch.allclose(asked(second), plain(server))
    assert posted(server) == 1


def test_a_job_that_the_server_forgot_is_asked_anew(server: Faulty) -> None:
    lm = there(server, connect=0.1)
    job = held(server, lm)
    del server.jobs[job]
    assert torch.allclose(asked(lm), plain(server))
    assert posted(server) == 2


def test_a_lost_job_is_asked_anew_by_one_of_all_who_share_a_folder(
    server: Faulty, tmp_path: Path
) -> None:
    """Who hears of the loss last goes on with the job that another began since."""
    first, second = (there(server, connect=0.1, cache=tmp_path) for _ in range(2))
    assert first.remote is not None
    assert second.remote is not None
    lost = held(server, first)
    second.remote.ledger.take(first.remote.ledger.to_json())
    del server.jobs[lost]
    new = held(server, first)
    assert torch.allclose(asked(second), plain(server))
    assert (posted(server), list(server.jobs)) == (2, [new])


def test_a_lost_job_in_a_folder_that_stays_as_it_is(
    server: Faulty, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = there(server, connect=0.1, cache=tmp_path)
    del server.jobs[held(server, lm)]
    monkeypatch.setattr(Path, "unlink", _refused)
    assert torch.allclose(asked(lm), plain(server))
    assert posted(server) == 2


def _refused(*_: object, **__: object) -> None:
    raise PermissionError


def test_a_job_that_takes_too_long(server: Faulty) -> None:
    lm = there(server, job=0.2)
    server.going.clear()
    with pytest.raises(ServerError, match="not finished in time") as caught:
        asked(lm)
    assert lm.remote is not None
    assert lm.remote.jobs == (caught.value.job,)
    server.going.set()
    assert torch.allclose(asked(lm), plain(server))
    assert posted(server) == 1


# --- what goes wrong, in words ------------------------------------------------------------------


def test_an_old_client(server: Faulty) -> None:
    server.oldest_client = "99.0"
    with pytest.raises(ServerError, match="these versions"):
        asked(there(server))


def test_another_model(server: Faulty, tmp_path: Path) -> None:
    random_model("gpt2").save_pretrained(tmp_path)
    tokenizer_of("gpt2").save_pretrained(tmp_path)
    lm = mw.load(str(tmp_path), remote=Server(server.host, server.key, patience=SHORT))
    for _ in range(2):
        with pytest.raises(ServerError, match="cannot load this model") as caught:
            asked(lm)
        assert str(tmp_path) in str(caught.value)
    assert posted(server) == 2


def test_a_model_with_other_modules(server: Faulty) -> None:
    lm = there(server)
    server._deployed.model._child_map["transformer"].path = "model.other"
    with pytest.raises(ServerError, match="other modules"):
        asked(lm)


def test_an_error_of_the_body_is_its_last_line(server: Faulty) -> None:
    lm = there(server)
    with pytest.raises(ServerError, match="ZeroDivisionError") as caught:
        asked(lm, 0.0)
    assert "remote='local'" in caught.value.fix
    assert caught.value.job == next(iter(server.jobs))
    assert lm.remote is not None
    assert lm.remote.jobs == ()


def test_an_address_that_is_no_server(server: Faulty) -> None:
    lm = mw.load(server.model, remote=Server(server.host + "/elsewhere", server.key))
    with pytest.raises(ServerError, match="no NDIF server"):
        asked(lm)


def test_the_server_says_whether_it_has_the_model(server: Faulty, tmp_path: Path) -> None:
    lm = there(server)
    assert mw.remote.status(lm) == "running"
    random_model("gpt2").save_pretrained(tmp_path)
    tokenizer_of("gpt2").save_pretrained(tmp_path)
    other = mw.load(str(tmp_path), remote=Server(server.host, server.key, patience=SHORT))
    assert mw.remote.status(other).startswith("not there")
    server.ready = False
    with pytest.raises(ServerError, match="cannot be reached"):
        mw.remote.status(lm)
    with pytest.raises(MediationError, match="its own models"):
        mw.remote.status(server._lm)
    assert posted(server) == 0
