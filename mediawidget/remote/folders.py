"""Files in a folder that a class shares: put there whole, and as open as the folder is."""

from __future__ import annotations

import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any


def put(path: Path, content: bytes) -> None:
    """Put a whole file where there may be one, in one step, for others may be reading it.

    Raises:
        OSError: the folder takes nothing.
    """
    folder = path.parent
    _make(folder)
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        # "x" makes it anew: a link that somebody laid there is not followed.
        with new.open("xb") as file:
            # Who may read and write in the folder may do the same with what is in it.
            _open_up(new, _mode_in(folder))
            file.write(content)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise


def get(path: Path, most: int) -> bytes:
    """All of a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no plain file, or has more bytes than ``most``.
    """
    # Without waiting: a pipe that somebody laid there would never end.
    way = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, way), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no plain file")
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return content


@contextmanager
def turn(path: Path, stop: threading.Event, most: float = 30.0) -> Iterator[None]:
    """One at a time of all who share a folder; a process that dies gives its turn back.

    Args:
        path: of the file that stands for it.
        stop: set where nobody wants it any more.
        most: seconds, for who sleeps in his turn must not stop all others.
    """
    from filelock import FileLock, Timeout

    with ExitStack() as held:
        end = time.monotonic() + most
        try:
            _make(path.parent)
            lock = FileLock(path, mode=_mode_in(path.parent))
            while not _taken(lock, held, Timeout):
                if stop.wait(0.1) or time.monotonic() >= end:
                    break
        except (OSError, NotImplementedError):
            # Nobody can write there, or the disk knows no turns: then everybody goes on.
            held.close()
        yield


def _taken(lock: Any, held: ExitStack, busy: type[Exception]) -> bool:
    try:
        held.enter_context(lock.acquire(timeout=0))
    except busy:
        return False
    return True


def _mode_in(folder: Path) -> int:
    """What may be done with a file in a folder: what may be done with the folder."""
    return stat.S_IMODE(folder.stat().st_mode) & 0o666 | 0o600


def _make(folder: Path) -> None:
    """A folder for whoever may use the one that it is in."""
    if folder.is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
    _open_up(folder, stat.S_IMODE(folder.parent.stat().st_mode))


def _open_up(path: Path, mode: int) -> None:
    # Another may own it, or the disk may know no such rights: then it stays as it was made.
    try:
        path.chmod(mode)
    except PermissionError:
        return
