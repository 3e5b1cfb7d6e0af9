"""What a server sends is read as far as there is room for it, and then no further."""

from __future__ import annotations

import gzip
import io
import itertools
import pickle
import threading
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import torch
import zstandard

import mediawidget as mw
from mediawidget.remote import GaveUp, Patience, Server, ServerError, bodies
from mediawidget.remote.loopback import Answers
from mediawidget.remote.statuses import FETCHING
from tests.remoting.faults import Faulty
from tests.remoting.keeping import posted
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu")
SITE = mw.Site("head", 2, head=1)
QUICK = Patience(connect=2.0, answer=20.0, away=2.0, job=60.0, least=0.01, most=0.05)
MOST = 2**20


class Flood(Faulty):
    """Sends what it is told to in the place of an answer.

    Attributes:
        flood: at which stage it sends zeros without an end.
        words: what it says of the last job before them, "%s" being its id.
        claimed: how long it says that its answer is.
        instead: the bytes of every result.
        sent: how many bytes of zeros.
        pause: seconds between two pieces of them.
    """

    flood = ""
    words = ""
    claimed: int | None = None
    instead: bytes | None = None
    sent = 0
    pause = 0.0

    def heals(self) -> None:
        super().heals()
        self.flood, self.instead, self.sent, self.pause = "", None, 0, 0.0
        self.words, self.claimed = "", None

    def result(self, name: str) -> bytes | None:
        known = super().result(name)
        return known if self.instead is None else self.instead

    def interferes(self, stage: str, answers: Answers, data: bytes = b"") -> bool:
        if stage != self.flood:
            return super().interferes(stage, answers, data)
        answers.send_response(200)
        if self.claimed is not None:
            answers.send_header("Content-Length", str(self.claimed))
        answers.end_headers()
        try:
            answers.wfile.write(self.words.replace("%s", [*self.jobs][-1]).encode())
            while True:
                self.sent += answers.wfile.write(bytes(2**14))
                # Whoever reads it is a thread of this process, and is to get on too.
                time.sleep(self.pause)
        except OSError:
            answers.hang_up()
        return True


@pytest.fixture(scope="module")
def running() -> Iterator[Flood]:
    with Flood(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as server:
        yield server


@pytest.fixture
def study(server: Flood) -> mw.Study:
    """A study whose server is proven."""
    where = Server(server.host, server.key, patience=QUICK)
    study = mw.Study(mw.load(server.model, remote=where, dtype=torch.float64), PAIR)
    study.engine.prove()
    return study


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where little memory is free."""
    monkeypatch.setattr(bodies, "RESULT", MOST)
    monkeypatch.setattr(bodies, "MESSAGE", MOST)


def remote_of(study: mw.Study) -> Any:
    assert study.lm.remote is not None
    return study.lm.remote


# --- of a whole request -------------------------------------------------------------------------


@pytest.mark.usefixtures("narrow")
def test_a_result_without_an_end_is_not_read_to_its_end(server: Flood, study: mw.Study) -> None:
    server.flood = "sending"
    with pytest.raises(ServerError, match="more than there is room for") as caught:
        study.intervene(SITE)
    assert f"more than {MOST:,} bytes" in str(caught.value)
    assert "budget" in caught.value.fix
    # What lies in the buffers of both ends is sent before the line is closed.
    assert server.sent < MOST + 2**25
    assert remote_of(study).jobs == ()
    server.heals()
    assert study.intervene(SITE).edited.size


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize("told", [True, False])
def test_a_result_that_unpacks_to_any_size_is_not_unpacked(
    server: Flood, study: mw.Study, told: bool
) -> None:
    server.instead = bomb(2**30, told=told)
    assert len(server.instead) < MOST
    with pytest.raises(ServerError, match="more than there is room for"):
        study.intervene(SITE)
    assert remote_of(study).jobs == ()


@pytest.mark.parametrize("kind", ["packed", "counted"])
def test_a_file_of_torch_that_grows_when_it_is_read_is_none(
    server: Flood, study: mw.Study, kind: str
) -> None:
    server.instead = zstandard.compress(growing(kind))
    with pytest.raises(ServerError, match="cannot be read"):
        study.intervene(SITE)


def test_a_status_without_an_end_is_not_read_to_its_end(server: Flood, study: mw.Study) -> None:
    server.flood = "polling"
    with pytest.raises(ServerError, match="more than there is room for"):
        study.intervene(SITE)
    assert server.sent < bodies.MESSAGE + 2**25


@pytest.mark.parametrize("told", [None, 10**12])
def test_an_answer_to_a_request_without_an_end_keeps_the_jobs_id(
    server: Flood, study: mw.Study, told: int | None
) -> None:
    expected = mw.Study(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2")), PAIR)
    server.flood, server.claimed = "received", told
    server.words = '{"status": "RECEIVED", "data": null, "id": "%s", "description": "'
    n = posted(server)
    with pytest.raises(ServerError, match="larger than there is room for") as caught:
        study.intervene(SITE)
    assert server.sent < bodies.MESSAGE + 2**25
    assert "asked for by its id" in caught.value.fix
    assert remote_of(study).jobs == (caught.value.job,)
    assert caught.value.job in server.jobs
    server.heals()
    found = study.intervene(SITE).edited
    assert posted(server) == n + 1, "the same job, not another"
    assert remote_of(study).jobs == ()
    np.testing.assert_allclose(found, expected.intervene(SITE).edited, atol=1e-9)


@pytest.mark.parametrize(
    "words", ["", "[", '{"data": {"id": "%s"}, "x": "', '{"id": "../%s", "x": "']
)
def test_an_answer_without_an_end_and_without_an_id_says_so(
    server: Flood, study: mw.Study, words: str
) -> None:
    server.flood, server.words = "received", words
    with pytest.raises(ServerError, match="do not begin with the id") as caught:
        study.intervene(SITE)
    assert "runs twice" in caught.value.fix
    assert (caught.value.job, remote_of(study).jobs) == (None, ())
    server.heals()
    assert study.intervene(SITE).edited.size


def test_who_gives_up_does_not_wait_for_the_end_of_a_result(server: Flood, study: mw.Study) -> None:
    server.flood, server.pause = "sending", 0.01
    remote, caught = remote_of(study), list[BaseException]()

    def ask() -> None:
        try:
            study.intervene(SITE)
        except ServerError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    # Of its own: what another test did not read to its end may be sent still.
    while remote.status != FETCHING or not server.sent:
        assert thread.is_alive()
        time.sleep(0.01)
    remote.cancel()
    thread.join(60)
    assert [type(error) for error in caught] == [GaveUp]
    assert len(remote.jobs) == 1


# --- of its parts -------------------------------------------------------------------------------


def test_a_body_is_given_as_it_was_sent() -> None:
    """Also one that is packed: httpx would unpack it whole, whatever it becomes."""
    sent = gzip.compress(bytes(2**20))
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=iter([sent]))
    assert received(response) == sent


def test_a_body_that_drips_has_an_end() -> None:
    response = httpx.Response(200, content=itertools.repeat(b"."))
    with pytest.raises(httpx.ReadTimeout, match="no end after 0 s"):
        bodies.received(response, MOST, 0.05, threading.Event())


def test_a_body_that_is_told_to_be_too_large_is_not_read() -> None:
    read = list[bytes]()

    def pieces() -> Iterator[bytes]:
        read.append(b".")
        yield b"."

    response = httpx.Response(200, headers={"Content-Length": str(MOST + 1)}, content=pieces())
    with pytest.raises(bodies.TooMuchError):
        received(response)
    assert read == []


@pytest.mark.parametrize("n", [0, 1, MOST])
def test_what_fits_is_unpacked_to_the_last_byte(n: int) -> None:
    known = bytes(range(256)) * (n // 256) + b"." * (n % 256)
    assert bodies.decompressed(zstandard.compress(known), MOST).read() == known
    with pytest.raises(bodies.TooMuchError):
        bodies.decompressed(zstandard.compress(known + b"."), n)


def test_what_was_cut_is_not_taken_for_whole() -> None:
    content = zstandard.compress(torch.arange(10_000).numpy().tobytes())
    with pytest.raises(zstandard.ZstdError):
        bodies.decompressed(content[:-10], MOST)


def test_room_is_a_share_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "budget_bytes", lambda _: 3 * 2**20)
    assert bodies.largest() == 2 * 2**20
    monkeypatch.setattr(bodies, "budget_bytes", lambda _: 2**40)
    assert bodies.largest() == bodies.RESULT


def test_what_torch_writes_lies_flat() -> None:
    for known in ({"a": torch.ones(2, 3)}, {"b": [1.0, torch.ones(2).topk(1)]}, {}):
        file = io.BytesIO()
        torch.save(known, file)
        file.seek(0)
        assert bodies.lies_flat(file)
        assert file.tell() == 0
    assert not bodies.lies_flat(io.BytesIO(growing("packed")))
    assert not bodies.lies_flat(io.BytesIO(growing("counted")))


def received(response: httpx.Response) -> bytes | None:
    return bodies.received(response, MOST, 10.0, threading.Event())


def bomb(n: int, *, told: bool) -> bytes:
    """So many zeros, packed; whether it says how many."""
    piece, packer = bytes(2**20), zstandard.ZstdCompressor()
    writer = packer.compressobj(size=n) if told else packer.compressobj()
    return b"".join([*(writer.compress(piece) for _ in range(n // len(piece))), writer.flush()])


def growing(kind: str) -> bytes:
    """A file that torch reads, with values that are larger than it."""
    plain, file = io.BytesIO(), io.BytesIO()
    torch.save({"kept": torch.zeros(10**6)}, plain)
    way = zipfile.ZIP_DEFLATED if kind == "packed" else zipfile.ZIP_STORED
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(file, "w", way) as new:
        for name in old.namelist():
            counted = kind == "counted" and name.endswith("data.pkl")
            if kind == "packed" or not name.endswith("data/0"):
                new.writestr(
                    name, pickle.dumps({"kept": _Counted()}, 2) if counted else old.read(name)
                )
    found = file.getvalue()
    assert len(found) < 10**4
    # Torch does read it.
    assert torch.load(io.BytesIO(found), weights_only=True)["kept"] is not None
    return found


class _Counted:
    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (10**6,)
