"""On a server of many a kernel may write nowhere and reach nobody: all works all the same."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.hub import steps
from benchmarks.hub.kernels import Cell, Kernel, kernel
from benchmarks.hub.rooms import REFUSE, can_limit, tight, unwritable

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, gives up rights of Linux"),
]

MOST = 450 * 2**20
"""Bytes that a student's kernel may hold."""

FILES = 115 * 2**20
"""Of these the pages of the packages' files. How many more of them are mapped is the system's
choice (the same kernel had 118 and 185 MB on one day): all kernels share them."""

WRITES = """
from pathlib import Path as _Path
refused = []
for _place in (_Path.home(), _Path.cwd()):
    try:
        (_place / "x").write_text("")
    except OSError as _error:
        refused.append(str(_place))
"""
CONNECTS = """
import socket as _socket
try:
    _socket.create_connection(("localhost", 9), timeout=1)
except OSError:
    pass
"""


@dataclass
class Student:
    """What came of a student's cells, the kernel that ran them, and what it had written itself.

    The last is in bytes.
    """

    kernel: Kernel
    cells: dict[str, Cell]
    own: int


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Student]:
    """A kernel without a place to write or a network, after all steps."""
    folder = tmp_path_factory.mktemp("hub")
    with (
        unwritable(folder / "room") as room,
        kernel(folder / "k", before=room.before, environment=room.environment, cwd=room.cwd) as it,
    ):
        it.run(REFUSE + WRITES)
        cells = {name: it.run(code) for name, code in steps.STEPS.items()}
        steps.click(it, 3)
        # Before any test makes it write a traceback, which takes IPython some 30 MB to draw.
        yield Student(it, cells, it.memory().own)


def test_it_may_write_nowhere(student: Student) -> None:
    assert len(student.kernel.value("refused")) == 2


def test_every_step_runs_quietly(student: Student) -> None:
    assert {name: cell.error for name, cell in student.cells.items() if cell.error} == {}
    assert {name: cell.warnings for name, cell in student.cells.items() if cell.warnings} == {}
    assert "Traceback" not in student.kernel.said()


def test_views_are_shown_with_what_a_page_without_a_kernel_keeps(student: Student) -> None:
    for name in ("an Explorer", "a question"):
        cell = student.cells[name]
        assert len(cell.views) == 1, name
        assert cell.pictures == 1, name
    bundle = student.cells["an Explorer"].bundles[0]
    assert bundle["text/plain"] == "Explorer as it was last: run the cell to click in it."


def test_a_click_is_answered(student: Student) -> None:
    times = steps.click(student.kernel, 3)
    assert len(times) == 3
    last = student.kernel.value("[str(site.label()) for site in study.history.current.sites]")
    assert last == ["L4H0"]


def test_answers_that_cannot_be_written_are_kept_and_said_once(student: Student) -> None:
    state = steps.guess(student.kernel, "L2H1")
    assert state["card"]["guess"] == ["L2H1"]
    assert state["card"]["tried"]["label"] == "L2H1"
    assert "kept in memory only: answers/01.json" in state["notice"]
    assert student.kernel.value("lesson.report().guess.tolist()") == [["L2H1"]]
    for name in ("report.json", "report.csv"):
        error = student.kernel.run(f"lesson.save('{name}')").error
        assert error.startswith("MediationError: The report cannot be written there.")


def test_nothing_looks_for_the_network(student: Student) -> None:
    assert student.kernel.value("attempts") == []


def test_the_kernel_stays_small(student: Student) -> None:
    assert 100 * 2**20 < student.own < MOST - FILES
    assert student.kernel.value("'altair' in __import__('sys').modules") is False


def test_the_guard_of_the_network_can_fail(student: Student) -> None:
    student.kernel.run("attempts.clear()" + CONNECTS)
    assert len(student.kernel.value("attempts")) == 1
    student.kernel.run("attempts.clear()")


KNOCKS = """
import socket as _socket, subprocess as _subprocess
def _knock(host):
    try:
        _socket.create_connection((host, 9), timeout=1)
    except OSError as _error:
        return type(_error).__name__
def _send(host):
    with _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM) as _out:
        _out.sendto(b"x", (host, 9))
with _socket.create_server(("127.0.0.1", 0)) as _door:
    _socket.create_connection(_door.getsockname(), timeout=1).close()
"""
#: Another Python, which is not asked what it does.
UNHEARD = """
_subprocess.run([__import__("sys").executable, "-c", '''
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as out:
        try:
            out.connect(("192.0.2.1", 9))
        except OSError:
            pass
'''], check=True)
"""


@pytest.mark.skipif(not can_limit(), reason="needs root, control groups and namespaces")
def test_a_room_has_this_machine_and_no_way_out(tmp_path: Path) -> None:
    with (
        tight(tmp_path / "room") as room,
        kernel(tmp_path / "k", before=room.before, environment=room.environment, cwd=room.cwd) as k,
    ):
        opened = k.run(REFUSE + KNOCKS)
        assert opened.error == ""
        assert k.value("_knock('127.0.0.1')") == "ConnectionRefusedError"
        assert k.value("_knock('::1')") is not None
        assert k.value("attempts") == []
        assert room.unsent(k.pid) == 0
        # 192.0.2.0/24 is for documents: nobody has it.
        assert k.value("_knock('192.0.2.1')") == "OSError"
        assert k.run("_send('192.0.2.1')").error.startswith("OSError")
        assert len(k.value("attempts")) == 2
        assert room.unsent(k.pid) == 0
        assert k.run(UNHEARD).error == ""
        assert len(k.value("attempts")) == 2
        assert room.unsent(k.pid) == 2
