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

_LOOPBACK = """
import fcntl, os, socket, struct, sys
# A new network has one interface, lo, which is down: SIOCGIFFLAGS, then SIOCSIFFLAGS with IFF_UP.
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
    name, flags = struct.unpack("16sh", fcntl.ioctl(asked, 0x8913, struct.pack("16sh", b"lo", 0)))
    fcntl.ioctl(asked, 0x8914, struct.pack("16sh", name, flags | 1))
os.execvp(sys.argv[1], sys.argv[1:])
"""

REFUSE = """
import ipaddress as _ipaddress, sys as _sys
attempts = []
_WHERE = {
    "socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0,
    "socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1,
}
def _stays(host):
    try:
        return _ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False
def _refuse(event, args):
    if event not in _WHERE:
        return
    to = args[_WHERE[event]]
    if event.startswith(("socket.connect", "socket.send")):
        if not isinstance(to, tuple):
            return
        to = to[0]
    if not _stays(to):
        attempts.append(f"{event} {args}")
        raise OSError(101, "Network is unreachable")
_sys.addaudithook(_refuse)
"""
"""A cell after which whatever looks for the network is refused, and written down.

A number of this very machine (127.0.0.1, ::1) is let be: it leads into no network. A name is not,
for it has to be looked up.
"""


@dataclass
class Room:
    """Where a kernel runs.

    Attributes:
        before: the command that brings the kernel's command into it.
        environment: for the kernel.
        cwd: where it runs.
        words: what kind of room it is.
        group: the control group of its memory; None without one.
        own_network: whether the kernel has a network to itself, which leads nowhere.
    """

    before: Sequence[str]
    environment: Mapping[str, str]
    cwd: Path
    words: str
    group: Path | None = field(default=None)
    own_network: bool = False

    def peak(self) -> int | None:
        """The most bytes that the control group held, files it read included."""
        return None if self.group is None else _read(self.group, "memory.max_usage_in_bytes")

    def failures(self) -> int | None:
        """How often its limit was hit."""
        return None if self.group is None else _read(self.group, "memory.failcnt")

    def unsent(self, pid: int) -> int:
        """What a process and its children gave the room's network that had no way to go.

        The system counts it, whoever asked: also code that is not Python's.
        """
        return sum(_no_routes(Path(f"/proc/{pid}/net"))) if self.own_network else 0


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
            folders = [str(Path(room.environment["HOME"])), str(room.cwd)]
            before = [*inside, *folders, sys.executable, "-c", _LOOPBACK]
            words = (
                f"a control group of {memory / GIB:.0f} GiB and one processor, a network of its "
                "own that has 127.0.0.1 and no way out, HOME and the notebook's folder mounted "
                "read-only"
            )
            yield Room(before, room.environment, room.cwd, words, groups[0], own_network=True)
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


def _no_routes(network: Path) -> Iterator[int]:
    """The system's counts of what had no way to go, of both versions of IP."""
    names, numbers = [
        line.split() for line in (network / "snmp").read_text().splitlines() if line[:3] == "Ip:"
    ]
    yield int(dict(zip(names, numbers, strict=True))["OutNoRoutes"])
    newer = network / "snmp6"
    lines = newer.read_text().splitlines() if newer.is_file() else []
    yield from (int(line.split()[1]) for line in lines if line.startswith("Ip6OutNoRoutes"))
