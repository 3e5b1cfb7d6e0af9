"""What a server sends, and no more of it than there is room for."""

from __future__ import annotations

import io
import threading
import time
from zipfile import ZIP_STORED, ZipFile

import httpx
import torch

from ..memory import SHARE, budget_bytes

MESSAGE = 2**24
"""Bytes that a server may say of a job or of itself."""
RESULT = 2**32
"""Bytes of what came of one job, where there is room for them."""
_PIECE = 2**20


class TooMuchError(Exception):
    """There is more than there is room for.

    Attributes:
        most: bytes that there is room for.
        start: what was read of it.
    """

    def __init__(self, most: int, start: bytes = b"") -> None:
        super().__init__(f"more than {most:,} bytes")
        self.most, self.start = most, start


def largest() -> int:
    """Bytes that a result may have now: it is held up to three times, sent, unpacked and read."""
    free = budget_bytes(torch.device("cpu")) / SHARE
    return min(RESULT, int(free / 3))


def received(
    response: httpx.Response,
    most: int,
    seconds: float,
    stop: threading.Event,
    *,
    begin: bool = False,
) -> bytes | None:
    """The body of a response that is open, as it was sent; None where nobody waits any more.

    Args:
        response: its headers were read, its body was not.
        most: bytes.
        seconds: that it may take.
        stop: set where nobody waits.
        begin: also what is told to be too large is begun, for its start is of use.

    Raises:
        TooMuchError: it has more than ``most`` bytes; the rest is not read.
        httpx.HTTPError: it broke off, or has no end after so many seconds.
    """
    told = response.headers.get("content-length", "")
    if told.isdecimal() and int(told) > most and not begin:
        raise TooMuchError(most)
    body, end = io.BytesIO(), time.monotonic() + seconds
    # Not as httpx would unpack it, for a small piece may become any size.
    for piece in response.iter_raw():
        _add(body, piece, most)
        if stop.is_set():
            return None
        if time.monotonic() > end:
            raise httpx.ReadTimeout(f"its answer has no end after {seconds:.0f} s")
    return body.getvalue()


def decompressed(content: bytes, most: int) -> io.BytesIO:
    """What was compressed by zstandard.

    Raises:
        TooMuchError: it has more than ``most`` bytes, of which no more are made.
        zstandard.ZstdError: it is none.
    """
    import zstandard

    told = zstandard.frame_content_size(content)
    if told > most:
        raise TooMuchError(most)
    found = io.BytesIO()
    with zstandard.ZstdDecompressor().stream_reader(content) as reader:
        while piece := reader.read(_PIECE):
            _add(found, piece, most)
    if told not in (-1, found.tell()):
        raise zstandard.ZstdError("it was cut")
    found.seek(0)
    return found


def lies_flat(file: io.BytesIO) -> bool:
    """Whether a file of torch takes no more room when it is read than it has bytes.

    Torch itself writes such; but it reads others: packed parts, and bytes by their number alone.

    Raises:
        zipfile.BadZipFile: it is of another kind, or was cut.
    """
    with ZipFile(file) as parts:
        flat = all(one.compress_type == ZIP_STORED for one in parts.infolist())
        names = [name for name in parts.namelist() if name.endswith("data.pkl")]
        flat = flat and not any(b"\nbytearray\n" in parts.read(name) for name in names)
    file.seek(0)
    return flat


def _add(body: io.BytesIO, piece: bytes, most: int) -> None:
    room = most - body.tell()
    if len(piece) > room:
        body.write(piece[:room])
        raise TooMuchError(most, body.getvalue())
    body.write(piece)
