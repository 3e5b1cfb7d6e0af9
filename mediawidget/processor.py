"""What processor this is, as far as it decides which of torch's libraries computes fastest."""

from __future__ import annotations

import platform
from pathlib import Path

import torch


def _maker() -> str:
    """What the processor says of its maker, somewhere in a text."""
    told = Path("/proc/cpuinfo")
    if not told.is_file():
        return platform.processor()
    # Of its first core, whose lines are far fewer; a server's file has a hundred cores.
    with told.open(errors="replace") as text:
        return text.read(4096)


MKL_LAGS: bool = (
    torch.backends.mkl.is_available()  # type: ignore[no-untyped-call]
    and torch.backends.cpu.get_cpu_capability() == "AVX512"
    and "AuthenticAMD" in _maker()
)
"""Whether MKL, to which torch gives products of single precision, leaves half the pace unused.

It does on another maker's processors with AVX-512, whose widest instructions it does not use. On an
Intel with them (Sapphire Rapids) it is the fastest library that torch comes with.
"""
