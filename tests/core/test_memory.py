"""The container's share of the machine, whatever the machine has."""

from pathlib import Path

import psutil
import pytest
import torch

import mediawidget as mw
from mediawidget import memory
from tests.small_models import random_model, tokenizer_of


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group of our own, in both versions' files."""
    monkeypatch.setattr(memory, "_CPU_MAX", tmp_path / "cpu.max")
    monkeypatch.setattr(memory, "_CPU_CFS", (tmp_path / "quota", tmp_path / "period"))
    limits = ((str(tmp_path / "memory.max"), str(tmp_path / "memory.current")),)
    monkeypatch.setattr(memory, "_CGROUP_LIMITS", limits)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


@pytest.mark.parametrize(
    ("text", "cores"), [("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8)]
)
def test_cores_of_a_container(cgroup: Path, text: str, cores: int) -> None:
    (cgroup / "cpu.max").write_text(text, encoding="ascii")
    assert memory.cpu_share() == cores


def test_cores_of_an_older_container(cgroup: Path) -> None:
    (cgroup / "quota").write_text("300000", encoding="ascii")
    (cgroup / "period").write_text("100000", encoding="ascii")
    assert memory.cpu_share() == 3
    (cgroup / "quota").write_text("-1", encoding="ascii")
    assert memory.cpu_share() == 8


def test_loading_takes_no_more_threads_than_cores(cgroup: Path) -> None:
    (cgroup / "cpu.max").write_text("100000 100000", encoding="ascii")
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_the_budget_is_half_of_what_the_container_has_left(cgroup: Path) -> None:
    (cgroup / "memory.max").write_text("1000000", encoding="ascii")
    (cgroup / "memory.current").write_text("400000", encoding="ascii")
    assert memory.budget_bytes(torch.device("cpu")) == 300_000
    (cgroup / "memory.max").write_text("max", encoding="ascii")
    free = psutil.virtual_memory().available
    assert memory.budget_bytes(torch.device("cpu")) == pytest.approx(free / 2, rel=0.2)
