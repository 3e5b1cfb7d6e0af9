"""A lesson of the course, answered rightly by a student with shuffled heads, then graded."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from mediawidget.teach.grading import grade

COURSE = Path(__file__).parents[2] / "examples" / "course"
#: It picks a head, whose label is another one for every student.
LESSON = "01_one_intervention"

ANSWERING = """
from mediawidget.teach import Lesson

def _answer(lesson, name, question):
    if question.KIND in ("choice", "number"):
        lesson.commit(name, question.answer())
    if question.KIND == "pick":
        best = question.verdict(question.labels[: question.several]).facts["best"]
        lesson.commit(name, best[: question.several])
        question.try_out(lesson.attempts[name].guess)
    if question.KIND not in ("text", "do"):
        lesson.reveal(name)

def _ran(_result, asked=set()):
    for lesson in [it for it in list(globals().values()) if isinstance(it, Lesson)]:
        for name, question in list(lesson.questions.items()):
            if name not in asked:
                asked.add(name)
                _answer(lesson, name, question)

get_ipython().events.register("post_run_cell", _ran)
"""
"""Answers each question of a notebook behind its cell, as a student who is always right would."""


@pytest.mark.slow
def test_a_student_who_is_always_right_is_graded_so(tmp_path: Path) -> None:
    notebook = nbformat.read(COURSE / f"{LESSON}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    named = [cell for cell in notebook.cells if 'student = ""' in cell.source]
    named[0].source = named[0].source.replace('student = ""', 'student = "ada"')
    notebook.cells.insert(0, nbformat.v4.new_code_cell(ANSWERING))  # type: ignore[no-untyped-call]
    where = {"metadata": {"path": str(tmp_path)}}
    quiet = ["--log-level=40"]
    NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources=where, extra_arguments=quiet
    ).execute()

    table = grade(COURSE / "teacher" / f"{LESSON}.ipynb", [tmp_path / "answers"])
    assert set(table["student"]) == {"ada"}
    judged = table[table["kind"].isin(["choice", "number", "pick"])]
    assert len(judged) > 4
    assert "pick" in set(judged["kind"])
    assert judged["right"].eq(True).all()  # noqa: FBT003
    assert not judged["note"].any()
    (runs,) = table[table["kind"] == "runs"].to_dict("records")
    assert runs["right"] is True
    assert not runs["note"]
