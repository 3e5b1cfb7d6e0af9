"""What was asked of a server: how often, and in how many bytes."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import httpx


@dataclass(frozen=True)
class Traffic:
    """What was asked so far. The difference of two is what was asked in between.

    Attributes:
        jobs: handed in, each a trace for the server to run.
        requests: all that was asked over HTTP: jobs, looks at them, results.
        sent: bytes of their bodies, headers not counted.
        received: bytes of the answers' bodies.

    Example:
        >>> study = mw.Study(far, pair)
        >>> study.sweep("head")
        >>> before = far.remote.traffic
        >>> study.intervene(mw.Site("head", 3, head=0))
        >>> far.remote.traffic - before
        1 job in ... requests, ... bytes sent, ... received
    """

    jobs: int = 0
    requests: int = 0
    sent: int = 0
    received: int = 0

    def __sub__(self, before: Traffic) -> Traffic:
        return Traffic(*(getattr(self, name) - getattr(before, name) for name in vars(self)))

    def __repr__(self) -> str:
        jobs = f"{self.jobs:,} job" + "s" * (self.jobs != 1)
        requests = f"{self.requests:,} request" + "s" * (self.requests != 1)
        return f"{jobs} in {requests}, {self.sent:,} bytes sent, {self.received:,} received"


class Counter:
    """Counts from any thread."""

    def __init__(self) -> None:
        self.so_far = Traffic()
        self._lock = threading.Lock()

    def add(self, response: httpx.Response) -> None:
        """Count a request and what came back."""
        request = response.request
        with self._lock:
            old = self.so_far
            self.so_far = Traffic(
                old.jobs + (request.method == "POST" and response.is_success),
                old.requests + 1,
                old.sent + int(request.headers.get("content-length", 0)),
                old.received + response.num_bytes_downloaded,
            )
