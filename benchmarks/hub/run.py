"""Measure a student's kernel in a container's room, the notebooks there, and twenty kernels."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from . import steps
from .crowd import at_once
from .kernels import Kernel, kernel
from .report import FILE, SAID, Ran, Report, Step, text
from .rooms import REFUSE, Room, tight

ROOT = Path(__file__).parents[2]
MANY = 20


@contextmanager
def in_room(folder: Path, beside: Iterable[Path] = ()) -> Iterator[tuple[Room, Kernel]]:
    """A kernel in a tight room, which notes whether something looks for the network."""
    with (
        tight(folder / "room", beside=beside) as room,
        kernel(folder / "k", before=room.before, environment=room.environment, cwd=room.cwd) as it,
    ):
        yield room, it


def alone(report: Report, folder: Path) -> None:
    """The steps of one student, in the room."""
    with in_room(folder) as (room, it):
        report.room = room.words
        report.steps.append(Step("started", 0.0, it.memory()))
        it.run(REFUSE)
        for name, code in steps.STEPS.items():
            report.steps.append(step(it, name, code))
        report.clicks = steps.click(it)
        report.notice = str(steps.guess(it)["notice"])
        report.steps.append(Step(f"{len(report.clicks)} clicks and a guess", 0.0, it.memory()))
        report.attempts = len(it.value("attempts")) + room.unsent(it.pid)
        report.group = room.peak(), room.failures()
        for name, code in steps.FURTHER.items():
            report.steps.append(step(it, name, code))


def step(it: Kernel, name: str, code: str) -> Step:
    """Run one, and look."""
    cell = it.run(code)
    steps.refuse_trouble(cell)
    return Step(name, cell.seconds, it.memory())


def notebook(path: Path, folder: Path) -> Ran:
    """All its cells, in the room, with the folders that lie beside it."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(one["source"]) for one in cells if one["cell_type"] == "code"]
    beside = [one for one in path.parent.iterdir() if one.is_dir()]
    with in_room(folder, beside) as (room, it):
        it.run(REFUSE)
        ran = [it.run(one) for one in code]
        attempts = len(it.value("attempts")) + room.unsent(it.pid)
        peak = it.memory().peak
        said = [it.said(), *(one.warnings for one in ran)]
    trouble = [one.error for one in ran if one.error]
    trouble += [words for words in said if "Traceback" in words]
    return Ran(
        str(path.relative_to(ROOT / "examples")),
        sum(one.seconds for one in ran),
        peak,
        sum(len(one.views) for one in ran),
        sum(one.pictures for one in ran),
        attempts,
        trouble,
    )


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hub", description=__doc__)
    parser.add_argument("--kernels", type=int, default=MANY, help="started at once; 0: none")
    parser.add_argument("--notebooks", nargs="*", type=Path, help="default: all examples")
    parser.add_argument("--dry", action="store_true", help="keep nothing")
    options = parser.parse_args()
    found = options.notebooks
    if found is None:
        found = sorted((ROOT / "examples").glob("*.ipynb"))
        found += sorted((ROOT / "examples" / "course").glob("*.ipynb"))
    report = Report()
    with TemporaryDirectory() as name:
        folder = Path(name)
        alone(report, folder / "alone")
        for index, path in enumerate(found):
            report.notebooks.append(notebook(path.resolve(), folder / f"n{index}"))
            print(f"bench: {report.notebooks[-1]}", flush=True)
        if options.kernels:
            report.students = at_once(options.kernels, folder)
    print(text(report))
    if not options.dry:
        old = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
        _, mark, said = old.partition(SAID)
        FILE.write_text(text(report) + mark + said, encoding="utf-8")
    failed = any(one.failure for one in report.students)
    return int(failed or any(ran.trouble for ran in report.notebooks))
