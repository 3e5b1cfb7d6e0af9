"""Rooms for a kernel: a memory limit and one processor, folders it cannot write to, no network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

CGROUPS = Path("/sys/fs/cgroup")
GIB = 2**30

_DROP = """
import ctypes, os, sys
# Root may write where permissions forbid it, unless it gives that up: prctl(PR_CAPBSET_DROP, ...).
if os.geteuid() == 0 and ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) != 0:
    sys.exit("this process cannot give up writing everywhere")
os.execvp(sys.argv[1], sys.argv[1:])
"""

REFUSE = """
import sys as _sys
attempts = []
def _refuse(event, args):
    if event in ("socket.getaddrinfo", "socket.gethostbyname") or (
        event == "socket.connect" and isinstance(args[1], tuple)
    ):
        attempts.append(f"{event} {args}")
        raise OSError(101, "Network is unreachable")
_sys.addaudithook(_refuse)
"""
"""A cell after which whatever looks for the network is refused, and written down."""


@dataclass
class Room:
    """Where a kernel runs.

    Attributes:
        before: the command that brings the kernel's command into it.
        environment: for the kernel.
        cwd: where it runs.
        words: what kind of room it is.
        group: the control group of its memory; None without one.
    """

    before: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    words: str
    group: Path | None = field(default=None)

    def peak(self) -> int | None:
        """The most bytes that the control group held, files it read included."""
        return None if self.group is None else _read(self.group, "memory.max_usage_in_bytes")

    def failures(self) -> int | None:
        """How often its limit was hit."""
        return None if self.group is None else _read(self.group, "memory.failcnt")


@contextmanager
def unwritable(folder: Path, beside: Iterable[Path] = ()) -> Iterator[Room]:
    """HOME and the folder where it runs cannot be written to, nor what is kept under HOME.

    Links to the files and folders ``beside`` the notebook lie where it runs.
    A user without rights is refused by permissions. Root gives up the right to pass over them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    home, work = folder / "home", folder / "work"
    for made in (home, work):
        made.mkdir()
    for one in beside:
        (work / one.name).symlink_to(one)
    for made in (home, work):
        made.chmod(0o555)
    try:
        before = [sys.executable, "-c", _DROP]
        yield Room(
            before, {"HOME": str(home)}, work, "HOME and the notebook's folder without write rights"
        )
    finally:
        for made in (home, work):
            made.chmod(0o755)


@contextmanager
def tight(folder: Path, memory: int = GIB, beside: Iterable[Path] = ()) -> Iterator[Room]:
    """One processor, so many bytes, no network, HOME and cwd mounted read-only: as in a container.

    Where no control group can be made, the kernel is bound to one processor, and its memory is
    measured, not limited.
    """
    with unwritable(folder, beside) as room:
        if not can_limit():
            bound = ["taskset", "-c", "0"] if shutil.which("taskset") else []
            words = f"{room.words}; bound to one processor, memory not limited"
            yield Room([*bound, *room.before], room.environment, room.cwd, words)
            return
        name = f"mediawidget-{uuid4().hex[:8]}"
        groups = [CGROUPS / kind / name for kind in ("memory", "cpu")]
        try:
            for group in groups:
                group.mkdir()
            (groups[0] / "memory.limit_in_bytes").write_text(str(memory))
            (groups[1] / "cpu.cfs_quota_us").write_text("100000")
            (groups[1] / "cpu.cfs_period_us").write_text("100000")
            inside = ["unshare", "--mount", "--net", "sh", "-ec", _ENTER, name]
            before = [*inside, str(Path(room.environment["HOME"])), str(room.cwd)]
            words = (
                f"a control group of {memory / GIB:.0f} GiB and one processor, a network without "
                "any way out, HOME and the notebook's folder mounted read-only"
            )
            yield Room(before, room.environment, room.cwd, words, groups[0])
        finally:
            for group in groups:
                if group.is_dir():
                    group.rmdir()


_ENTER = """
name=$0 home=$1 work=$2
shift 2
for kind in memory cpu; do
    echo $$ > /sys/fs/cgroup/$kind/$name/cgroup.procs
done
mount --make-rprivate /
for folder in "$home" "$work"; do
    mount --bind "$folder" "$folder"
    mount -o remount,bind,ro "$folder"
done
for kind in memory cpu; do
    mount --bind /sys/fs/cgroup/$kind/$name /sys/fs/cgroup/$kind
done
cd "$work"
exec "$@"
"""
"""Into the groups and out of the network, then the kernel's command; inside, the groups are the
machine's, as in a container."""


def can_limit() -> bool:
    """Whether control groups (version 1) and namespaces can be made here."""
    writable = all(os.access(CGROUPS / kind, os.W_OK) for kind in ("memory", "cpu"))
    version_1 = (CGROUPS / "memory" / "memory.limit_in_bytes").is_file()
    if not (writable and version_1 and shutil.which("unshare")):
        return False
    tried = subprocess.run(
        ["unshare", "--mount", "--net", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


def _read(group: Path, name: str) -> int:
    return int((group / name).read_text(encoding="ascii"))
