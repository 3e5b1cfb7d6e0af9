"""What a container leaves this process: of memory and of cores, by its control groups.

Its own group's limits count and those of all groups above it. Both versions of control groups are
read, as Linux documents their files; elsewhere there are none, and so no limits.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_MEMORY = (
    ("", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"),
    (
        "memory",
        "sys/fs/cgroup/memory",
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        "total_inactive_file",
    ),
)
"""Of each version of control groups: the controller's name, where its groups are, the files of a
group's limit and of what it uses, and what memory.stat calls files that the kernel has no use for.
"""

_CPUS = ("", "sys/fs/cgroup"), ("cpu", "sys/fs/cgroup/cpu")
"""Of each version: the controller's name, and where its groups are."""


def memory_left(root: Path) -> int | None:
    """Bytes that the control groups of this process leave it; None without a limit.

    Files that the kernel keeps in memory and nobody reads count as left: it gives their pages to
    whoever asks.

    Args:
        root: of the file system, with ``proc`` and ``sys`` in it.
    """
    left = [
        _left_by(group, *names)
        for controller, groups, *names in _MEMORY
        for group in _own_and_above(root, controller, groups)
    ]
    return min((some for some in left if some is not None), default=None)


def cores(root: Path) -> float | None:
    """How many cores' time the control groups of this process give it; None without a limit.

    Args:
        root: of the file system, with ``proc`` and ``sys`` in it.
    """
    quotas = [
        _quota(group)
        for controller, groups in _CPUS
        for group in _own_and_above(root, controller, groups)
    ]
    return min((some for some in quotas if some is not None), default=None)


def _own_and_above(root: Path, controller: str, groups: str) -> Iterator[Path]:
    """The folder of the process's group and those of the groups above it, up to the uppermost.

    Inside a container that is often its own group, and the path to it is the host's: then no
    folder but the uppermost is there.
    """
    own = _own_group(root, controller)
    for group in (own, *own.parents):
        yield root / groups / group


def _own_group(root: Path, controller: str) -> PurePosixPath:
    """Which group the process is in; the uppermost where that is not said, or cannot be seen."""
    try:
        # A group's name may have any bytes in it.
        text = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        text = ""
    for line in text.splitlines():
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if path.startswith("/") and controller in controllers.split(","):
            own = PurePosixPath(path.lstrip("/"))
            return PurePosixPath() if ".." in own.parts else own
    return PurePosixPath()


def _left_by(group: Path, limit_file: str, used_file: str, unread: str) -> int | None:
    """Bytes that one group leaves; None where it has no limit."""
    limit, used = _number(group / limit_file), _number(group / used_file)
    if limit is None or used is None:
        return None
    return max(limit - max(used - _stat(group / "memory.stat", unread), 0), 0)


def _quota(group: Path) -> float | None:
    """The cores of one group, whichever version it is of; None where it has no limit."""
    told = _text(group / "cpu.max").split() or [
        _text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")
    ]
    if len(told) != 2 or not all(text.isdigit() and int(text) for text in told):
        return None
    return int(told[0]) / int(told[1])


def _stat(path: Path, name: str) -> int:
    """A number of a group's statistics; 0 where it is not told."""
    for line in _text(path).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.strip().isdigit():
            return int(value)
    return 0


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdigit() else None


def _text(path: Path) -> str:
    """What is in a small file of the kernel's; nothing where it cannot be read."""
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""
