"""What servers answered, kept in a folder: what a class asks twice is sent once."""

from __future__ import annotations

import os
import stat
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import xxhash

from ..errors import require
from .folders import get, put
from .packing import DamagedError, UnkeepableError, packed, unpacked

_Mark = tuple[int, int, int] | None
"""What tells a file from the one that was there before; None where there is none."""

FOLDER = "answers"
_ENDING = ".safetensors"
_MOST = 2**30
"""Bytes of one answer, for it is read as a whole."""
_LEFT = 3600.0
"""Seconds after which a file that was begun is nobody's any more."""


def question_of(digest: str, host: str) -> str:
    """What a kept answer goes by: the same question to the same server.

    Args:
        digest: of the request: its body, the model and its revision, our and nnsight's version.
        host: who is asked; another server may have the weights in another precision.
    """
    return xxhash.xxh3_128_hexdigest(repr((digest, host)).encode())


def is_name(folder: object) -> bool:
    """Whether something may be the path of a folder."""
    return isinstance(folder, str | Path) and bool(str(folder).strip())


class Cache:
    """A folder of answers, for one process or for all of a class.

    An answer is a file of tensors; nothing in it is run. A file that is damaged or of another
    version is asked again. There is no key in it. But whoever may write to the folder may put
    numbers there: share it with people whose numbers you would take.

    Attributes:
        folder: where they are; in ``answers`` in it.
        limit: how many bytes all of them may have; the one not read for longest goes first.
        hits: how often an answer was there, in this process.
        misses: how often there was none.
    """

    def __init__(self, folder: str | Path, *, limit: int = 4 * 2**30) -> None:
        """A cache in a folder, which exists or is made with the first answer.

        Raises:
            MediationError: no folder, or no number of bytes.
        """
        require(
            is_name(folder),
            "What a server answered is kept in a folder.",
            value=folder,
            expected="the path of a folder",
            fix="mw.remote.Cache('answers')",
        )
        require(
            type(limit) is int and limit > 0,
            "A cache holds a number of bytes.",
            value=limit,
            expected="a whole number above 0",
            fix="mw.remote.Cache('answers', limit=2 * 2**30)",
        )
        self.folder, self.limit = Path(folder).expanduser(), limit
        self.hits = self.misses = 0
        self._used: dict[str, _Mark] = {}
        self._told: set[str] = set()
        self._lock = threading.Lock()

    @property
    def bytes(self) -> int:
        """How much is kept, of all processes."""
        return sum(size for _, size, _ in self._files())

    def find(
        self, question: str, names: frozenset[str], *, again: bool = False
    ) -> dict[str, Any] | None:
        """The values that a question asks for, where they are kept whole; else None.

        Args:
            question: what they go by.
            names: of the values.
            again: it was looked for just now; only what came since is of interest.
        """
        path = self._path(question)
        mark = _mark(path)
        with self._lock:
            if again and self._used.get(question) == mark:
                return None
            self._used[question] = mark
        found = None if mark is None else self._read(path, question, names)
        with self._lock:
            self.hits += found is not None
            self.misses += (found is None) - again
        if found is not None:
            # So that it counts as new. A folder that is only read has no such order.
            with suppress(OSError):
                os.utime(path)
        return found

    def keep(self, question: str, values: Mapping[str, Any]) -> None:
        """Keep an answer, unless a file cannot hold it; it is asked again then.

        Args:
            question: what it goes by.
            values: by name: tensors, and what JSON holds.
        """
        try:
            content = packed(question, values)
        except UnkeepableError:
            return
        if len(content) > min(self.limit, _MOST):
            return
        with self._lock:
            self._used.setdefault(question, None)
        try:
            put(self._path(question), content)
            self._make_room()
        except OSError as error:
            why = f"{error.strerror or error}: {self.folder}"
            self._tell("write", f"What the server answers is not kept, but read: {why}.")

    def drop(self, questions: Iterable[str] | None = None) -> None:
        """Take away answers, for they are not to be believed.

        Args:
            questions: what they go by; default, all that this process read or kept.
        """
        with self._lock:
            gone = list(self._used if questions is None else questions)
            for question in gone:
                self._used.pop(question, None)
        for question in gone:
            # Who may not write there kept nothing.
            with suppress(OSError):
                self._path(question).unlink(missing_ok=True)

    def __repr__(self) -> str:
        asked = f"{self.hits} of {self.hits + self.misses} answers were there"
        return f"Cache({str(self.folder)!r}: {asked}, {self.bytes:,} bytes kept)"

    # --- inside -------------------------------------------------------------------------------

    def _read(self, path: Path, question: str, names: frozenset[str]) -> dict[str, Any] | None:
        try:
            return _whole(unpacked(question, get(path, min(self.limit, _MOST))), names)
        except OSError as error:
            why = error.strerror or str(error)
            self._tell("read", f"Kept answers of the server cannot be read: {why}: {path}.")
        except (DamagedError, MemoryError, ValueError) as error:
            warnings.warn(
                f"A kept answer of the server is not used, it is asked again: {path}: {error}.",
                stacklevel=4,
            )
        return None

    def _path(self, question: str) -> Path:
        return self.folder / FOLDER / f"{question}{_ENDING}"

    def _tell(self, kind: str, words: str) -> None:
        """Warn once of what the folder does not let us do."""
        with self._lock:
            new = kind not in self._told
            self._told.add(kind)
        if new:
            warnings.warn(words, stacklevel=4)

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When it was read last, bytes, path; of all answers, and of what was begun."""
        with suppress(OSError):
            for entry in os.scandir(self.folder / FOLDER):
                # Another process may have taken it away meanwhile.
                with suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    if stat.S_ISREG(found.st_mode):
                        yield found.st_mtime, found.st_size, Path(entry.path)

    def _make_room(self) -> None:
        """Take away what was not read for longest, and what somebody began and never ended."""
        files = sorted(self._files())
        total = sum(size for _, size, _ in files)
        for at, size, path in files:
            begun = path.name.startswith(".")
            left = begun and time.time() - at > _LEFT
            if left or (total > self.limit and not begun):
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                    total -= size


def _mark(path: Path) -> _Mark:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _whole(found: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
    """The values that are wanted."""
    if not names <= found.keys():
        raise DamagedError("it answers another question")
    return {name: found[name] for name in names}
