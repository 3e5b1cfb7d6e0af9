"""How much of the machine is ours: the memory that a chunk of runs may take, and the cores."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import torch

from .control_groups import cores, memory_left

if TYPE_CHECKING:
    from .lm import LM

_ROOT = Path("/")

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
    left = memory_left(_ROOT)
    return int((free if left is None else min(free, left)) * SHARE)


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
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    quota = cores(_ROOT)
    return max(1, min(bound or 1, math.ceil(quota) if quota else 1 << 16))


def use_cpu_share() -> None:
    """Let torch use no more threads than there are cores for them; never more than it uses now.

    It counts the machine's cores, and threads that wait for a container's share of them make
    matrix products slower, not faster.
    """
    torch.set_num_threads(min(torch.get_num_threads(), cpu_share()))
