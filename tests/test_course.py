"""The course: its notebooks from a clean kernel, their claims and questions, by any labels."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from mediawidget.teach import MISCONCEPTIONS

COURSE = Path(__file__).parent.parent / "examples" / "course"
TEACHER = sorted((COURSE / "teacher").glob("*.ipynb"))
STUDENTS = sorted(COURSE.glob("*.ipynb"))
CLAIMS = Path(__file__).parent / "course_claims"

#: Commits what was left open, and computes every answer and every explanation.
ANSWERS = """
import json as _json

def _guess(question):
    if question.KIND == "pick":
        return question.labels[: question.several]
    return {"choice": 0, "number": 0.0, "text": "x" * 200}[question.KIND]

_found = {}
for _name, _question in lesson.questions.items():
    if _question.KIND == "do":
        continue
    if not lesson.attempts[_name].committed:
        lesson.commit(_name, _guess(_question))
    _verdict = lesson.verdict(_name)
    _found[_name] = {
        "kind": _question.KIND,
        "option": _verdict.facts.get("option"),
        "value": _verdict.facts.get("value"),
        "words": _verdict.words,
        "explained": lesson.explanation(_name),
        "misconception": _question.misconception,
    }
print("ANSWERS" + _json.dumps(_found))
"""


def run(path: Path, student: str, folder: Path, *ends: str) -> str:
    """Run a notebook as a student would, then ``ends``; what the last one printed."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        cell.source = re.sub(r'^student = ""', f"student = {student!r}", cell.source, flags=re.M)
    for end in ends:
        notebook.cells.append(nbformat.v4.new_code_cell(end))  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=resources).execute()
    outputs = notebook.cells[-1].get("outputs", [])
    return "".join(output.get("text", "") for output in outputs)


def answers(told: str) -> dict[str, dict[str, Any]]:
    return dict(json.loads(told.split("ANSWERS", 1)[1]))


@pytest.mark.slow
@pytest.mark.parametrize("path", TEACHER, ids=lambda path: path.stem)
def test_what_a_lesson_claims_is_so_under_anybodys_labels(path: Path, tmp_path: Path) -> None:
    """The teacher's copy under Ada's labels; the student's, unanswered, under the model's own."""
    claims = (CLAIMS / path.name).with_suffix(".py").read_text()
    assert claims.count("assert") >= 3
    folders = {name: tmp_path / name for name in ("teacher", "student")}
    for folder in folders.values():
        folder.mkdir()
        # A saved grid lies beside the notebooks, or beside their folder.
        (folder / "messy").symlink_to(COURSE / "messy")
    theirs = answers(run(path, "ada", folders["teacher"], claims, ANSWERS))
    open_ones = "assert lesson.credit == 0, lesson.report()"
    mine = answers(run(COURSE / path.name, "", folders["student"], open_ones, ANSWERS))
    assert len(mine) >= 5
    assert list(mine) == list(theirs)
    for name, answer in mine.items():
        assert answer["option"] == theirs[name]["option"], name
        if answer["value"] is not None:
            same = math.isclose(answer["value"], theirs[name]["value"], rel_tol=1e-3, abs_tol=1e-3)
            assert same, (name, answer["value"], theirs[name]["value"])
        assert answer["words"] or answer["kind"] == "text", name


def test_students_have_every_lesson_and_no_solution() -> None:
    assert [path.name for path in STUDENTS] == [path.name for path in TEACHER]
    assert len(STUDENTS) == 13
    for path in STUDENTS:
        text = path.read_text(encoding="utf-8")
        assert "BEGIN SOLUTION" not in text
        assert "HIDDEN TESTS" not in text
    for path in [*STUDENTS, *TEACHER]:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        assert not any(cell.get("outputs") for cell in notebook.cells), path.name


def test_every_misconception_has_an_exercise_in_a_lesson_and_an_item_in_both_tests() -> None:
    tagged = re.compile(r'misconception=\\?"([a-z-]+)\\?"')
    found = {path.stem: set(tagged.findall(path.read_text(encoding="utf-8"))) for path in TEACHER}
    tests = {name: found.pop(name) for name in ("pre_test", "post_test")}
    assert set().union(*found.values()) == set(MISCONCEPTIONS)
    assert all(items == set(MISCONCEPTIONS) for items in tests.values())


def test_no_prose_names_a_head() -> None:
    # Labels differ from student to student: they are computed.
    for path in TEACHER:
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        prose = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
        assert not re.findall(r"\bL\dH\d\b", prose), path.name
