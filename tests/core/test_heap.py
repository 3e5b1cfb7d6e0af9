"""Freed memory is kept or given back, as there is enough: seen in page faults; a user's own
setting stays."""

import os
import subprocess
import sys

import pytest

import mediawidget as mw
from mediawidget import heap
from tests.small_models import random_model, tokenizer_of

GLIBC = os.name == "posix" and hasattr(os, "confstr") and "CS_GNU_LIBC_VERSION" in os.confstr_names

COUNT = """
import resource, sys, torch
import mediawidget as mw
from mediawidget import heap
from tests.small_models import random_model, tokenizer_of
told = heap.fit_allocator(int(sys.argv[1]))
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(4):
        blocks = [torch.ones(3_000_000) for _ in range(3)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
for _ in range(4):
    last = faults()
print(told, last)
"""


def counted(budget: int, **env: str) -> tuple[bool, int]:
    """Whether it is told, and page faults while 36 MB are taken and freed four times."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("MALLOC_", "GLIBC_TUN"))}
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(budget)],
        env=clean | env,
        capture_output=True,
        text=True,
        check=True,
    )
    told, faults = done.stdout.split()
    return told == "True", int(faults)


@pytest.mark.skipif(not GLIBC, reason="another allocator: nothing is set there")
def test_what_is_freed_is_found_again_or_given_back() -> None:
    pages = 4 * 36_000_000 // os.sysconf("SC_PAGE_SIZE")
    told, faults = counted(heap.ENOUGH)
    assert told
    assert faults < pages / 10
    told, faults = counted(heap.ENOUGH - 1)
    assert told
    assert faults > pages / 2


@pytest.mark.skipif(not GLIBC, reason="another allocator: nothing is set there")
def test_a_users_setting_is_left() -> None:
    assert not counted(heap.ENOUGH, MALLOC_MMAP_THRESHOLD_="1000000")[0]


@pytest.mark.parametrize("name", ["MALLOC_TRIM_THRESHOLD_", "GLIBC_TUNABLES"])
def test_who_set_the_allocator_keeps_the_setting(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr("ctypes.CDLL", lambda _: pytest.fail("the allocator was touched"))
    assert not heap.fit_allocator(heap.ENOUGH)


def test_an_allocator_without_such_settings_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MALLOC_", "GLIBC_TUNABLES")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("ctypes.CDLL", lambda _: object())
    assert not heap.fit_allocator(heap.ENOUGH)


@pytest.mark.parametrize("budget", [None, 0, 1 << 26])
def test_a_sweep_tells_the_allocator_its_budget(
    monkeypatch: pytest.MonkeyPatch, budget: int | None
) -> None:
    told: list[int] = []
    monkeypatch.setattr("mediawidget.engine.fit_allocator", told.append)
    pair = mw.PromptPair("ant bee cat", "ant bee dog", answer="rat", wrong="owl")
    study = mw.Study(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2")), pair)
    study.engine.budget = budget
    study.sweep("head", progress=False)
    assert told
    assert told[0] == budget if budget is not None else told[0] > 1 << 20
