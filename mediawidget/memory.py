"""How much memory a chunk of runs may take."""

from __future__ import annotations

from pathlib import Path

import psutil
import torch

_CGROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)

SHARE = 0.5
"""Of what is free; the rest is for the kernel's other work."""


def budget_bytes(device: torch.device) -> int:
    """Bytes a chunk may take: half of what is free on the device.

    On a CPU the container's limit counts too, for running over it kills the kernel.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free * SHARE)
    free = int(psutil.virtual_memory().available)
    for limit_file, used_file in _CGROUP_LIMITS:
        limit, used = _number(Path(limit_file)), _number(Path(used_file))
        if limit is not None and used is not None:
            free = min(free, max(limit - used, 0))
    return int(free * SHARE)


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None
