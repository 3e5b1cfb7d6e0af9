"""Students' files, judged by the teacher's lesson: honest ones, odd ones and hostile ones."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import mediawidget as mw
from mediawidget.runs import Run
from mediawidget.teach.judging import COLUMNS, Judge, Row
from mediawidget.teach.lesson import Lesson
from mediawidget.teach.rerunning import LARGEST_RUN, Comparison, Rerunner
from mediawidget.teach.rerunning import _Listed as Listed
from mediawidget.teach.shuffle import load, roles

NAME = "A lesson"


def lesson_of(student: str, file: Path | None = None) -> tuple[Lesson, mw.Study]:
    """The lesson as one student's notebook makes it; nothing is committed."""
    lm = load(student)
    study = mw.Study(lm, mw.tasks.ioi(lm, n=4, seed=0))
    lesson = Lesson(NAME, student=student, file=file)
    lesson.watch(study, "swapped names")
    lesson.number("total", "How large?", lambda: float(study.total["TE"]), within=1)
    lesson.choice("sum", "To 100%?", ["yes", "no"], lambda: "no", misconception="shares")
    lesson.pick("best", "Which head?", study)
    lesson.pick("best-two", "Which two?", study, several=2, points=2)
    lesson.text("words", "What did you see?")
    lesson.number("broken", "A question that fails.", lambda: float("nan"), within=1)
    return lesson, study


def student_file(
    folder: Path, student: str, work: Callable[[Lesson, mw.Study], None], name: str = ""
) -> Path:
    file = folder / f"{name or student or 'none'}.json"
    lesson, study = lesson_of(student, file)
    work(lesson, study)
    lesson.keep()
    return file


def right(lesson: Lesson, study: mw.Study) -> None:
    """All that can be right, answered from the student's own model."""
    theirs = roles(lesson.student)
    lesson.commit("total", float(study.total["TE"]))
    lesson.commit("sum", 1)
    lesson.commit("best", [it.label() for it in theirs["duplicate token"]])
    top = study.sweep("head", progress=False).top(2)["site"]
    lesson.commit("best-two", list(top))
    lesson.commit("words", "The heads do not sum to anything much.")
    lesson.commit("broken", 3)
    lesson.reveal("total")
    study.intervene(theirs["name movers"])
    study.intervene(theirs["duplicate token"])
    study.metric = mw.Prob()
    study.intervene(mw.Site("residual", 3, position="END"))


@pytest.fixture(scope="module")
def teachers() -> Lesson:
    return lesson_of("")[0]


def judge(lessons: Sequence[Lesson], paths: Sequence[str]) -> list[Row]:
    return Judge(paths).rows(lessons)


@pytest.fixture(scope="module")
def adas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return student_file(tmp_path_factory.mktemp("ada"), "Ada", right)


def rows_of(lesson: Lesson, path: Path) -> dict[str, dict[str, Any]]:
    rows = judge([lesson], [str(path)])
    assert all(set(row) <= {*COLUMNS, "other"} for row in rows)
    return {row.get("question") or row.get("kind", "file"): row for row in rows}


def changed(tmp_path: Path, source: Path, change: Callable[[Any], Any]) -> Path:
    body = json.loads(source.read_text())
    body = change(body) or body
    path = tmp_path / "changed.json"
    path.write_text(json.dumps(body))
    return path


def test_right_answers_of_a_shuffled_student_are_right(teachers: Lesson, adas: Path) -> None:
    rows = rows_of(teachers, adas)
    assert {name: rows[name]["right"] for name in ("total", "sum", "best", "best-two")} == (
        dict.fromkeys(("total", "sum", "best", "best-two"), True)
    )
    assert rows["best-two"]["score"] == 2
    assert rows["sum"]["misconception"] == "shares"
    # The table names what the student saw; the answer is in the labels of the files.
    (theirs,) = roles("ada")["duplicate token"]
    assert rows["best"]["guess"] == theirs.label() != "L0H1"
    assert rows["best"]["answer"].startswith("L0H1")
    assert "right" not in rows["words"]
    assert rows["total"]["revealed"] is True
    assert "could not compute its answer" in rows["broken"]["note"]
    assert "right" not in rows["broken"]


def test_runs_come_back_whatever_the_labels_and_the_metric(teachers: Lesson, adas: Path) -> None:
    runs = rows_of(teachers, adas)["runs"]
    assert runs["answer"] == "3 of 3 runs come back"
    assert runs["right"] is True
    assert not runs["note"]


def test_labels_copied_from_another_student_are_wrong(teachers: Lesson, tmp_path: Path) -> None:
    """What is right for Ada is another head for Bob."""

    def copied(lesson: Lesson, _study: mw.Study) -> None:
        lesson.commit("best", [it.label() for it in roles("ada")["duplicate token"]])

    assert roles("bob")["duplicate token"] != roles("ada")["duplicate token"]
    rows = rows_of(teachers, student_file(tmp_path, "bob", copied))
    assert rows["best"]["right"] is False
    assert rows["best"]["score"] == 0
    assert rows["sum"]["committed"] == ""
    assert "right" not in rows["sum"]


def test_without_a_name_the_labels_are_those_of_the_files(teachers: Lesson, tmp_path: Path) -> None:
    rows = rows_of(teachers, student_file(tmp_path, "", right))
    assert rows["best"]["guess"] == "L0H1"
    assert rows["best"]["right"] is True
    assert rows["runs"]["right"] is True


def test_what_a_file_claims_counts_for_nothing(
    teachers: Lesson, adas: Path, tmp_path: Path
) -> None:
    def forge(body: Any) -> None:
        body["answers"]["total"] |= {"guess": 1000, "right": True, "answer": "1000"}

    row = rows_of(teachers, changed(tmp_path, adas, forge))["total"]
    assert (row["right"], row["score"]) == (False, 0)
    assert row["note"] == "The file says right."


def test_invented_numbers_do_not_come_back(teachers: Lesson, adas: Path, tmp_path: Path) -> None:
    def forge(body: Any) -> None:
        body["runs"][1]["Y01"] += 0.5

    runs = rows_of(teachers, changed(tmp_path, adas, forge))["runs"]
    assert runs["answer"] == "2 of 3 runs come back"
    assert runs["right"] is False
    (theirs,) = roles("ada")["duplicate token"]
    assert runs["note"].startswith(f"{theirs.label()}: Y01 is written down as")


def test_runs_under_another_name_do_not_come_back(
    teachers: Lesson, adas: Path, tmp_path: Path
) -> None:
    """A file handed on under a new name has picks and runs of other heads."""
    rows = rows_of(teachers, changed(tmp_path, adas, lambda body: body.update(student="Bob")))
    assert rows["best"]["right"] is False
    assert rows["runs"]["answer"] == "1 of 3 runs come back"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda run: run.update(study="mine"), "of a study that the lesson does not have"),
        (lambda run: run.update(study=["x"]), "unreadable"),
        (lambda run: run.update(prompts="0"), "on prompts that the lesson does not have"),
        (lambda run: run.update(Y10=None), "without numbers"),
        (lambda run: run.update(Y10=float("nan")), "without numbers"),
        (lambda run: run.update(run="import os"), "unreadable"),
        (lambda run: run["run"].update(edits=[]), "unreadable"),
        (lambda run: run["run"]["edits"][0]["site"].update(layer=99), "unreadable"),
        (lambda run: run["run"]["edits"][0]["edit"].update(kind="os.system"), "unreadable"),
        (lambda run: run.update(metric={"name": "eval"}), "unreadable"),
        (
            lambda run: run.update(
                metric={"name": "function", "called": "mine", "unit": "", "tokens": []}
            ),
            "under a metric of one's own",
        ),
        (lambda run: run["run"].update(junk="x" * LARGEST_RUN), "too large"),
        (lambda run: run["run"].update(freeze=[[[]]]), "unreadable"),
    ],
)
def test_a_run_that_cannot_be_is_counted_and_left(
    teachers: Lesson, adas: Path, tmp_path: Path, change: Callable[[Any], None], why: str
) -> None:
    path = changed(tmp_path, adas, lambda body: change(body["runs"][0]))
    runs = rows_of(teachers, path)["runs"]
    assert runs["answer"] == "2 of 3 runs come back"
    assert f"1 not run again: {why}." in runs["note"]


@pytest.mark.parametrize("found", [(1.0, math.nan), (math.nan, 2.0), (math.nan, math.nan)])
def test_a_number_that_cannot_be_had_again_does_not_come_back(
    teachers: Lesson, found: tuple[float, float]
) -> None:
    rerunner, told = Rerunner(teachers), Comparison(1)
    edits = {mw.Site("head", 3, head=0): mw.Patch()}
    one = Listed(("swapped names", "", ""), Run("corrupt", edits), "L3H0", (1.0, 2.0))
    rerunner._found[one.key] = found, 1e-6
    rerunner._judge(one, told)
    assert told.back == 0
    assert told.differ[0].endswith("cannot be run")


def test_one_run_that_the_model_refuses_does_not_take_the_others_along(
    teachers: Lesson, adas: Path, tmp_path: Path
) -> None:
    def far(body: Any) -> None:
        body["runs"][0]["run"]["edits"][0]["site"]["position"] = 999

    runs = rows_of(teachers, changed(tmp_path, adas, far))["runs"]
    assert runs["answer"] == "2 of 3 runs come back"
    assert "cannot be run" in runs["note"]


def test_a_thousand_runs_are_run_once(teachers: Lesson, adas: Path, tmp_path: Path) -> None:
    def many(body: Any) -> None:
        body["runs"] = body["runs"] * 300

    path = changed(tmp_path, adas, many)
    started = time.perf_counter()
    assert rows_of(teachers, path)["runs"]["answer"] == "900 of 900 runs come back"
    assert time.perf_counter() - started < 20


BAD_GUESSES: list[Any] = [
    *(None, "x", -1, 99, 1.5, True, [], {}, [[]], float("nan"), float("inf"), "\ud800\x1b[2J"),
    *(10**300, ["L9H9"], ["L0H0", "L0H0"], {"__reduce__": "os.system"}),
]


@pytest.mark.parametrize("guess", BAD_GUESSES, ids=repr)
def test_a_guess_that_is_none_takes_points_and_nothing_else(
    teachers: Lesson, adas: Path, tmp_path: Path, guess: Any
) -> None:
    def forge(body: Any) -> None:
        for name in ("total", "sum", "best", "words"):
            body["answers"][name]["guess"] = guess
        body["answers"]["best"]["sites"] = guess if isinstance(guess, list) else None

    rows = rows_of(teachers, changed(tmp_path, adas, forge))
    assert rows["sum"]["right"] is False
    assert rows["best"]["right"] is False
    assert "No answer to this question." in rows["sum"]["note"] + rows["best"]["note"]
    assert rows["best-two"]["right"] is True
    json.dumps(list(rows.values()))


def test_cells_that_the_model_does_not_have(teachers: Lesson, adas: Path, tmp_path: Path) -> None:
    for sites in (
        [{"mediator": "head", "layer": 77, "head": 0}],
        [{"mediator": "residual", "layer": 0}],
        [{"mediator": "head"}],
        ["L0H1"],
        [{"mediator": "head", "layer": 0, "head": 1}] * 2,
    ):

        def forge(body: Any, sites: Any = sites) -> None:
            body["answers"]["best"]["sites"] = sites

        path = changed(tmp_path, adas, forge)
        row = rows_of(teachers, path)["best"]
        assert row["right"] is False
        assert row["note"].startswith("No answer to this question.")


WHOLE_FILES: dict[str, bytes] = {
    "empty": b"",
    "half": b'{"format": "mediawidget answers 1", "lesson": "A les',
    "binary": bytes(range(256)),
    "list": b"[]",
    "pickle": b"\x80\x04\x95cposix\nsystem\n.",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "number": b"1" * 10_000,
    "other format": b'{"format": "mediawidget-study-1"}',
    "fields": b'{"format": "mediawidget answers 1", "lesson": "A lesson"}',
    "answers": b'{"format": "mediawidget answers 1", "lesson": "A lesson", "student": "", '
    b'"answers": {"total": {"guess": 1, "hints": "many"}}, "runs": []}',
}


@pytest.mark.parametrize("content", WHOLE_FILES.values(), ids=list(WHOLE_FILES))
def test_a_damaged_file_has_one_line_and_stops_nobody(
    teachers: Lesson, adas: Path, tmp_path: Path, content: bytes
) -> None:
    bad = tmp_path / "bad.json"
    bad.write_bytes(content)
    rows = judge([teachers], [str(bad), str(tmp_path / "missing.json"), str(adas)])
    assert [row["file"] for row in rows[:2]] == [str(bad), str(tmp_path / "missing.json")]
    assert all(row["note"].startswith("Not judged. This is no") for row in rows[:2])
    assert len([row for row in rows if row["file"] == str(adas) and row.get("right")]) == 5


def test_answers_of_another_lesson_are_said_to_be(
    teachers: Lesson, adas: Path, tmp_path: Path
) -> None:
    path = changed(tmp_path, adas, lambda body: body.update(lesson="Another"))
    (row,) = judge([teachers], [str(path)])
    assert row["note"].startswith("Not judged. These are answers of another lesson.")


def test_a_hostile_name_is_kept_short(teachers: Lesson, adas: Path, tmp_path: Path) -> None:
    for name in ("x" * 1_000_000, "\ud800", "=cmd()", "\0"):

        def forge(body: Any, name: str = name) -> None:
            body["student"] = name

        path = changed(tmp_path, adas, forge)
        rows = rows_of(teachers, path)
        assert len(rows["total"]["student"]) <= 100
        assert rows["sum"]["right"] is True


def test_two_files_of_one_name_are_noted(teachers: Lesson, adas: Path, tmp_path: Path) -> None:
    again = changed(tmp_path, adas, lambda body: body.update(student=" ADA "))
    rows = judge([teachers], [str(adas), str(again)])
    notes = [row["note"] for row in rows if row.get("kind") == "runs"]
    assert notes == ["2 files have this name."] * 2


def test_answers_to_questions_that_nobody_asked(
    teachers: Lesson, adas: Path, tmp_path: Path
) -> None:
    def extra(body: Any) -> None:
        body["answers"]["mine"] = body["answers"]["total"]

    rows = rows_of(teachers, changed(tmp_path, adas, extra))
    assert "1 answers to questions that the lesson does not ask" in rows["runs"]["note"]


def test_a_question_is_judged_by_what_the_model_said_where_it_was_asked(tmp_path: Path) -> None:
    """A later cell turns to another metric: the answers from before stay right."""

    def early(lesson: Lesson, study: mw.Study) -> None:
        lesson.commit("total", float(study.total["TE"]))

    path = student_file(tmp_path, "ada", early)
    lesson, study = lesson_of("")
    judges = Judge([str(path)])
    judges.look([lesson])
    study.metric = mw.Prob()
    late = {row.get("question"): row for row in Judge([str(path)]).rows([lesson])}
    told = {row.get("question"): row for row in judges.rows([lesson])}
    assert (told["total"]["right"], late["total"]["right"]) == (True, False)


def test_an_answer_is_computed_once_for_a_class(tmp_path: Path) -> None:
    asked: list[int] = []

    def answer() -> float:
        asked.append(1)
        return 5.0

    paths = []
    for guess in range(10):
        lesson = Lesson(NAME, student=f"s{guess}", file=tmp_path / f"{guess}.json")
        lesson.number("n", "How many?", answer, within=1)
        lesson.commit("n", guess)
        paths.append(str(tmp_path / f"{guess}.json"))
    teachers = Lesson(NAME)
    teachers.number("n", "How many?", answer, within=1)
    rows = [row for row in judge([teachers], paths) if row.get("question")]
    assert [row["guess"] for row in rows if row["right"]] == [4, 5, 6]
    assert len(asked) == 1
