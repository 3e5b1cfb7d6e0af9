"""The server's end of a websocket (RFC 6455), as far as statuses and results need it."""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
from io import BufferedIOBase

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def accepted(key: str) -> str:
    """What a handshake with this key is answered."""
    digest = hashlib.sha1(key.encode("latin-1") + _GUID, usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


class Socket:
    """Sends whole messages from any thread; reads only to know when the other end leaves."""

    def __init__(self, incoming: BufferedIOBase, outgoing: BufferedIOBase) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self._lock = threading.Lock()

    def send(self, message: str | bytes, kind: int | None = None) -> int:
        """Send a message as one frame: text, or binary; gives back its size."""
        content = message.encode() if isinstance(message, str) else message
        kind = kind or (TEXT if isinstance(message, str) else BINARY)
        size = len(content)
        if size < 126:
            head = struct.pack("!BB", 0x80 | kind, size)
        elif size < 1 << 16:
            head = struct.pack("!BBH", 0x80 | kind, 126, size)
        else:
            head = struct.pack("!BBQ", 0x80 | kind, 127, size)
        with self._lock:
            self._outgoing.write(head + content)
            self._outgoing.flush()
        return size

    def wait(self) -> None:
        """Until the other end closes; a ping is answered, and nothing else is expected."""
        while (frame := self._frame()) is not None:
            kind, content = frame
            if kind == CLOSE:
                self.send(content[:2], CLOSE)
                return
            if kind == PING:
                self.send(content, PONG)

    def _frame(self) -> tuple[int, bytes] | None:
        """The next frame's kind and content; None where the connection is gone."""
        head = self._incoming.read(2)
        if len(head) < 2:
            return None
        size = head[1] & 0x7F
        if size > 125:
            size = int.from_bytes(self._incoming.read(2 if size == 126 else 8), "big")
        mask = self._incoming.read(4) if head[1] & 0x80 else bytes(4)
        content = self._incoming.read(size)
        plain = bytes(byte ^ mask[at % 4] for at, byte in enumerate(content))
        return head[0] & 0x0F, plain
