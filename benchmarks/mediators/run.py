"""Hold every kind of mediator against every subject, and keep the tables in MEDIATORS.md."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

from . import subjects
from .kinds import kinds
from .measure import Row, rows
from .report import SAID, chart, section, text
from .subjects import Subject

FILE = Path(__file__).parent.parent / "MEDIATORS.md"
CHART = FILE.with_name("mediators.vl.json")


def everything(n: int) -> Iterator[Subject]:
    """The tasks, and the gate whose truth is known."""
    yield from subjects.taught(n)
    yield subjects.planted(rotated=True)
    yield subjects.planted(rotated=False)


def main() -> int:
    """Measure, print, keep."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mediators", description=__doc__)
    parser.add_argument("--pairs", type=int, default=subjects.N_PAIRS, help="per task")
    parser.add_argument("--dry", action="store_true", help="keep nothing")
    options = parser.parse_args()
    started = time.monotonic()
    tables: list[tuple[Subject, list[Row]]] = []
    for subject in everything(options.pairs):
        found = rows(subject, kinds())
        tables.append((subject, found))
        print("\n".join(section(subject, found)), flush=True)
    if not options.dry:
        old = FILE.read_text(encoding="utf-8") if FILE.is_file() else ""
        _, mark, said = old.partition(SAID)
        FILE.write_text(text(tables) + mark + said, encoding="utf-8")
        chart([row for _, some in tables for row in some]).save(CHART)
    print(f"bench: {time.monotonic() - started:.0f} s")
    return 0
