"""The container's share of the machine, whatever the machine has."""

from pathlib import Path

import psutil
import pytest
import torch

import mediawidget as mw
from mediawidget import memory
from mediawidget.control_groups import cores, memory_left
from tests.small_models import random_model, tokenizer_of


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A control group of our own, in both versions' files."""
    monkeypatch.setattr(memory, "_ROOT", tmp_path)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)))
    return tmp_path


def give_cores(root: Path, group: str, text: str) -> None:
    """A group's share of the processor's time, a quota of a period."""
    folder = root / "sys/fs/cgroup" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.max").write_text(text, encoding="ascii")


def give_older_cores(root: Path, group: str, quota: str, period: str = "100000") -> None:
    folder = root / "sys/fs/cgroup/cpu" / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.cfs_quota_us").write_text(f"{quota}\n", encoding="ascii")
    (folder / "cpu.cfs_period_us").write_text(f"{period}\n", encoding="ascii")


@pytest.mark.parametrize(
    ("text", "share"),
    [
        *[("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8)],
        *[("100000", 8), ("100000 0", 8), ("0 100000", 8), ("1 2 3", 8), ("-1 100000", 8)],
    ],
)
def test_cores_of_a_container(cgroup: Path, text: str, share: int) -> None:
    give_cores(cgroup, "", text)
    assert memory.cpu_share() == share


def test_cores_of_an_older_container(cgroup: Path) -> None:
    give_older_cores(cgroup, "", "300000")
    assert memory.cpu_share() == 3
    give_older_cores(cgroup, "", "-1")
    assert memory.cpu_share() == 8


def test_cores_are_those_of_the_tightest_group(tmp_path: Path) -> None:
    own_group(tmp_path, V2, "/batch/job/task")
    assert cores(tmp_path) is None
    give_cores(tmp_path, "batch", "250000 100000")
    give_cores(tmp_path, "batch/other", "10000 100000")
    assert cores(tmp_path) == 2.5
    give_cores(tmp_path, "batch/job/task", "max 100000")
    assert cores(tmp_path) == 2.5
    give_cores(tmp_path, "batch/job/task", "150000 100000")
    assert cores(tmp_path) == 1.5


def test_cores_of_an_older_group(tmp_path: Path) -> None:
    give_older_cores(tmp_path, "batch", "200000")
    (tmp_path / "proc/self").mkdir(parents=True)
    listed = "4:cpu,cpuacct:/batch\n7:memory:/elsewhere\n"
    (tmp_path / "proc/self/cgroup").write_text(listed, encoding="ascii")
    assert cores(tmp_path) == 2.0


def test_loading_takes_no_more_threads_than_cores(cgroup: Path) -> None:
    give_cores(cgroup, "", "100000 100000")
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


V2 = "memory.max", "memory.current", "inactive_file"
V1 = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
AT = {V2: "sys/fs/cgroup", V1: "sys/fs/cgroup/memory"}
LINE = {V2: "0::", V1: "7:cpuset,memory:"}
BOTH = pytest.mark.parametrize("version", [V2, V1], ids=["v2", "v1"])
Version = tuple[str, str, str]


def put(root: Path, version: Version, group: str, *texts: object) -> None:
    """A group's limit, what it uses, and of that what is unread files."""
    folder = root / AT[version] / group
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in zip(version[:2], texts, strict=False):
        (folder / name).write_text(f"{text}\n", encoding="ascii")
    if len(texts) > 2:
        stat = f"inactive_anon 7\n{version[2]} {texts[2]}\nactive_file 9\n"
        (folder / "memory.stat").write_text(stat, encoding="ascii")


def own_group(root: Path, version: Version, path: str) -> None:
    (root / "proc/self").mkdir(parents=True, exist_ok=True)
    text = f"9:name=systemd:/memory\n{LINE[version]}{path}\n"
    (root / "proc/self/cgroup").write_text(text, encoding="utf-8")


@BOTH
def test_the_budget_is_half_of_what_the_container_has_left(cgroup: Path, version: Version) -> None:
    put(cgroup, version, "", 1_000_000, 400_000)
    assert memory.budget_bytes(torch.device("cpu")) == 300_000
    put(cgroup, version, "", "max", 400_000)
    free = psutil.virtual_memory().available
    assert memory.budget_bytes(torch.device("cpu")) == pytest.approx(free / 2, rel=0.2)


@BOTH
def test_files_that_nobody_reads_are_no_memory_in_use(cgroup: Path, version: Version) -> None:
    """A container that read a model from disk is full to its limit, and yet has room."""
    put(cgroup, version, "", 1_000_000, 999_000, 800_000)
    assert memory_left(cgroup) == 801_000
    assert memory.budget_bytes(torch.device("cpu")) == 400_500


@BOTH
@pytest.mark.parametrize(("unread", "left"), [(2_000_000, 1_000_000), ("", 1_000), ("x", 1_000)])
def test_what_the_statistics_say_amiss(
    tmp_path: Path, version: Version, unread: object, left: int
) -> None:
    """The three files are read one after another, and may not be of one moment."""
    put(tmp_path, version, "", 1_000_000, 999_000, unread)
    assert memory_left(tmp_path) == left


@BOTH
def test_the_limit_is_the_tightest_of_the_own_group_and_those_above(
    tmp_path: Path, version: Version
) -> None:
    own_group(tmp_path, version, "/batch/job:1/task")
    put(tmp_path, version, "", 9_000_000, 1_000_000)
    put(tmp_path, version, "batch", 4_000_000, 3_500_000, 100_000)
    put(tmp_path, version, "batch/other", 10, 5)
    put(tmp_path, version, "batch/job:1/task", 2_000_000, 300_000)
    assert memory_left(tmp_path) == 600_000
    put(tmp_path, version, "batch/job:1/task", 700_000, 300_000)
    assert memory_left(tmp_path) == 400_000
    put(tmp_path, version, "batch/job:1/task", "max", 300_000)
    put(tmp_path, version, "batch", 3_000_000, 3_500_000)
    assert memory_left(tmp_path) == 0


@BOTH
@pytest.mark.parametrize("path", ["/docker/3d1f", "/../beside", "", "beside"])
def test_a_group_that_cannot_be_seen_leaves_the_uppermost(
    tmp_path: Path, version: Version, path: str
) -> None:
    """In a container the path may be the host's, while its own group is the uppermost there."""
    own_group(tmp_path, version, path)
    put(tmp_path, version, "", 1_000_000, 400_000)
    put(tmp_path, version, "beside", 10, 5)
    put(tmp_path, version, "../beside", 10, 5)
    assert memory_left(tmp_path) == 600_000


@BOTH
@pytest.mark.parametrize("text", ["", "0", "memory", "x:y:z", "0:/", "\0"])
def test_a_list_of_groups_that_is_none(tmp_path: Path, version: Version, text: str) -> None:
    put(tmp_path, version, "", 1_000_000, 400_000)
    assert memory_left(tmp_path) == 600_000
    own_group(tmp_path, version, "/")
    (tmp_path / "proc/self/cgroup").write_text(text, encoding="utf-8")
    assert memory_left(tmp_path) == 600_000


@BOTH
@pytest.mark.parametrize("texts", [(), (1_000,), ("max", 5), ("-1", 5), ("", ""), (10, "5 kB")])
def test_a_group_that_tells_no_limit(
    tmp_path: Path, version: Version, texts: tuple[object, ...]
) -> None:
    assert memory_left(tmp_path) is None
    put(tmp_path, version, "", *texts)
    assert memory_left(tmp_path) is None


@BOTH
def test_bytes_that_are_no_text(tmp_path: Path, version: Version) -> None:
    put(tmp_path, version, "", 1_000_000, 400_000)
    own_group(tmp_path, version, "/")
    for name in ("proc/self/cgroup", f"{AT[version]}/memory.stat"):
        (tmp_path / name).write_bytes(b"\xff\xfe 5\n")
    assert memory_left(tmp_path) == 600_000
    (tmp_path / AT[version] / version[0]).write_bytes(b"\xb2")
    assert memory_left(tmp_path) is None


@pytest.mark.parametrize(("allocated", "budget"), [(100, 400), (600, 150), (700, 150)])
def test_what_torch_holds_of_a_gpu_for_its_next_tensors_is_free(
    monkeypatch: pytest.MonkeyPatch, allocated: int, budget: int
) -> None:
    """Else the second chunk would be smaller than the first, and the third than that."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (300, 1000))
    monkeypatch.setattr("torch.cuda.memory_reserved", lambda _: 600)
    monkeypatch.setattr("torch.cuda.memory_allocated", lambda _: allocated)
    assert memory.budget_bytes(torch.device("cuda")) == budget
