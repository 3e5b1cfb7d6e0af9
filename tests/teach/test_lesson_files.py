"""A lesson's file: gone on from, shared, damaged; and what was done on its studies."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

import mediawidget as mw
from mediawidget.teach.attempts import read_answers
from mediawidget.teach.lesson import Lesson
from tests.teach.asked import lesson_of_all, swapped_names


@pytest.fixture
def study() -> mw.Study:
    return swapped_names()


def test_a_notebook_that_runs_again_goes_on_from_its_file(study: mw.Study, tmp_path: Path) -> None:
    file = tmp_path / "answers" / "all.json"
    first = lesson_of_all(study, file=file)
    assert not file.exists()  # nothing was answered
    first.commit("best", "L3H3")
    first.reveal("best")
    first.hint("sum")
    again = lesson_of_all(swapped_names(), file=file)
    assert (again.credit, again.attempts["sum"].hints) == (1, 1)
    card = again.ask(again.questions["best"])
    assert card.state["card"]["status"] == "revealed"
    assert card.state["card"]["truth"]["best"] == first.verdict("best").facts["best"]


def test_a_changed_question_sets_its_old_answer_aside(study: mw.Study, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    lesson_of_all(study, file=file).commit("sum", 1)
    again = Lesson("All kinds", file=file)
    again.number("sum", "Now a number?", lambda: 1.0, within=1)
    again.choice("total", "Now a choice?", ["a", "b"], lambda: 1)
    assert again.credit == 1  # 1 is a number too
    other = Lesson("All kinds", file=file)
    other.text("sum", "Now a sentence?")
    assert other.credit == 0
    assert "was changed" in other.notice
    other.commit("sum", "A sentence of more than twenty characters.")
    kept = read_answers(file).answers
    assert (kept["sum (before)"].guess, kept["sum"].guess[:10]) == (1, "A sentence")
    third = Lesson("All kinds", file=file)
    third.choice("sum", "A choice again?", ["a", "b"], lambda: 1)
    third.commit("sum", 0)
    assert set(read_answers(file).answers) == {"sum", "sum (before)", "sum (before 2)"}


def test_two_notebooks_with_one_file_lose_nothing(study: mw.Study, tmp_path: Path) -> None:
    """As when the cell of the lesson runs again: the cards on the page are the first one's."""
    file = tmp_path / "all.json"
    first = lesson_of_all(study, file=file)
    second = lesson_of_all(study, file=file)
    first.commit("sum", 1)
    second.commit("total", 3)
    first.commit("best", "L3H3")
    first.reveal("sum")
    study.intervene(mw.Site("head", 2, head=0))  # both write it down
    second.commit("own", "A sentence of more than twenty characters.")
    assert second.credit == 4
    assert second.attempts["sum"].revealed
    assert set(read_answers(file).answers) == {"sum", "total", "best", "own"}
    first.forget("sum")
    first.keep()
    assert "sum" not in read_answers(file).answers


def test_of_two_guesses_at_one_question_the_first_counts(study: mw.Study, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    first, second = (lesson_of_all(study, file=file) for _ in range(2))
    first.commit("sum", 1)
    first.attempts["sum"].committed = "2026-01-01T00:00:00+00:00"
    first.keep()
    second.commit("sum", 0)
    assert second.attempts["sum"].guess == 1


def test_a_file_that_became_another_lessons_is_left_as_it_is(
    study: mw.Study, tmp_path: Path
) -> None:
    file = tmp_path / "all.json"
    first, other = lesson_of_all(study, file=file), Lesson("Another", file=file)
    other.choice("c", "?", ["a", "b"], lambda: 1)
    first.commit("sum", 1)
    written = file.read_text()
    other.commit("c", 1)
    assert file.read_text() == written
    assert "kept in memory only" in other.notice
    assert "another lesson" in other.notice
    file.unlink()
    other.keep()
    assert (other.notice, read_answers(file).lesson) == ("", "Another")


def test_a_name_is_read_as_its_model_is(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    lesson = Lesson("L", student="Ada", file=file)
    lesson.choice("c", "?", ["a", "b"], lambda: 1).commit(0)
    again = Lesson("L", student=" ada", file=file)
    again.choice("c", "?", ["a", "b"], lambda: 1)
    assert again.credit == 1


def test_a_test_shows_no_answers_whatever_its_file_says(tmp_path: Path) -> None:
    file = tmp_path / "test.json"
    lesson = Lesson("T", file=file, feedback=False)
    lesson.choice("c", "?", ["a", "b"], lambda: 1).commit(0)
    file.write_text(file.read_text().replace('"revealed": false', '"revealed": true'))
    again = Lesson("T", file=file, feedback=False)
    card = again.choice("c", "?", ["a", "b"], lambda: 1, after="BECAUSE")
    assert again.attempts["c"].revealed
    assert card.state["card"]["truth"] is None
    assert card.state["steps"][0]["right"] is None
    assert "BECAUSE" not in json.dumps(card.state)
    assert "model says" not in card._html()


def test_a_report_that_cannot_be_written_says_so(study: mw.Study, tmp_path: Path) -> None:
    lesson = lesson_of_all(study)
    (tmp_path / "file").write_text("")
    for name in ("report.json", "report.csv"):
        with pytest.raises(mw.MediationError, match="cannot be written there"):
            lesson.save(tmp_path / "file" / name)
        assert lesson.save(tmp_path / "new" / name).is_file()


def test_another_lessons_file_is_refused(study: mw.Study, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    lesson_of_all(study, file=file).commit("sum", 1)
    for options in ({"name": "Another"}, {"name": "All kinds", "student": "ada"}):
        with pytest.raises(mw.MediationError, match="another lesson or student"):
            Lesson(**options, file=file)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1, 2]",
        "not json",
        '{"format": "mediawidget answers 1"}',
        (
            '{"format": "mediawidget answers 1", "lesson": "All kinds", "student": "", '
            '"answers": {"sum": {"guess": 1, "hints": "many"}}, "runs": []}'
        ),
        (
            '{"format": "mediawidget answers 1", "lesson": "All kinds", "student": "", '
            '"answers": {"sum": {"gues": 1}}, "runs": []}'
        ),
        "[" * 100_000,
        (
            '{"format": "mediawidget answers 1", "lesson": "All kinds", "student": "", '
            '"answers": {"sum": {"guess": 1e999}}, "runs": []}'
        ),
        (
            '{"format": "mediawidget answers 1", "lesson": "All kinds", "student": "", '
            '"answers": {}, "runs": [{"Y10": NaN}]}'
        ),
    ],
)
def test_a_damaged_file_is_refused_and_left_as_it_is(text: str, tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text(text)
    with pytest.raises(mw.MediationError, match="rename it, or give the lesson another file="):
        Lesson("All kinds", file=file)
    assert file.read_text() == text


def test_where_nothing_can_be_written_nothing_is_lost(study: mw.Study, tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("a file where a folder should be")
    lesson = lesson_of_all(study, file=tmp_path / "answers" / "all.json")
    card = lesson.ask(lesson.questions["sum"])
    card.commit(1)
    assert lesson.credit == 1
    assert "kept in memory only" in card.state["notice"]


def test_what_is_done_on_a_study_is_written_down(study: mw.Study, tmp_path: Path) -> None:
    lesson = lesson_of_all(study)
    study.intervene([mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)])
    study.sweep("head", progress=False)
    (run,) = lesson.diary.runs
    effect = study.last
    assert run["study"] == "best"
    assert len(run["run"]["edits"]) == 2
    assert effect is not None
    again = study.intervene([mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)])
    assert run["Y01"] == pytest.approx(float(again["Y01"]))
    assert math.isfinite(run["Y10"])
    saved = json.loads(lesson.save(tmp_path / "all.json").read_text())
    assert saved["runs"][0] == run


def test_what_an_answer_runs_is_not_the_students(study: mw.Study) -> None:
    lesson = Lesson("Mine and theirs")
    lesson.watch(study, "pair")
    site = mw.Site("head", 3, head=0)
    card = lesson.number(
        "n",
        "?",
        lambda: float(study.intervene(site)["PIE"]),
        within=1,
        after=lambda: f"{study.intervene(mw.Site('head', 3, head=1))['PIE']:.2f}",
    )
    card.commit(1.0)
    card.reveal()
    assert lesson.diary.runs == []
    study.intervene(mw.Site("head", 2, head=0))
    assert len(lesson.diary.runs) == 1


def test_a_study_with_two_names_is_written_down_once(study: mw.Study) -> None:
    lesson = Lesson("Names")
    lesson.pick("best", "?", study)
    lesson.watch(study, "swapped names")
    study.intervene(mw.Site("head", 2, head=0))
    assert [run["study"] for run in lesson.diary.runs] == ["swapped names"]
    assert set(lesson.diary.studies) == {"best", "swapped names"}
