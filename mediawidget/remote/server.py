"""Where a server is, with which key it is asked, and how long it is waited for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from importlib.metadata import version
from ipaddress import ip_address
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from ..errors import MediationError, require

NO_KEY = "[key]"
"""What stands in a text where a key stood."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for, in seconds.

    Attributes:
        connect: for a connection.
        answer: for the answer to one question; a result may be large.
        away: for a server that is not there, or that is too busy, before that is an error.
        job: for a result, from the question on.
        least: between two looks at a job, in the beginning.
        most: between two looks at a job, in the end; the pause grows from one to the other.

    Raises:
        MediationError: what is no number of seconds from 0.
    """

    connect: float = 10.0
    answer: float = 120.0
    away: float = 60.0
    job: float = 3600.0
    least: float = 0.1
    most: float = 2.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            require(
                number and value >= 0 and value < float("inf"),
                "Patience is counted in seconds.",
                value=f"{name}={value!r}",
                expected="a number of seconds",
                fix="mw.remote.Patience(job=3600)",
            )


class Server:
    """An NDIF server, and the key it is asked with.

    The key is looked up whenever something is asked: NDIF_API_KEY in the environment, else what
    nnsight was told (``CONFIG.set_default_api_key``). It is shown by nothing, and goes nowhere but
    into the header of a request to this server.

    Attributes:
        host: its address, without a path's end.
        patience: how long it is waited for.
    """

    def __init__(
        self,
        host: str | None = None,
        key: str | None = None,
        *,
        patience: Patience | None = None,
    ) -> None:
        """A server by its address.

        Args:
            host: default NDIF_HOST in the environment, else nnsight's own, NDIF.
            key: instead of the one that is looked up; a copy of this object has it no more.
            patience: default ``Patience()``.

        Raises:
            MediationError: no address of a server, or no key.
        """
        self.host = _address(_usual_host() if host is None else host)
        self.patience = Patience() if patience is None else patience
        if key is not None and not _plain(key):
            kind, key = type(key).__name__, None
            raise _no_key(kind)
        # In a closure, which neither vars() nor pickle nor a debugger's table of locals opens.
        self._given: Callable[[], str | None] = lambda: key

    def key(self) -> str:
        """The key as it is now; empty where there is none.

        Raises:
            MediationError: something that cannot be a key. It is not shown.
        """
        key = (self._given() or _usual_key()).strip()
        if key and not _plain(key):
            # Some tracebacks print the locals of who raises.
            key = ""
            raise _no_key("str")
        return key

    def without_key(self, text: str) -> str:
        """A text of others without the key in it: servers have been seen to repeat it."""
        key = (self._given() or _usual_key()).strip()
        return text.replace(key, NO_KEY) if key else text

    @property
    def near(self) -> bool:
        """Whether it is on this machine."""
        name = urlsplit(self.host).hostname or ""
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return name == "localhost"

    @property
    def place(self) -> str:
        """Where it is, for people: "ndif.us", "this machine"."""
        name = urlsplit(self.host).hostname or self.host
        return "this machine" if self.near else name.removeprefix("api.")

    def __repr__(self) -> str:
        return f"Server({self.host!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"host": self.host, "patience": self.patience}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._given = lambda: None


class Shown(httpx.Auth):
    """Says who asks. The key is a local of nobody who raises: some tracebacks print them."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """Called by httpx before it sends."""
        request.headers["nnsight-version"] = version("nnsight")
        request.headers["python-version"] = sys.version
        if key := self._server.key():
            request.headers["ndif-api-key"] = key
        yield request


def _plain(key: object) -> bool:
    """Whether something can stand in a header."""
    text = key if isinstance(key, str) else ""
    return bool(text) and text.isascii() and text.isprintable() and " " not in text


def _no_key(kind: str) -> MediationError:
    return MediationError(
        "A key is letters, digits and dashes.",
        value=f"a {kind} that is none (it is not shown)",
        expected="the key as the server's web page gave it",
        fix="set NDIF_API_KEY in the environment, or nnsight.CONFIG.set_default_api_key(...) once",
    )


def _usual_host() -> str:
    from nnsight import CONFIG

    return os.environ.get("NDIF_HOST") or str(CONFIG.API.HOST)


def _usual_key() -> str:
    from nnsight import CONFIG

    return os.environ.get("NDIF_API_KEY") or CONFIG.API.APIKEY or ""


def _address(host: object) -> str:
    """The address without a slash at its end, refused unless it is one."""
    text = host.strip().rstrip("/") if isinstance(host, str) else ""
    try:
        parts = urlsplit(text)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname)
        named = parts.username is not None or parts.password is not None
        _ = parts.port
    except ValueError:
        plain = named = False
    if named:
        raise MediationError(
            "The address of a server has no name and no key in it.",
            value=f"{parts.scheme}://...@{parts.hostname} (the rest is not shown)",
            expected="https://host",
            fix="set the key as NDIF_API_KEY in the environment",
        )
    if not plain or parts.query or parts.fragment:
        raise MediationError(
            "A server has an address.",
            value=repr(host)[:200],
            expected="http://host or https://host",
            fix="mw.load('openai-community/gpt2', remote=True) asks NDIF",
        )
    return text


def result_address(host: str, url: object) -> str:
    """Where the server says that something lies; empty where that is no address."""
    try:
        place = urljoin(f"{host}/", url) if isinstance(url, str) else ""
        return place if urlsplit(place).scheme in ("http", "https") else ""
    except ValueError:
        return ""
