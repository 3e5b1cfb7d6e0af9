"""Freed memory stays with the process: seen in page faults, and left to the user who set it."""

import os
import subprocess
import sys

import pytest

from mediawidget import heap

GLIBC = os.name == "posix" and hasattr(os, "confstr") and "CS_GNU_LIBC_VERSION" in os.confstr_names

COUNT = """
import resource, torch
from mediawidget import heap
kept = heap.keep_freed_memory()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        blocks = [torch.ones(3_000_000) for _ in range(3)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(4):
    last = faults()
print(kept, last)
"""


def counted(**env: str) -> tuple[bool, int]:
    """Whether it is kept, and page faults while 36 MB are taken and freed four times."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUN"))}
    done = subprocess.run(
        [sys.executable, "-c", COUNT], env=clean | env, capture_output=True, text=True, check=True
    )
    kept, faults = done.stdout.split()
    return kept == "True", int(faults)


@pytest.mark.skipif(not GLIBC, reason="another allocator: nothing is set there")
def test_what_is_freed_is_found_again() -> None:
    kept, faults = counted()
    assert kept
    left, more = counted(MALLOC_MMAP_THRESHOLD_="1000000")
    assert not left
    assert faults < more / 10


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_who_set_the_allocator_keeps_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("the allocator was touched"))
    assert not heap.keep_freed_memory()


def test_an_allocator_without_such_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("MALLOC_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not heap.keep_freed_memory()
