"""A course under nbgrader: the teacher's notebook, a submission, its scores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.api import Gradebook

from mediawidget.teach.shuffle import roles
from tests.teach.course_of_one import answered, students, teachers

UNIT = "unit"


@pytest.fixture(scope="module", autouse=True)
def environment() -> Iterator[None]:
    """nbgrader calls alembic by its name: this environment, as if activated."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
        yield


def nbgrader(course: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "nbgrader", *arguments, "--course=one"]
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stderr


def put(notebook: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, folder / "one.ipynb")  # type: ignore[no-untyped-call]


def scores(course: Path, student: str) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        (notebook,) = book.find_submission(UNIT, student).notebooks
        return {grade.name: grade.auto_score for grade in notebook.grades}


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three submissions: one with a card file, one unanswered, one with its tests rewritten."""
    course = tmp_path_factory.mktemp("course")
    put(teachers(), course / "source" / UNIT)
    nbgrader(course, "generate_assignment", UNIT)

    (best,) = roles("ada")["duplicate token"]
    right = f'mw.Site("head", {best.layer}, head={best.head})'
    put(students("ada", right, "-1.0"), course / "submitted" / "ada" / UNIT)
    answered(course / "submitted" / "ada" / UNIT, "ada")

    put(students("eve"), course / "submitted" / "eve" / UNIT)

    trudy = students("trudy", right, 'float(study.total["TE"])')
    trudy.cells[3].source = "print('right')"
    put(trudy, course / "submitted" / "trudy" / UNIT)
    answered(course / "submitted" / "trudy" / UNIT, "trudy")

    nbgrader(course, "autograde", UNIT)
    return course


@pytest.mark.slow
def test_what_is_released_has_no_solutions(course: Path) -> None:
    text = (course / "release" / UNIT / "one.ipynb").read_text()
    assert "lesson.check" in text
    assert not any(word in text for word in ("SOLUTION", "HIDDEN", "duplicate token", "sweep("))


@pytest.mark.slow
def test_right_and_wrong_exercises_and_the_cards_are_scored(course: Path) -> None:
    """Ada's head is right in her order of heads; her total is wrong; her file has both cards."""
    assert scores(course, "ada") == {"best-test": 2, "total-test": 0, "cards-test": 1}
    ran = nbformat.read(course / "autograded" / "ada" / UNIT / "one.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert "best: right." in str(ran.cells[3].outputs)
    assert "total: -1.0 is not what the model says" in str(ran.cells[5].outputs)


@pytest.mark.slow
def test_an_unanswered_notebook_runs_to_its_end_without_points(course: Path) -> None:
    assert set(scores(course, "eve").values()) == {0}
    ran = nbformat.read(course / "autograded" / "eve" / UNIT / "one.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    assert "best: not answered yet." in str(ran.cells[3].outputs)
    assert "NameError" not in str(ran.cells)


@pytest.mark.slow
def test_tests_that_a_student_rewrote_are_put_back(course: Path) -> None:
    """The head that is right for Ada, copied, and a test that prints that it is."""
    assert roles("trudy")["duplicate token"] != roles("ada")["duplicate token"]
    assert scores(course, "trudy") == {"best-test": 0, "total-test": 3, "cards-test": 1}
