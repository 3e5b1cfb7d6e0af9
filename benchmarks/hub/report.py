"""The tables, for the screen and for HUB.md."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from statistics import median

from benchmarks.memory import MIB
from benchmarks.report import processor

from .crowd import Student
from .kernels import Memory
from .steps import words_of

FILE = Path(__file__).parent.parent / "HUB.md"
SAID = "\n## What it says\n"
"""From here on the file is written by hand, and kept."""

HEAD = """# What does a student's kernel need?

Written by `make bench-hub`: real kernels, driven over their sockets as JupyterLab drives them. A
click is a message of the page to the view, and lasts until the kernel has answered.

- Own: what the process wrote itself and no file holds. Resident: with the pages of the packages'
  files, as many as the system chose to map: all kernels share them, and they are given back where
  memory is short. Share: own, and the part of each page that is shared with others (PSS). MB of
  2^20 bytes.
- Attempts: of Python code in the kernel to look up a name, or to connect or send to an address that
  is not this very machine (127.0.0.1, ::1), and whatever else the room's network had no way for, by
  the system's own count.
- Trouble: exceptions in cells, and tracebacks in what cells or the kernel wrote.
"""

_CROWD = (
    "{} kernels started at once, without rooms; each loads, sweeps, shows an Explorer and a "
    "question. When the last is ready, each answers clicks in turn."
)


@dataclass(frozen=True)
class Step:
    """What a kernel holds after a step, and how long the step took."""

    name: str
    seconds: float
    memory: Memory


@dataclass(frozen=True)
class Ran:
    """A notebook in the room.

    Attributes:
        seconds: all its cells, without the start of the kernel.
        peak: of the kernel's resident memory, in bytes.
        views: widgets that were shown.
        pictures: those that a page without a kernel keeps.
        attempts: to reach the network.
        trouble: exceptions and tracebacks.
    """

    name: str
    seconds: float
    peak: int
    views: int
    pictures: int
    attempts: int
    trouble: Sequence[str]


@dataclass
class Report:
    """All that was measured.

    Attributes:
        room: what kind of room the kernels had that ran alone.
        clicks: seconds each. notice: what the question's card said of its file of answers.
        attempts: to reach the network. group: the most bytes that the room's control group held,
            and how often it was full; None without one.
    """

    room: str = ""
    steps: list[Step] = field(default_factory=list)
    clicks: list[float] = field(default_factory=list)
    notice: str = ""
    attempts: int = 0
    group: tuple[int | None, int | None] = (None, None)
    notebooks: list[Ran] = field(default_factory=list)
    students: list[Student] = field(default_factory=list)


def text(report: Report) -> str:
    """As Markdown."""
    lines = [HEAD, *_alone(report)]
    if report.notebooks:
        lines += _notebooks(report.notebooks)
    if report.students:
        lines += _crowd(report.students)
    return "\n".join([*lines, _machine(), ""])


def _alone(report: Report) -> list[str]:
    columns = ("after", "s", "resident", "own", "share", "peak")
    rows = [
        (
            one.name,
            f"{one.seconds:.2f}" if one.seconds else "-",
            *map(_mb, (one.memory.rss, one.memory.own, one.memory.pss, one.memory.peak)),
        )
        for one in report.steps
    ]
    held, full = report.group
    said = [
        f"- {len(report.clicks)} clicks: {words_of(report.clicks)}.",
        f"- Attempts to reach the network: {report.attempts}.",
        f"- The question's card: {report.notice or 'its file of answers was written'}",
    ]
    if held is not None:
        said.append(
            f"- The control group held {_mb(held)} MB at most until then (what it read first of "
            f"files is its own), and was full {full} times."
        )
    room = f"The room: {report.room}."
    return ["## One student", "", room, "", *_table(columns, rows), "", *said, ""]


def _notebooks(found: Sequence[Ran]) -> list[str]:
    columns = ("notebook", "s", "peak", "widgets", "pictures", "attempts", "trouble")
    rows = [
        (
            one.name,
            f"{one.seconds:.1f}",
            _mb(one.peak),
            *map(str, (one.views, one.pictures, one.attempts, len(one.trouble))),
        )
        for one in found
    ]
    told = [
        f"- {one.name}: {words.strip().splitlines()[-1]}" for one in found for words in one.trouble
    ]
    room = "Each from top to bottom in a fresh kernel in such a room; import and model included."
    return ["## The notebooks", "", room, "", *_table(columns, rows), "", *told, *[""] * bool(told)]


def _crowd(students: Sequence[Student]) -> list[str]:
    well = [one for one in students if not one.failure]
    said = [_CROWD.format(len(students)), "", f"- Failures: {len(students) - len(well)}."]
    held = [one.memory for one in well if one.memory]
    if well and held:
        ready = sorted(one.ready for one in well)
        clicks = [seconds for one in well for seconds in one.clicks]
        share = round(median(one.pss for one in held))
        resident = round(median(one.rss for one in held))
        peak = max(one.peak for one in held)
        said += [
            f"- Ready in {ready[0]:.0f} to {ready[-1]:.0f} s, half in {median(ready):.0f} s.",
            f"- {len(clicks)} clicks at rest: {words_of(clicks)}.",
            f"- Memory together: {_mb(sum(one.pss for one in held))} MB.",
            f"- One of them: share {_mb(share)}, resident {_mb(resident)}, at most {_mb(peak)} MB.",
        ]
    said += [f"- {one.failure}" for one in students if one.failure]
    return ["## A class at once", "", *said, ""]


def _machine() -> str:
    packages = ("ipykernel", "torch", "nnsight", "transformers", "pandas")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    python, load = platform.python_version(), os.getloadavg()[2]
    return (
        f"{processor()}, {os.cpu_count()} cores; their load over the last 15 minutes, this "
        f"included: {load:.1f}. Python {python}, {versions}."
    )


def _mb(size: int) -> str:
    return f"{size / MIB:,.0f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    found = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line) + " |" for line in found]
