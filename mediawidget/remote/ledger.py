"""Which questions a server is working on: what asks the same goes on with the job there is."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import reading
from .folders import get, put, turn

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
"""Of a job. It becomes a part of an address, so there is nothing else in it."""

_FIRST_ID = re.compile(
    r'\s*\{(?:\s*"[^"\\]*"\s*:\s*(?:"(?:[^"\\]|\\.)*"|[-+.\w]+)\s*,)*?\s*"id"\s*:\s*"([^"\\]*)"'
)
"""In an object of JSON that was cut: the member "id", with plain values before it."""

FOLDER = "jobs"
_MOST = 10_000
"""Bytes of the file of one job."""


def is_id(text: object) -> bool:
    """Whether something may be the id of a job."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None and set(text) != {"."}


def first_id(text: str) -> str | None:
    """The id of the job that a message is of, though its end is missing; None where there is none.

    Args:
        text: the start of what a server said, in JSON.
    """
    found = _FIRST_ID.match(text[:_MOST])
    return found[1] if found is not None and is_id(found[1]) else None


class Ledger:
    """The open jobs of one server: digest of the question -> id.

    With a folder every entry is a small file too, from the moment that the id is known, so that a
    kernel that dies does not take it along. Ids are no keys, but whoever has one may read what
    came of the job.

    Attributes:
        host: the address of the server.
        folder: where the entries are kept as files too; None: in memory alone.
    """

    def __init__(self, host: str, folder: Path | None = None) -> None:
        self.host = host
        self._open: dict[str, str] = {}
        self._folder = None if folder is None else folder / FOLDER
        self._lock = threading.Lock()

    @property
    def jobs(self) -> dict[str, str]:
        """The open jobs, digest -> id."""
        with self._lock:
            return dict(self._open)

    @contextmanager
    def turn(self, digest: str | None, stop: threading.Event) -> Iterator[None]:
        """While a question is looked up and handed in: one at a time of all who share the folder.

        A few questions have a turn in common, so that there are few files.

        Args:
            digest: of the question; None waits for nobody.
            stop: gives the waiting up, once it is set.
        """
        if self._folder is None or digest is None:
            yield
            return
        with turn(self._folder / f"{digest[:1]}.turn", stop):
            yield

    def find(self, digest: str) -> str | None:
        """The id of the job that works on a question."""
        with self._lock:
            found = self._open.get(digest)
        if found is not None or self._folder is None:
            return found
        return _read(self._folder / f"{digest}.json", self.host)

    def add(self, digest: str, job: str) -> None:
        """Note that a job was accepted.

        Args:
            digest: of the question.
            job: the id that the server gave it.
        """
        with self._lock:
            self._open[digest] = job
        if self._folder is not None:
            data = {"host": self.host, "job": job}
            # A folder that is only read keeps nothing: this process knows the id.
            with suppress(OSError):
                put(self._folder / f"{digest}.json", json.dumps(data).encode())

    def forget(self, digest: str, job: str | None = None) -> None:
        """Note that nobody needs to ask for a job again.

        Args:
            digest: of the question.
            job: which; another that was begun for it since stays. Default, whichever it is.
        """
        with self._lock:
            if job in (None, self._open.get(digest)):
                self._open.pop(digest, None)
        if self._folder is None:
            return
        path = self._folder / f"{digest}.json"
        if job in (None, _read(path, self.host)):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def to_json(self) -> dict[str, Any]:
        """The open jobs, for a file."""
        return {"host": self.host, "jobs": self.jobs}

    def take(self, data: Mapping[str, Any]) -> None:
        """Take over the open jobs of a file; those of another server are left.

        Raises:
            MediationError: no saved jobs.
        """
        with reading("list of jobs", data):
            host, jobs = data["host"], dict(data["jobs"])
            if not all(is_id(digest) and is_id(job) for digest, job in jobs.items()):
                raise ValueError("not all of it is ids")
        if host != self.host:
            return
        with self._lock:
            for digest, job in jobs.items():
                self._open.setdefault(digest, job)


def _read(path: Path, host: str) -> str | None:
    """The id in a file; None where there is none, or it is broken, or of another server."""
    try:
        data = json.loads(get(path, _MOST))
    except (OSError, ValueError):
        return None
    whole = isinstance(data, dict) and data.get("host") == host and is_id(data.get("job"))
    return str(data["job"]) if whole else None
