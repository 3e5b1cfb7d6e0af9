"""`python -m mediawidget grade`: the teacher's notebook runs, a table comes of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from mediawidget.__main__ import main
from mediawidget.commands import grade as command
from mediawidget.teach.grading import grade, shown, write_table
from mediawidget.teach.judging import COLUMNS, Row
from tests.asking import raised
from tests.teach.course_of_one import answered, code, teachers


def notebook_at(path: Path, *sources: str) -> Path:
    notebook = nbformat.v4.new_notebook(cells=[code(source) for source in sources])  # type: ignore[no-untyped-call]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    return path


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teacher") / "one.ipynb"
    nbformat.write(teachers(), path)  # type: ignore[no-untyped-call]
    # Answers of the teacher's own lie beside the notebook; grading neither reads nor writes them.
    answered(path.parent, "ada")
    return path


@pytest.mark.slow
def test_a_class_is_graded(
    teacher: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = answered(tmp_path / "ada", "ada")
    wrong = answered(tmp_path / "bob", "=bob()", total=0.0)
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "bob" / "other.json").write_text(
        json.dumps(json.loads(good.read_text()) | {"lesson": "Two"})
    )
    before = (teacher.parent / "answers" / "one.json").read_bytes()
    out = tmp_path / "grades.csv"
    files = [good, tmp_path / "bob", tmp_path / "broken.json"]
    assert main(["grade", str(teacher), *map(str, files), "--csv", str(out)]) == 0

    said = capsys.readouterr().out
    assert "one.json: ada, 2 of 2 answered, 2 of 2 points, 1 of 1 runs come back" in said
    assert "one.json: =bob(), 2 of 2 answered, 1 of 2 points, 1 of 1 runs come back" in said
    assert "broken.json: Not judged. This is no file of answers." in said
    assert "other.json" not in said
    assert "Passed over 1 files of other lessons." in said
    assert "WARNING" not in capsys.readouterr().err
    assert "it proves nothing" in said
    assert (teacher.parent / "answers" / "one.json").read_bytes() == before

    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == list(COLUMNS)
    by = {(row["student"], row["question"]): row["right"] for row in rows if row["question"]}
    assert by == {
        ("ada", "total"): "True",
        ("ada", "best"): "True",
        ("'=bob()", "total"): "False",
        ("'=bob()", "best"): "True",
    }
    assert {row["file"] for row in rows} == {
        str(path) for path in (good, wrong, tmp_path / "broken.json")
    }


@pytest.mark.slow
def test_a_notebook_that_fails_or_has_no_lesson_is_said(tmp_path: Path) -> None:
    answers = [answered(tmp_path, "ada")]
    fails = notebook_at(tmp_path / "fails.ipynb", "1 / 0")
    error = raised(lambda: grade(fails, answers))
    assert "does not run" in error.message
    assert "ZeroDivisionError" in str(error.value)
    empty = notebook_at(tmp_path / "empty.ipynb", "x = 1")
    assert "has no lesson" in raised(lambda: grade(empty, answers)).message


@pytest.mark.slow
def test_a_notebook_finds_what_lies_beside_and_above_it(tmp_path: Path) -> None:
    """And what it writes goes nowhere."""
    (tmp_path / "teacher").mkdir()
    (tmp_path / "messy").mkdir()
    (tmp_path / "messy" / "grid.json").write_text("{}")
    (tmp_path / "teacher" / "pairs.csv").write_text("a")
    (tmp_path / "teacher" / "answers").mkdir()
    source = """from pathlib import Path
import mediawidget as mw
assert [it for it in Path.cwd().parents if (it / "messy" / "grid.json").is_file()]
assert Path("pairs.csv").read_text() == "a"
lesson = mw.teach.Lesson("One", file="answers/one.json")
lesson.choice("c", "?", ["a", "b"], lambda: 1).commit(0)
lesson.save("report.csv")"""
    teacher = notebook_at(tmp_path / "teacher" / "one.ipynb", source)
    answers = tmp_path / "students.json"
    answers.write_text(
        json.dumps(
            {
                "format": "mediawidget answers 1",
                "lesson": "One",
                "student": "",
                "answers": {"c": {"guess": 1, "committed": "2026"}},
                "runs": [],
            }
        )
    )
    table = grade(teacher, answers)
    assert table["right"].tolist() == [True, None]
    assert not list((tmp_path / "teacher" / "answers").iterdir())
    assert not (tmp_path / "teacher" / "report.csv").exists()


def test_without_a_notebook_or_answers_nothing_is_graded(teacher: Path, tmp_path: Path) -> None:
    assert "cannot be read" in raised(lambda: grade(tmp_path / "none.ipynb", ["a.json"])).message
    (tmp_path / "text.ipynb").write_text("no notebook")
    assert "cannot be read" in raised(lambda: grade(tmp_path / "text.ipynb", ["a"])).message
    (tmp_path / "ada").mkdir()
    assert "nothing to grade" in raised(lambda: grade(teacher, [tmp_path / "ada"])).message
    assert "nothing to grade" in raised(lambda: grade(teacher, [])).message


def test_a_table_holds_nothing_that_a_spreadsheet_would_execute(tmp_path: Path) -> None:
    values = ["=1+1", "+1", "-1", "@x", "\tx", "plain", -1.5, None, True, ["=x"], "\ud800\x1b[2J"]
    table = pd.DataFrame({"guess": pd.Series(values, dtype=object)})
    text = write_table(table, tmp_path / "out.csv").read_text(encoding="utf-8")
    cells = [row[0] if row else "" for row in csv.reader(text.splitlines())][1:]
    assert not [cell for cell in cells if cell[:1] in "=+@\t" and cell]
    assert [cell for cell in cells if cell.startswith("-")] == ["-1.5"]
    assert "plain" in cells
    assert "\x1b" not in text
    folder = tmp_path / "out.csv" / "below.csv"
    assert "cannot be written" in raised(lambda: write_table(table, folder)).message


def test_what_a_file_says_does_not_steer_a_terminal() -> None:
    table = pd.DataFrame(
        [{"file": "/a/\x1b[2Jx.json", "note": "Not judged. \x07\n" + "y" * 500}],
        columns=list(COLUMNS),
    )
    (line,) = command.lines(table.astype(object).where(table.notna(), None))
    assert line.isprintable()
    assert len(line) < 150
    assert shown("\x1b[2J") == "\N{REPLACEMENT CHARACTER}[2J"


def test_a_line_is_said_of_a_file_whatever_is_missing_in_its_rows() -> None:
    runs: Row = {"file": "a.json", "lesson": "L", "student": "ada", "kind": "runs", "note": ""}
    asked: Row = {**runs, "kind": "choice", "question": "c", "points": 1.0}

    def said(*rows: Row) -> list[str]:
        table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)
        return list(command.lines(table.where(table.notna(), None)))

    assert said({**runs, "answer": "0 of 0 runs come back"}) == ["a.json: the lesson asks nothing"]
    not_judged: Row = {"file": "a.json", "kind": "runs", "note": "Not judged. Why."}
    first, second = said(asked, not_judged)
    assert first == "a.json: ada, 0 of 1 answered, 0 of 1 points, runs not judged"
    assert second == "    runs: Not judged. Why."
