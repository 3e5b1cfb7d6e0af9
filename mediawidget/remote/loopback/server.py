"""A server on this machine that speaks NDIF's protocol."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import UUID, uuid4

from nnsight.schema.response import ResponseModel, Status

from ...errors import MediationError, require
from ...lm import LM
from ..server import Server
from .answers import Answers
from .deployed import Deployed, in_words
from .door import Door
from .frames import Socket
from .jobs import Job, Line
from .saved import named, on_hub, save_without_weights

INLINE = 1 << 23
"""Bytes up to which a listener at a websocket is handed a result itself, not its URL."""


@dataclass
class Exchange:
    """One request over HTTP and its answer.

    Attributes:
        method: "GET" or "POST".
        path: what was asked for.
        received: bytes of the request's body, headers not counted.
        sent: bytes of the answer's body.
        status: of the answer; 0 where there was none.
        at: when, in seconds of a clock that only goes forward.
    """

    method: str
    path: str
    received: int = 0
    sent: int = 0
    status: int = 0
    at: float = 0.0

    @property
    def route(self) -> str:
        """The path's first part: "request", "response", "result", "subscribe", "status"."""
        return self.path.strip("/").partition("?")[0].partition("/")[0]


class Loopback:
    """A server on 127.0.0.1 that runs traces on a model of this machine, as NDIF would.

    For trying out a remote study without a key, and for tests. In a notebook, ``loopback.open()``
    in one cell and ``loopback.close()`` in another.

    One job runs at a time, on a thread of this process, and on modules of its own around the
    model's weights. Results and the statuses of jobs are kept until it is closed.

    It runs the code that it is sent. So it listens on this machine alone, and to nobody without
    its key. That code is kept apart from nothing: not from this process, nor from its files.

    Args:
        lm: an ``LM``, as loaded on this machine.
        key: what a client shows; default a random one.
        delay: seconds that every job takes longer, so that its statuses can be watched.

    Attributes:
        host: where it listens, "http://127.0.0.1:PORT"; "" before it is opened.
        key: as above.
        model: what a client loads: the name of ``lm`` on the hub, if it is the same there; else
            a folder with its config and its tokenizer, and no weights.
        name, revision: what it goes by, also in views and files: the same for the same weights in
            any session.
        requests: every exchange so far, the first one first.
        jobs: id -> job, in the order in which they came.
        executed: the digest of every body that was run, as often as it was.
        ready: while False it answers 503, as a server does whose machines are away.
        oldest_client: the least version of nnsight that it serves; None for any.

    Raises:
        MediationError: no model of this machine, or a key that is no UUID.

    Example:
        >>> with mw.remote.Loopback(mw.load()) as loopback:
        ...     lm = mw.load(loopback.model, remote=loopback)
        ...     print(len(lm.next_tokens("Mary went to the", n=3)))
        3
    """

    ready = True
    oldest_client: str | None = None

    def __init__(self, lm: Any, *, key: str | None = None, delay: Any = 0.0) -> None:
        require(
            isinstance(lm, LM) and lm.backend is None,
            "A loopback server needs a model with its weights.",
            value=lm,
            expected="an LM of this machine",
            fix="mw.remote.Loopback(mw.load())",
        )
        require(
            isinstance(delay, int | float) and delay >= 0,
            "A job cannot take less time than it does.",
            value=delay,
            expected="seconds, 0 or more",
            fix="Loopback(lm, delay=0.5)",
        )
        self.key = _key(key)
        self.host = ""
        self.model = self.name = lm.origin[0] if on_hub(lm) else ""
        self.revision = (lm.origin or ("", None))[1]
        self.requests: list[Exchange] = []
        self.jobs: dict[str, Job] = {}
        self.executed: list[str] = []
        self._lm, self._delay = lm, float(delay)
        self._closed = False
        self._listeners: dict[str, tuple[Socket, Exchange]] = {}

    def __enter__(self) -> Self:
        return self.open()

    def open(self) -> Self:
        """Begin to listen, until ``close`` is called.

        Raises:
            MediationError: it did already.
        """
        require(
            not self.host,
            "A loopback server is opened once.",
            value=self.host,
            expected="a server that was not opened",
            fix="Loopback(lm)",
        )
        self._folder = tempfile.TemporaryDirectory(prefix="loopback-")
        if not self.model:
            served = named(self._lm)
            self.model = str(Path(self._folder.name) / "model")
            self.name, self.revision = served.name, served.revision
            save_without_weights(self._lm, self.model, served)
        self._deployed = Deployed(self._lm, self.name, self.revision, self.model)
        self._line = Line(self._run, self.say, self._delay)
        self._door = Door(self)
        self._thread = threading.Thread(
            target=self._door.serve_forever, args=(0.05,), name="loopback server", daemon=True
        )
        self.host = f"http://127.0.0.1:{self._door.server_address[1]}"
        self._line.thread.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def server(self) -> Server:
        """Its address and its key together, as ``load(remote=...)`` takes them, while open.

        Raises:
            MediationError: it is not open.
        """
        opened, fix = self.host and not self._closed, "mw.remote.Loopback(lm).open()"
        require(bool(opened), "Nobody listens.", value=self, expected="one that is open", fix=fix)
        return Server(self.host, self.key)

    def close(self) -> None:
        """Stop listening, end with the job that runs, forget the results. Once closed, nothing."""
        if self._closed or not self.host:
            return
        self._closed = True
        self._door.shutdown()
        self._thread.join()
        self._line.close()
        self._door.hang_up()
        self._door.server_close()
        self._folder.cleanup()

    def __repr__(self) -> str:
        where = "closed" if self._closed else self.host or "not opened"
        return f"Loopback({self.name or self._lm.name!r}, {where})"

    # --- what may be changed about it, in tests -----------------------------------------------

    def interferes(self, stage: str, answers: Answers, data: bytes = b"") -> bool:  # noqa: ARG002
        """Whether something else was done than to answer; here never.

        Stages: "arriving" (before a body is read), "received" (a job is taken, nothing is
        answered), "polling", "sending" (with a result's bytes).

        Args:
            stage: how far the exchange is, one of these four.
            answers: the request, and how it is answered.
            data: what is to be sent.
        """
        return False

    def altered(self, saved: dict[str, Any]) -> dict[str, Any]:
        """The values of a job as they leave; here as they are."""
        return saved

    # --- for the connections ------------------------------------------------------------------

    def opened(self, method: str, path: str) -> Exchange:
        """Note that a request begins.

        Args:
            method: "GET" or "POST".
            path: what is asked for.

        Returns:
            Its record in ``requests``.
        """
        self.requests.append(Exchange(method, path, at=time.monotonic()))
        return self.requests[-1]

    def take(self, job: Job) -> Job:
        """Queue a job."""
        self.jobs[job.id] = job
        self._line.put(job)
        return job

    def result(self, name: str) -> bytes | None:
        """The bytes that a job gave."""
        job = self.jobs.get(name)
        if job is None or job.result is None:
            return None
        return self._place(job).read_bytes()

    def told(self, route: str) -> dict[str, Any]:
        """What it says of itself: "status", "env" or "connected"."""
        if route == "connected":
            return {"status": "connected"}
        if route == "env":
            from nnsight.ndif import get_local_env

            return get_local_env()  # type: ignore[no-any-return]
        deployed = self._deployed
        entry = {
            "application_state": "RUNNING",
            "deployment_level": "HOT",
            "model_key": deployed.key,
            "repo_id": deployed.name,
            "task": deployed.model.task,
            "revision": deployed.revision,
            "dtype": str(self._lm.dtype).removeprefix("torch."),
        }
        return {"deployments": {f"ModelActor:{deployed.name}": entry}, "cluster": {"nodes": {}}}

    @contextmanager
    def listening(self, session: str, wire: Socket, exchange: Exchange) -> Iterator[None]:
        """Send a session's statuses to a websocket inside.

        Args:
            session: the id that jobs name.
            wire: the websocket.
            exchange: the record of its request, which counts what is sent.
        """
        self._listeners[session] = (wire, exchange)
        try:
            yield
        finally:
            del self._listeners[session]

    # --- jobs ---------------------------------------------------------------------------------

    def say(self, job: Job, status: Status, words: str = "", data: Any = None) -> None:
        """Tell of a job: at its websocket, or to whoever asks for it.

        Args:
            job: what is told of.
            status: where it is.
            words: for people.
            data: the result as bytes, or where it is to be had.
        """
        response = ResponseModel(id=job.id, status=status, description=words, data=data)
        if status != Status.LOG:
            job.response = response
        listener = self._listeners.get(job.request.session_id)
        if listener is None:
            return
        wire, exchange = listener
        inline = isinstance(data, bytes)
        # Whoever left is told nothing.
        with suppress(OSError, ValueError):
            exchange.sent += wire.send(response.pickle() if inline else response.model_dump_json())

    def _run(self, job: Job) -> None:
        """Run a job and say how it ended."""

        def log(words: str) -> None:
            self.say(job, Status.LOG, words)

        try:
            self._deployed.refuse_another(job.request.model_key)
            self._deployed.refuse_changed()
            self.executed.append(job.digest)
            label = f"<request {job.id}>"
            blob = self._deployed.run(job.request, job.blob, label, log, self.altered)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender is told
            self.say(job, Status.ERROR, in_words(error))
            return
        self._place(job).write_bytes(blob)
        job.result = len(blob)
        inline = job.request.session_id and len(blob) <= INLINE
        data = blob if inline else f"{self.host}/result/{job.id}"
        self.say(job, Status.COMPLETED, "Your job has been completed.", data)

    def _place(self, job: Job) -> Path:
        return Path(self._folder.name) / f"{job.id}.pt"


def _key(key: str | None) -> str:
    """A key of NDIF's form."""
    if key is None:
        return str(uuid4())
    try:
        return str(UUID(key))
    except (AttributeError, TypeError, ValueError):
        raise MediationError(
            "A server's key is a UUID.",
            value=f"{type(key).__name__} of another form",
            expected="xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx, or None for a random one",
            fix="Loopback(lm)",
        ) from None
