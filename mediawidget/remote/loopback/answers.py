"""What the server answers: routes, keys and refusals, as NDIF's own have them."""

from __future__ import annotations

import hmac
import json
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from nnsight.schema.request import RequestModel
from nnsight.schema.response import Status
from pydantic import ValidationError

from .forms import parts
from .frames import Socket, accepted
from .jobs import Job

if TYPE_CHECKING:
    from .server import Exchange, Loopback


class Refusal(Exception):  # noqa: N818 - an answer, not an error of ours
    """An HTTP status that is no success, and its reason."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


class Answers(BaseHTTPRequestHandler):
    """One connection: request after request until one end closes it."""

    protocol_version = "HTTP/1.1"
    # One write an answer, and no waiting for more to send with it.
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = None
    loopback: Loopback
    exchange: Exchange

    def do_POST(self) -> None:
        self.exchange = self.loopback.opened("POST", self.path)
        if self.loopback.interferes("arriving", self):
            return
        told = self.headers.get("Content-Length", "")
        if not told.isdecimal():
            self.say({"detail": "Length Required"}, 411)
            self.close_connection = True
            return
        size = int(told)
        body = self.rfile.read(size)
        self.exchange.received = len(body)
        if len(body) < size:
            self.close_connection = True
            return
        self._answered(lambda: self._posted(body))

    def do_GET(self) -> None:
        self.exchange = self.loopback.opened("GET", self.path)
        self._answered(self._asked)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - of http.server
        """Nothing is printed: ``Loopback.requests`` has it."""

    def answer(
        self, code: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        """Send an answer."""
        self.exchange.status, self.exchange.sent = code, len(body)
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def say(self, value: Any, code: int = 200) -> None:
        """Send an answer in JSON."""
        self.answer(code, json.dumps(value).encode())

    def hang_up(self) -> None:
        """End the connection without another word."""
        self.close_connection = True

    # --- routes -----------------------------------------------------------------------------

    def _answered(self, route: Any) -> None:
        try:
            route()
        except Refusal as refusal:
            self.say({"detail": refusal.detail}, refusal.code)

    def _posted(self, body: bytes) -> None:
        if self.path != "/request":
            raise Refusal(404, "Not Found")
        self._refuse_not_ready()
        form = parts(self.headers.get("Content-Type", ""), body)
        missing = {"data", "blob"} - set(form)
        if missing:
            raise Refusal(422, f"Field required: {', '.join(sorted(missing))}")
        try:
            request = RequestModel.model_validate_json(form["data"])
        except ValidationError as error:
            raise Refusal(422, str(error)) from error
        self._refuse_key()
        self._refuse_old_client()
        job = self.loopback.take(Job(request, form["blob"]))
        if self.loopback.interferes("received", self):
            return
        words = "Your job has been received and is waiting to be queued."
        received = {"id": job.id, "status": Status.RECEIVED.value, "description": words}
        self.say({**received, "data": None, "meta": None})

    def _asked(self) -> None:
        _, _, rest = self.path.partition("/")
        route, _, name = rest.partition("?")[0].partition("/")
        fixed = {"ping": "pong", "whoami": {"email": None, "tags": []}}
        if route in fixed:
            self.say(fixed[route])
        elif route == "response":
            self._status_of(name)
        elif route == "result":
            self._result_of(name)
        elif route == "subscribe":
            self._subscribed()
        elif route in ("status", "env", "connected"):
            self._refuse_not_ready()
            self.say(self.loopback.told(route))
        else:
            raise Refusal(404, "Not Found")

    def _status_of(self, name: str) -> None:
        if self.loopback.interferes("polling", self):
            return
        job = self.loopback.jobs.get(name)
        # Who listens at a websocket is told there, and nothing is kept.
        if job is None or job.response is None or job.request.session_id:
            raise Refusal(404, f"No response for request {name}.")
        self.answer(200, job.response.model_dump_json().encode())

    def _result_of(self, name: str) -> None:
        data = self.loopback.result(name)
        if data is None:
            raise Refusal(404, "The specified key does not exist.")
        if not self.loopback.interferes("sending", self, data):
            self.answer(200, data, "application/octet-stream")

    def _subscribed(self) -> None:
        key = self.headers.get("Sec-WebSocket-Key")
        if key is None or self.headers.get("Upgrade", "").lower() != "websocket":
            raise Refusal(426, "Upgrade Required")
        self.exchange.status, self.close_connection = 101, True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accepted(key))
        self.end_headers()
        socket, session = Socket(self.rfile, self.wfile), uuid4().hex
        with self.loopback.listening(session, socket, self.exchange):
            socket.send(json.dumps({"session_id": session}))
            socket.wait()

    # --- refusals ---------------------------------------------------------------------------

    def _refuse_not_ready(self) -> None:
        if not self.loopback.ready:
            raise Refusal(
                503,
                "Service temporarily unavailable: compute backend is reconnecting. Please try "
                "again in a few minutes.",
            )

    def _refuse_key(self) -> None:
        key = self.headers.get("ndif-api-key")
        if not key:
            raise Refusal(401, "Missing or invalid API key. The loopback server has it: .key")
        try:
            UUID(key)
        except ValueError:
            raise Refusal(
                400,
                f"Invalid API key format: '{key}'. API keys must be in the format: "
                "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx.",
            ) from None
        if not hmac.compare_digest(key.encode(), self.loopback.key.encode()):
            raise Refusal(403, "Invalid API key.")

    def _refuse_old_client(self) -> None:
        from packaging.version import InvalidVersion, Version

        least, given = self.loopback.oldest_client, self.headers.get("nnsight-version")
        if least is None:
            return
        if not given:
            raise Refusal(400, "Client nnsight version was not provided. " + _UPGRADE)
        try:
            old = Version(given) < Version(least)
        except InvalidVersion:
            raise Refusal(400, f"Malformed nnsight version '{given}'.") from None
        if old:
            raise Refusal(
                400,
                f"Client nnsight version {given} is below the minimum supported {least}. Please "
                "`pip install --upgrade nnsight`.",
            )


_UPGRADE = (
    "This usually means an outdated nnsight; please `pip install --upgrade nnsight` and retry."
)

__all__ = ["Answers", "Refusal"]
