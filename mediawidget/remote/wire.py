"""Questions over HTTP: what is repeated, and what must not be."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx
from nnsight.schema.request import RequestModel
from nnsight.schema.response import ResponseModel

from . import trouble
from .bodies import MESSAGE, TooMuchError, largest, received
from .ledger import first_id, is_id
from .server import Patience, Server, Shown, result_address
from .statuses import AWAY, BUSY
from .traffic import Counter

_NOTHING_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_BUSY = (429, 503)
"""The server says that it took nothing."""
_BETWEEN = (502, 504)
"""Something between us and the server says that it knows nothing of it."""
_PASSING = (*_BUSY, *_BETWEEN, 500)
"""Of a question that may be asked again: it may well be answered then."""
_GONE = (403, 404, 410)
_READINGS = 3
"""How often what cannot be read is read."""

T = TypeVar("T")
Say = Callable[[str], None]


@dataclass(frozen=True)
class _Answer:
    """What came of one question: a response, or in words why there is none.

    Attributes:
        cut: there was more of the response than there is room for.
    """

    response: httpx.Response | None
    why: str = ""
    sent: bool = True
    cut: bool = False

    @property
    def code(self) -> int:
        return 0 if self.response is None else self.response.status_code


class Wire:
    """A connection to a server, for one request.

    Args:
        server: which, and its key.
        say: what is told of what goes on.
        stop: set where nobody waits any more.
        counter: counts what is asked.
        patience: instead of the server's.
    """

    def __init__(
        self,
        server: Server,
        say: Say,
        stop: threading.Event,
        counter: Counter | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        self.server, self.say, self.stop = server, say, stop
        self._patience = server.patience if patience is None else patience
        self._counter = Counter() if counter is None else counter

    def __enter__(self) -> Self:
        timeout = httpx.Timeout(self._patience.answer, connect=self._patience.connect)
        # What is on this machine is asked without anybody's proxy.
        self._client = httpx.Client(
            timeout=timeout,
            trust_env=not self.server.near,
            headers={"Accept-Encoding": "identity"},
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.close()

    # --- questions ----------------------------------------------------------------------------

    def submit(self, request: RequestModel, blob: bytes) -> str:
        """Hand in a job; its id. Repeated only where it certainly was not accepted.

        Raises:
            ServerError: nobody there, turned away, or nobody knows whether it was accepted. With a
                ``job`` it was, and what the server says of it is too large.
        """
        host, patience = self.server.host, self._patience
        data = {"data": request.metadata()}
        files = {"blob": ("request", blob, "application/octet-stream")}
        for seconds in self._tries(None):
            stamp = {"ndif-timestamp": repr(time.time())}
            answer = self._once("POST", "/request", data=data, files=files, headers=stamp)
            if answer.response is None and answer.sent:
                raise trouble.uncertain(host, answer.why)
            if answer.response is None:
                if seconds >= patience.connect:
                    raise trouble.unreachable(host, answer.why, seconds)
                self.say(AWAY)
                continue
            if answer.code in _BETWEEN:
                raise trouble.uncertain(host, f"{answer.code} {answer.response.reason_phrase}")
            if answer.code in _BUSY and seconds < patience.away:
                self.say(BUSY)
                continue
            return self._accepted(answer.response, cut=answer.cut)
        raise AssertionError  # tries do not end

    def _accepted(self, response: httpx.Response, *, cut: bool) -> str:
        if not response.is_success:
            raise self._turned_away(response, None)
        if cut:
            raise trouble.long_winded(self.server.host, first_id(response.text), MESSAGE)
        found = self._status(response)
        if found is None or not is_id(found.id):
            raise trouble.unreadable(self.server.host, None, "its answer has no id of a job")
        return str(found.id)

    def look(self, job: str) -> ResponseModel | None:
        """What the server said last of a job; None while it knows nothing of it."""

        def read(response: httpx.Response) -> ResponseModel | Literal["unknown"] | None:
            if response.status_code == 404:
                return "unknown"
            said = self._status(response) if response.is_success else None
            # What is said of another job, by a proxy that keeps pages, is nothing of this one.
            return said if said is not None and said.id == job else None

        found = self._patiently(f"/response/{job}", job, read)
        return found if isinstance(found, ResponseModel) else None

    def fetch(self, url: object, job: str, opened: Callable[[bytes], T | None]) -> T:
        """What came of a job, from where the server says that it lies.

        Args:
            url: of the result.
            job: the id.
            opened: makes something of the bytes; None where they are not whole. It raises
                ``TooMuchError`` where it would become too much.
        """
        place = result_address(self.server.host, url)
        if not place:
            raise trouble.unreadable(self.server.host, job, "the result has no address")

        def read(response: httpx.Response) -> T | None:
            if response.status_code in _GONE:
                why = f"its result is gone, {response.status_code}"
                raise trouble.lost(self.server.host, job, why)
            try:
                return opened(response.content) if response.is_success else None
            except TooMuchError as error:
                raise trouble.too_large(self.server.host, job, error.most) from None

        # The address opens what lies there, and is another's perhaps: it gets no key.
        try:
            return self._patiently(place, job, read, key=False, most=largest())
        except trouble.TooLargeError:
            raise
        except trouble.GarbledError as error:
            raise trouble.unreadable(self.server.host, job, error.why) from None

    def ask(self, path: str) -> Any:
        """What stands at a path of the server, read as JSON.

        Raises:
            ServerError: it does not answer, or not in JSON.
        """
        return self._patiently(path, None, _json)

    # --- inside -------------------------------------------------------------------------------

    def _patiently(
        self,
        place: str,
        job: str | None,
        read: Callable[[httpx.Response], T | None],
        *,
        key: bool = True,
        most: int = MESSAGE,
    ) -> T:
        """Read a place, again and again until there is an answer that can be read.

        Raises:
            GarbledError: there is none, however often it is read.
        """
        host, patience, unread = self.server.host, self._patience, 0
        for seconds in self._tries(job):
            answer = self._once("GET", place, job, key=key, most=most)
            response = answer.response
            if response is not None and answer.code not in _PASSING:
                found = read(response)
                if found is not None:
                    return found
                if not response.is_success:
                    raise self._turned_away(response, job)
                # A proxy may have cut it; what is so for good is not read for a minute.
                unread += 1
                if unread == _READINGS:
                    why = f"{len(response.content)} bytes that say nothing"
                    raise trouble.garbled(host, job, why)
            elif seconds >= patience.away:
                why = answer.why or f"it answers {answer.code}"
                raise trouble.unreachable(host, why, seconds, job)
            self.say(AWAY)
        raise AssertionError  # tries do not end

    def _once(
        self,
        method: str,
        place: str,
        job: str | None = None,
        *,
        key: bool = True,
        most: int = MESSAGE,
        **options: Any,
    ) -> _Answer:
        url = place if "://" in place else self.server.host + place
        options["auth"] = Shown(self.server) if key else None
        # An answer that says whether a job was accepted is waited for by whoever gave up, too.
        asks = method == "GET"
        stop = self.stop if asks else threading.Event()
        cut = False
        try:
            with self._client.stream(method, url, **options) as response:
                content = received(response, most, self._patience.job, stop, begin=not asks)
        except _NOTHING_SENT as error:
            return _Answer(None, self._said(error), sent=False)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            # What is raised of it later on does not hold it: its request holds the key.
            return _Answer(None, self._said(error))
        except TooMuchError as error:
            if asks:
                raise trouble.too_large(self.server.host, job, error.most) from None
            # A job may have been accepted, and its id be in what was read.
            content, cut = error.start, True
        self._counter.add(response)
        if content is None:
            raise trouble.gave_up(job)
        kind = {"Content-Type": response.headers.get("Content-Type", "")}
        found = httpx.Response(response.status_code, headers=kind, content=content)
        return _Answer(found, cut=cut)

    def _said(self, error: Exception) -> str:
        return self.server.without_key(f"{type(error).__name__} {error}".strip())

    def _tries(self, job: str | None) -> Iterator[float]:
        """The seconds since the first try, with pauses in between that grow."""
        began, pause = time.monotonic(), 0.2
        if self.stop.is_set():
            raise trouble.gave_up(job)
        yield 0.0
        while True:
            # Not all who wait ask again at the same moment.
            if self.stop.wait(pause * random.uniform(0.5, 1.0)):
                raise trouble.gave_up(job)
            yield time.monotonic() - began
            pause = min(pause * 2, 5.0)

    def _status(self, response: httpx.Response) -> ResponseModel | None:
        """What the server says of a job; None where it is nothing of the kind."""
        try:
            return ResponseModel.model_validate_json(self.server.without_key(response.text))
        except ValueError:
            return None

    def _turned_away(self, response: httpx.Response, job: str | None) -> trouble.ServerError:
        text = response.text
        try:
            body = response.json()
        except ValueError:
            body = None
        if isinstance(body, dict) and "detail" in body:
            text = str(body["detail"])
        elif "<html" in text.lower():
            text = response.reason_phrase
        said = self.server.without_key(text)
        return trouble.turned_away(self.server.host, response.status_code, said, job)


def _json(response: httpx.Response) -> Any:
    try:
        return response.json() if response.is_success else None
    except ValueError:
        return None
