"""The key: where it is looked up, and that it is nowhere else."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import cloudpickle
import pytest
from nnsight import CONFIG

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.remote import Patience, Server, ServerError
from mediawidget.remote.server import NO_KEY
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of

KEY = "0badc0de-1234-5678-9abc-def012345678"
ODD = "a-key-of-another-form-0badc0de"
SHORT = Patience(connect=0.3, away=0.3, job=0.3, least=0.02, most=0.1)
PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NDIF_API_KEY", raising=False)
    monkeypatch.setattr(CONFIG.API, "APIKEY", None)


@pytest.fixture
def server() -> Iterator[Faulty]:
    local = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    with Faulty(local, key=KEY) as running:
        yield running


def there(server: Faulty, key: str | None = None) -> mw.LM:
    return mw.load(server.model, remote=Server(server.host, key, patience=SHORT))


def said_by(error: BaseException | None) -> str:
    """All that any traceback could print of an error, with the locals of our own frames."""
    text = io.StringIO()
    while error is not None:
        for shown in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
            if "/tests/" not in shown.filename:
                print(shown, shown.locals, file=text)
        print(*traceback.format_exception(error), vars(error), error.args, file=text)
        error = error.__cause__ or error.__context__
    return text.getvalue()


def test_the_key_is_looked_up_when_something_is_asked(
    server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = mw.Study(there(server), PAIR)
    with pytest.raises(ServerError, match="asks a key"):
        _ = study.total
    monkeypatch.setattr(CONFIG.API, "APIKEY", "11111111-1111-1111-1111-111111111111")
    with pytest.raises(ServerError, match="does not accept the key"):
        _ = study.total
    monkeypatch.setenv("NDIF_API_KEY", f" {KEY}\n")
    assert study.total.bases.shape[-1] > 0


def test_a_key_of_ones_own_comes_first(server: Faulty, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NDIF_API_KEY", ODD)
    assert mw.Study(there(server, KEY), PAIR).total.bases.shape[-1] > 0


def test_a_server_that_repeats_the_key_is_not_repeated(server: Faulty) -> None:
    with pytest.raises(ServerError, match="does not accept the key") as caught:
        _ = mw.Study(there(server, ODD), PAIR).total
    assert NO_KEY in str(caught.value)
    assert ODD not in said_by(caught.value)


@pytest.mark.parametrize("key", ["", "two words", "ein-Schlüssel-0badc0de", "bad\nheader", 3])
def test_what_is_no_key_is_not_shown(server: Faulty, key: Any) -> None:
    with pytest.raises(MediationError, match="letters, digits") as caught:
        Server(server.host, key)
    assert not str(key) or str(key) not in str(caught.value)


def test_what_is_no_key_in_the_environment_is_not_shown(
    server: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NDIF_API_KEY", "0badc0de with words")
    with pytest.raises(MediationError, match="letters, digits") as caught:
        _ = mw.Study(there(server), PAIR).total
    assert "0badc0de" not in said_by(caught.value)


def test_an_address_with_a_key_in_it_is_refused_and_not_shown() -> None:
    for host in (f"https://{KEY}@host", f"https://name:{KEY}@host:80/x"):
        with pytest.raises(MediationError, match="no key in it") as caught:
            Server(host)
        assert KEY not in str(caught.value)


# --- nowhere else -------------------------------------------------------------------------------


def pickled(value: Any) -> str:
    """What every way to write an object down gives; nothing where it refuses."""
    found = ""
    for dump in (pickle.dumps, cloudpickle.dumps):
        with suppress(Exception):
            found += dump(value).decode("latin-1")
    return found


def coded(study: mw.Study) -> str:
    """The script of a study, or why there is none."""
    try:
        return study.to_code()
    except MediationError as error:
        return said_by(error)


def shown(lm: mw.LM, study: mw.Study, folder: Path) -> dict[str, str]:
    """Everything that a person or a program would look at after some work."""
    remote, file = lm.remote, folder / "study.json"
    assert remote is not None
    study.save(file)
    page = mw.Explorer(study)
    return {
        "repr": repr((lm, remote, remote.server, study, remote.ledger, remote.statuses, page)),
        "vars": repr([vars(one) for one in (lm, remote, remote.server, remote.ledger)]),
        "backend": repr(vars(remote.backend())),
        "describe": lm.describe(),
        "html": study._repr_html_(),
        "code": coded(study),
        "file": file.read_text(),
        "folder": "".join(p.read_text("latin-1") for p in folder.rglob("*") if p.is_file()),
        "pickle": "".join(map(pickled, (remote.server, remote, lm, study, remote.ledger))),
        "copies": repr(vars(copy.deepcopy(remote.server))) + copy.copy(remote.server).key(),
        "traits": repr({name: getattr(page, name) for name in page.traits()}),
        "state": json.dumps(page.get_state(), default=repr),
        "history": repr(list(study.history)),
        "jobs": repr(remote.ledger.to_json()),
    }


def test_after_some_work_the_key_is_nowhere(
    server: Faulty, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: Any
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "nnsight", "mediawidget"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    keyed = Server(server.host, KEY)
    lm = mw.load(server.model, remote=keyed, cache=tmp_path)
    study = mw.Study(lm, PAIR)
    study.sweep("head")
    study.intervene({mw.Site("head", 2, head=1): mw.Patch()})
    found = {**shown(lm, study, tmp_path), "logs": caplog.text, "printed": str(capfd.readouterr())}
    assert "HTTP" in found["logs"], "httpx was heard"
    assert len(found["pickle"]) > 100, "something was pickled"
    assert {name for name, text in found.items() if KEY in text} == set()
    assert not any(KEY.encode() in job.blob for job in server.jobs.values())
    assert all(KEY not in json.dumps(job.request.model_dump()) for job in server.jobs.values())


def _closed(server: Faulty) -> None:
    server.close()


def _echo(server: Faulty) -> None:
    server._deployed.refuse_another = _raises(f"no model for {KEY}")  # type: ignore[method-assign]


def _raises(text: str) -> Callable[..., None]:
    def refuse(*_: Any) -> None:
        raise RuntimeError(text)

    return refuse


TROUBLES: dict[str, Callable[[Faulty], object]] = {
    "away": _closed,
    "busy": lambda server: server.fails("arriving", 503, times=99),
    "cut": lambda server: server.fails("received", "cut"),
    "garbage": lambda server: server.fails("received", "garbage"),
    "refused": lambda server: server.fails("arriving", 400),
    "broken": lambda server: server.fails("arriving", 500),
    "unknown": lambda server: server.fails("polling", "unknown", times=99),
    "stale": lambda server: server.fails("polling", "garbage", times=99),
    "late": lambda server: server.going.clear(),
    "truncated": lambda server: server.fails("sending", "truncated", times=99),
    "old": lambda server: setattr(server, "oldest_client", "99.0"),
    "echo": _echo,
}


@pytest.mark.parametrize("kind", list(TROUBLES))
def test_no_error_shows_the_key(
    server: Faulty, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    study = mw.Study(there(server, KEY), PAIR)
    TROUBLES[kind](server)
    try:
        with pytest.raises(ServerError) as caught:
            _ = study.total
    finally:
        server.going.set()
    assert KEY not in said_by(caught.value)
    assert KEY not in caplog.text
    if kind == "echo":
        assert NO_KEY in str(caught.value)
    if kind == "away":
        # What closes twice at the end would wait for a thread that is no more.
        server.close = lambda: None  # type: ignore[method-assign]


def test_the_key_goes_to_no_other_server(server: Faulty) -> None:
    seen = list[dict[str, str]]()

    class Elsewhere(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append({name.lower(): value for name, value in self.headers.items()})
            data = server.result(self.path.strip("/"))
            assert data is not None
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    store = HTTPServer(("127.0.0.1", 0), Elsewhere)
    Thread(target=store.serve_forever, daemon=True).start()
    say, place = server.say, f"http://127.0.0.1:{store.server_address[1]}"

    def elsewhere(job: Any, status: Any, words: str = "", data: Any = None) -> None:
        say(job, status, words, data and f"{place}/{job.id}")

    server.say = elsewhere  # type: ignore[method-assign]
    server._line._say = elsewhere
    try:
        assert mw.Study(there(server, KEY), PAIR).total.bases.shape[-1] > 0
    finally:
        store.shutdown()
        store.server_close()
    assert seen
    assert all("ndif-api-key" not in headers for headers in seen)
    assert KEY not in repr(seen)
