"""Judge students' files of answers by the teacher's notebook, and say what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from ..teach.grading import grade, shown, write_table

WIDTH = 100
"""Characters of a note in the terminal; the table has it whole."""


def main(teacher: Path, answers: Sequence[Path], *, csv: Path | None = None) -> int:
    """Grade, print a line per file, and write the table where one is asked for."""
    table = grade(teacher, answers)
    print("\n".join(lines(table)))
    if table.attrs["passed over"]:
        print(f"Passed over {table.attrs['passed over']} files of other lessons.")
    if csv is not None:
        print(f"Wrote {len(table)} rows to {write_table(table, csv)}.")
    print("A student owns the kernel: a file of answers shows what was done, it proves nothing.")
    return 0


def lines(table: pd.DataFrame) -> Iterable[str]:
    """A line per file: who, how much was answered and right, whether runs come back; then notes."""
    for file in table["file"].unique():
        rows, name = table[table["file"] == file], shown(Path(file).name)
        asked = rows[rows["question"].notna()]
        notes = [(it.question, it.note) for it in rows.itertuples() if it.note]
        if asked.empty:
            yield f"{name}: {short(notes[0][1] if notes else 'the lesson asks nothing')}"
            continue
        done = int((asked["committed"].fillna("") != "").sum())
        points = pd.to_numeric(asked["score"]).sum(), pd.to_numeric(asked["points"]).sum()
        runs = rows[rows["kind"] == "runs"]["answer"].iloc[-1] or "runs not judged"
        student = short(asked["student"].iloc[0] or "no name")
        yield (
            f"{name}: {student}, {done} of {len(asked)} answered, "
            f"{points[0]:g} of {points[1]:g} points, {runs}"
        )
        yield from (f"    {question or 'runs'}: {short(note)}" for question, note in notes)


def short(text: object) -> str:
    """A text from a file as it fits on a line of a terminal."""
    words = " ".join(shown(text).split())
    return words if len(words) <= WIDTH else f"{words[:WIDTH]}..."
