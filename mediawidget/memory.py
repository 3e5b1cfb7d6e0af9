"""How much of the machine is ours: the memory that a chunk of runs may take, and the cores."""

from __future__ import annotations

import math
import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import psutil
import torch

if TYPE_CHECKING:
    from .lm import LM

_ROOT = Path("/")

_CGROUPS = (
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

_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")
_CPU_CFS = (
    Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"),
    Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us"),
)

_NO_MEMORY = ("out of memory", "DefaultCPUAllocator", "CUBLAS_STATUS_ALLOC_FAILED")
"""What torch's other errors say: of a CPU's allocator, of a GPU's libraries, of Apple's devices."""

SHARE = 0.5
"""Of what is free; the rest is for the kernel's other work."""


ON_A_SERVER = 4 * 2**30
"""Bytes of a chunk there, whose memory nobody here knows; ``engine.budget`` says otherwise."""


def budget_bytes(device: torch.device) -> int:
    """Bytes a chunk may take: half of what is free on the device.

    On a CPU the container's limit counts too, for running over it kills the kernel. On a GPU what
    torch holds for its next tensors is free, though the driver counts it as used.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int((free + max(held, 0)) * SHARE)
    free = int(psutil.virtual_memory().available)
    left = left_by_groups(_ROOT)
    return int((free if left is None else min(free, left)) * SHARE)


def left_by_groups(root: Path) -> int | None:
    """Bytes that the control groups of this process leave it; None without a limit.

    Its own group's limit counts and those of all groups above it. Files that the kernel keeps in
    memory and nobody reads count as left: it gives their pages to whoever asks.

    Args:
        root: of the file system, with ``proc`` and ``sys`` in it.
    """
    left = [
        _left_by(group, *names)
        for controller, groups, *names in _CGROUPS
        for group in _with_those_above(root / groups, _own_group(root, controller))
    ]
    return min((some for some in left if some is not None), default=None)


def chunk_bytes(lm: LM) -> int:
    """Bytes a chunk may take where a model is: on its device, or on a server.

    Of a server the same for everybody and at any time: else two students would ask the same in
    other pieces, and no answer that is kept or waited for would be of use to the other.
    """
    return budget_bytes(lm.device) if lm.remote is None else ON_A_SERVER


def out_of_memory(error: BaseException) -> bool:
    """Whether a pass failed for want of memory, whatever its device calls that."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _NO_MEMORY)


def cpu_share() -> int:
    """How many cores this process may use: those it is bound to, within the container's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = _quota()
    return max(1, min(cores or 1, math.ceil(quota) if quota else 1 << 16))


def use_cpu_share() -> None:
    """Let torch use no more threads than there are cores for them; never more than it uses now.

    It counts the machine's cores, and threads that wait for a container's share of them make
    matrix products slower, not faster.
    """
    torch.set_num_threads(min(torch.get_num_threads(), cpu_share()))


def _quota() -> float | None:
    """The container's limit in cores, None without one."""
    try:
        quota, period = _CPU_MAX.read_text(encoding="ascii").split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    limit, period_v1 = (_number(path) for path in _CPU_CFS)
    return limit / period_v1 if limit and period_v1 else None


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


def _with_those_above(groups: Path, own: PurePosixPath) -> list[Path]:
    """A group's folder and those of the groups above it, up to the uppermost.

    Inside a container that is often its own group, and the path to it is the host's: then no
    folder but the uppermost is there.
    """
    return [groups / own, *(groups / above for above in own.parents)]


def _left_by(group: Path, limit_file: str, used_file: str, unread: str) -> int | None:
    """Bytes that one group leaves; None where it has no limit."""
    limit, used = _number(group / limit_file), _number(group / used_file)
    if limit is None or used is None:
        return None
    return max(limit - max(used - _stat(group / "memory.stat", unread), 0), 0)


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
