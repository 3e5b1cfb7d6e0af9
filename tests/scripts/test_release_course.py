"""What a student gets of the teacher's notebook."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
import release_course
from release_course import out_of_step, released

SOLVED = """half = ...  # your answer
### BEGIN SOLUTION
half = whole / 2
### END SOLUTION"""
NAMED = """# Two numbers.
### BEGIN SOLUTION
inner = whole + 1
first, second = inner, inner + 1
### END SOLUTION"""
INSIDE = """share = (
    ### BEGIN SOLUTION
    half / whole
    ### END SOLUTION
)"""
TESTS = """print(half, first, second, share)
### BEGIN HIDDEN TESTS
assert half == 2
assert [inner for inner in (5,)] == [inner]
### END HIDDEN TESTS"""


def cell(kind: str, source: str, name: str = "", **said: Any) -> Any:
    make = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}[kind]
    it = make(source, id=name or "plain")  # type: ignore[no-untyped-call]
    if name:
        it.metadata.nbgrader = {
            "grade": False,
            "solution": False,
            "locked": False,
            "task": False,
            "grade_id": name,
            "schema_version": 3,
            "cell_type": kind,
            **said,
        }
    return it


def notebook() -> Any:
    cells = [
        cell("code", "whole = 4"),
        cell("code", SOLVED, "solved", solution=True),
        cell("code", NAMED, "named", solution=True),
        cell("code", INSIDE, "inside", solution=True),
        cell("code", TESTS, "tests", grade=True, locked=True, points=2),
        cell("markdown", "The model answer.", "words", grade=True, solution=True, points=1),
    ]
    cells[1].outputs = [nbformat.v4.new_output("stream", text="2")]  # type: ignore[no-untyped-call]
    return nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]


def test_solutions_and_hidden_tests_are_gone_and_what_grades_stays() -> None:
    teachers = notebook()
    students = released(teachers)
    sources = [it.source for it in students.cells]
    assert sources[0] == "whole = 4"
    assert sources[1] == "half = ...  # your answer"
    # What another cell reads is there; what the solution alone used is not told.
    stub = "...  # your answer"
    assert sources[2] == f"# Two numbers.\nfirst = {stub}\nsecond = {stub}"
    assert sources[3] == f"share = (\n    {stub}\n)"
    assert sources[4] == "print(half, first, second, share)"
    assert sources[5] == release_course.TEXT
    assert teachers.cells[1].source == SOLVED
    assert not students.cells[1].outputs
    for before, after in zip(teachers.cells[1:], students.cells[1:], strict=True):
        told = after.metadata.nbgrader
        assert {key: told[key] for key in before.metadata.nbgrader} == before.metadata.nbgrader
        assert told.checksum
    assert students.cells[4].metadata.editable is False


def test_an_unanswered_copy_runs_from_top_to_bottom() -> None:
    names: dict[str, Any] = {}
    for it in released(notebook()).cells:
        if it.cell_type == "code":
            exec(it.source, names)  # noqa: S102 - the notebook above
    assert names["half"] is names["second"] is names["share"] is ...


def test_copies_out_of_step_are_found_written_and_then_in_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "teacher").mkdir()
    nbformat.write(notebook(), tmp_path / "teacher" / "01_one.ipynb")  # type: ignore[no-untyped-call]
    monkeypatch.setattr(release_course, "COURSE", tmp_path)
    copy = tmp_path / "01_one.ipynb"

    monkeypatch.setattr(sys, "argv", ["release_course.py", "--check"])
    assert release_course.main() == 1
    assert not copy.exists()
    assert "01_one.ipynb is out of step" in capsys.readouterr().out

    monkeypatch.setattr(sys, "argv", ["release_course.py"])
    assert release_course.main() == 0
    assert "BEGIN" not in copy.read_text()
    assert not out_of_step(tmp_path)
    copy.write_text(copy.read_text().replace("whole = 4", "whole = 5"))
    assert list(out_of_step(tmp_path)) == [copy]


def test_the_students_copies_are_in_step() -> None:
    assert not out_of_step(release_course.COURSE)
