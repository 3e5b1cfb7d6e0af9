"""A course of one notebook, as a teacher has it, and what students make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from release_course import released

import mediawidget as mw
from mediawidget.teach.lesson import Lesson
from mediawidget.teach.shuffle import load, roles

NAME, FILE = "One", "answers/one.json"
SETUP = f"""import mediawidget as mw

student = ""
lm = mw.teach.load(student)
lesson = mw.teach.Lesson("{NAME}", student=student, file="{FILE}")
study = mw.Study(lm, mw.tasks.ioi(lm, n=4, seed=0))
lesson.watch(study, "swapped names")"""
ASKED = """lesson.number("total", "How large?", lambda: float(study.total["TE"]), within=1)
lesson.pick("best", "Which head?", study)"""
BEST = """### BEGIN SOLUTION
best = study.sweep("head", progress=False).top(1)["site"].iloc[0]
best = mw.Site("head", int(best[1]), head=int(best[3]))
### END SOLUTION"""
BEST_TEST = """lesson.check("best", best, "site")
### BEGIN HIDDEN TESTS
lesson.grade("best", best, mw.teach.roles(lm)["duplicate token"][0])
### END HIDDEN TESTS"""
TOTAL = """### BEGIN SOLUTION
total = float(study.total["TE"])
### END SOLUTION"""
TOTAL_TEST = """lesson.check("total", total)
### BEGIN HIDDEN TESTS
lesson.grade("total", total, study.total["TE"], within=0.1)
### END HIDDEN TESTS"""
CARDS = """print(f"{lesson.credit} cards answered")
### BEGIN HIDDEN TESTS
assert lesson.credit == 2
### END HIDDEN TESTS"""


def code(source: str, name: str = "", points: float | None = None) -> Any:
    cell = nbformat.v4.new_code_cell(source, id=name or "plain")  # type: ignore[no-untyped-call]
    if name:
        tests = points is not None
        cell.metadata.nbgrader = {
            "cell_type": "code",
            "grade": tests,
            "grade_id": name,
            "locked": tests,
            "schema_version": 3,
            "solution": not tests,
            "task": False,
        } | ({"points": points} if tests else {})
    return cell


def teachers() -> Any:
    """The teacher's notebook: two cards, two exercises, points for the cards too."""
    cells = [
        code(SETUP),
        code(ASKED),
        code(BEST, "best-answer"),
        code(BEST_TEST, "best-test", 2),
        code(TOTAL, "total-answer"),
        code(TOTAL_TEST, "total-test", 3),
        code(CARDS, "cards-test", 1),
    ]
    cells[1].id = "asked"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})  # type: ignore[no-untyped-call]


def students(student: str, best: str = "", total: str = "") -> Any:
    """A student's notebook, with what was written in place of the stubs."""
    notebook = released(teachers())
    setup, _, best_cell, _, total_cell, *_ = notebook.cells
    setup.source = setup.source.replace('student = ""', f"student = {student!r}")
    if best:
        best_cell.source = f"best = {best}"
    if total:
        total_cell.source = f"total = {total}"
    return notebook


def answered(folder: Path, student: str, *, total: float | None = None) -> Path:
    """The file of a student who clicked both cards (the pick is right) and one head."""
    lm = load(student)
    lesson = Lesson(NAME, student=student, file=folder / FILE)
    study = mw.Study(lm, mw.tasks.ioi(lm, n=4, seed=0))
    lesson.watch(study, "swapped names")
    lesson.number("total", "How large?", lambda: float(study.total["TE"]), within=1)
    best = lesson.pick("best", "Which head?", study)
    lesson.commit("total", float(study.total["TE"]) if total is None else total)
    best.commit([it.label() for it in roles(student)["duplicate token"]])
    return folder / FILE
