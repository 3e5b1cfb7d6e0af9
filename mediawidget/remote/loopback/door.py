"""The port of a loopback server, and the connections to it."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING, Any

from .answers import Answers

if TYPE_CHECKING:
    from .server import Loopback


class Door(ThreadingMixIn, TCPServer):
    """A port of this machine; a thread for every connection, and all of them known."""

    request_queue_size = 32

    def __init__(self, loopback: Loopback) -> None:
        self._open: dict[threading.Thread, socket.socket] = {}
        super().__init__(("127.0.0.1", 0), type("_Answers", (Answers,), {"loopback": loopback}))

    def process_request(self, request: Any, client_address: Any) -> None:
        def serve() -> None:
            self.process_request_thread(request, client_address)
            self._open.pop(threading.current_thread(), None)

        thread = threading.Thread(target=serve, name="loopback connection", daemon=True)
        self._open[thread] = request
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is none; all else is shown."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """End every connection, and wait for its thread."""
        for thread, connection in list(self._open.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join()


__all__ = ["Door"]
