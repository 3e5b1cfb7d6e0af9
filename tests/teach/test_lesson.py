"""A lesson: commit once, reveal after, hints, reports, cards, exercises in code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mediawidget as mw
from mediawidget.teach.card import Card
from mediawidget.teach.lesson import Lesson
from mediawidget.teach.picking import Pick
from tests.teach.asked import lesson_of_all, swapped_names


@pytest.fixture
def study() -> mw.Study:
    return swapped_names()


def test_a_prediction_comes_first_and_counts_once(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    with pytest.raises(mw.MediationError, match="A prediction comes first"):
        lesson.reveal("total")
    lesson.commit("total", 3)
    with pytest.raises(mw.MediationError, match="committed once"):
        lesson.commit("total", 11)
    verdict = lesson.reveal("total")
    assert verdict.right is False
    assert verdict.facts["value"] == pytest.approx(float(study.total["TE"]))


def test_nothing_is_computed_before_the_guess(study: mw.Study) -> None:
    calls: list[str] = []

    def answer() -> int:
        calls.append("answer")
        return 0

    def after() -> str:
        calls.append("after")
        return "words"

    lesson = Lesson("Lazy")
    card = lesson.choice("c", "?", ["a", "b"], answer, after=after)
    lesson.pick("p", "?", study)
    card.hint()
    card.commit(0)
    assert calls == []
    assert "head" not in study.grids
    card.reveal()
    assert card.state["card"]["truth"]["after"] == ["words"]
    lesson.progress.close()
    assert calls == ["answer", "after"]  # once each, however often cards are drawn


def test_the_page_holds_nothing_of_the_answer_before_the_reveal() -> None:
    lesson = Lesson("Quiet")
    card = lesson.choice("c", "?", ["a", "b"], lambda: 1, after="BECAUSE", hints=["HINT ONE"])
    sent = json.dumps(card.state)
    assert card.state["card"]["truth"] is None
    assert "BECAUSE" not in sent
    assert "HINT ONE" not in sent
    card.hint()
    assert "HINT ONE" in json.dumps(card.state)
    card.commit("a")
    assert card.state["card"]["truth"] is None
    assert "BECAUSE" not in json.dumps(card.state)
    card.reveal()
    truth = dict(card.state)["card"]["truth"]
    assert (truth["right"], truth["option"], truth["after"]) == (False, 1, ["BECAUSE"])


def test_credit_is_for_committing_points_are_for_being_right(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    assert (lesson.credit, lesson.score) == (0, (0, 3))
    lesson.commit("sum", 0)
    lesson.commit("total", float(study.total["TE"]))
    assert (lesson.credit, lesson.score) == (2, (0, 3))
    lesson.reveal("sum")
    lesson.reveal("total")
    assert (lesson.credit, lesson.score) == (2, (1, 3))


def test_the_report_is_a_row_a_question(study: mw.Study, tmp_path: Path) -> None:
    lesson = lesson_of_all(study)
    lesson.commit("sum", 1)
    lesson.hint("sum")
    lesson.reveal("sum")
    lesson.commit("best", "L3H3")
    report = lesson.report()
    assert report["question"].tolist() == ["sum", "total", "best", "own", "click"]
    assert report["right"].tolist() == [True, None, None, None, None]
    assert report["hints"].tolist() == [1, 0, 0, 0, 0]
    assert report["misconception"][2] == "shares"
    written = pd.read_csv(lesson.save(tmp_path / "report.csv"))
    assert written["question"].tolist() == report["question"].tolist()
    with pytest.raises(mw.MediationError, match="JSON or CSV"):
        lesson.save(tmp_path / "report.xlsx")


def test_a_test_shows_no_answers_and_its_teacher_sees_them(study: mw.Study) -> None:
    lesson = lesson_of_all(study, feedback=False)
    lesson.commit("sum", 1)
    lesson.commit("best", "L3H3")
    with pytest.raises(mw.MediationError, match="does not show its answers"):
        lesson.reveal("sum")
    assert lesson.report()["right"].isna().all()
    card = lesson.ask(Pick(id="another", prompt="Which?", study=study))
    card.commit("L3H3")
    assert card.state["card"]["tried"] is None
    judged = lesson.judged().set_index("question")["right"]
    assert judged["sum"]
    assert not judged["best"]
    assert judged["total"] is None


# --- cards ---------------------------------------------------------------------------------------


def press(card: Card, **message: Any) -> dict[str, Any]:
    card._asked(None, message, None)
    return dict(card.state["card"])


def test_buttons_do_what_python_does_and_errors_are_said_on_the_card(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    card = lesson.ask(lesson.questions["total"])
    assert "no number" in press(card, do="commit", id="total", guess="many")["error"]
    assert press(card, do="commit", id="total", guess=11.2)["status"] == "committed"
    assert "committed once" in press(card, do="commit", id="total", guess=1)["error"]
    shown = press(card, do="reveal", id="total")
    assert shown["status"] == "revealed"
    assert shown["error"] == ""


@pytest.mark.parametrize(
    "message",
    [None, 3, {}, {"do": "commit"}, {"do": "close", "id": "sum"}, {"do": ["commit"]}]
    + [{"do": "go", "to": to} for to in (-1, 99, None, True, "1")]
    + [{"do": "commit", "id": "total", "guess": 1}],
)
def test_a_message_of_nonsense_changes_nothing(study: mw.Study, message: Any) -> None:
    lesson = lesson_of_all(study)
    card = lesson.ask(lesson.questions["sum"])
    card._asked(None, message, None)
    assert (card.at, lesson.credit) == (0, 0)


def test_the_state_is_the_cards_own(study: mw.Study) -> None:
    card = lesson_of_all(study).progress
    with pytest.raises(Exception, match="written by the view"):
        card.state = {}


def test_a_question_that_fails_can_be_revealed_later() -> None:
    found: list[float] = []
    lesson = Lesson("Not yet")
    card = lesson.number("n", "?", lambda: found[0], within=1)
    press(card, do="commit", id="n", guess=1)
    assert "IndexError" in press(card, do="reveal", id="n")["error"]
    found.append(1.0)
    assert press(card, do="reveal", id="n")["truth"]["right"] is True


def test_a_step_ticks_itself_when_it_is_done_in_a_view(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    card = lesson.ask(lesson.questions["click"])
    study.intervene(mw.Site("head", 3, head=0))
    assert card.state["card"]["status"] == "open"
    study.intervene([mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)])
    assert card.state["card"]["status"] == "revealed"
    assert lesson.credit == 1


def test_progress_keeps_up(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    progress = lesson.progress
    assert progress.state["card"] is None
    assert progress.state["answered"] == 0
    lesson.commit("sum", 1)
    lesson.reveal("sum")
    assert progress.state["answered"] == 1
    assert progress.state["steps"][0] == {
        "id": "sum",
        "title": "Do they sum?",
        "status": "revealed",
        "right": True,
    }
    with pytest.raises(mw.MediationError, match="shows no question"):
        progress.commit(1)


def test_a_prompt_over_several_lines_is_one_line_in_lists() -> None:
    lesson = Lesson("Wrapped")
    card = lesson.text(
        "t",
        """Which of
        these?

        Say why.""",
    )
    assert card.state["steps"][0]["title"] == "Which of these?"
    assert card.state["card"]["prompt"] == ["Which of these?", "Say why."]


def test_a_card_draws_nothing_anew_that_is_as_it_was(study: mw.Study) -> None:
    lesson = lesson_of_all(study)
    cards = [lesson.ask(question) for question in list(lesson.questions.values())[:3]]
    before = [card.state["seq"] for card in cards]
    study.intervene(mw.Site("head", 2, head=0))
    assert len(lesson.diary.runs) == 1
    assert [card.state["seq"] for card in cards] == before
    lesson.hint("sum")
    assert [card.state["seq"] - seq for card, seq in zip(cards, before, strict=True)] == [1, 0, 0]


def test_a_cell_that_runs_again_leaves_one_card() -> None:
    lesson = Lesson("Again")

    def cell() -> Card:
        return lesson.choice("c", "?", ["a", "b"], lambda: 1)

    first = cell()
    beside = lesson.ask(lesson.questions["c"])  # the same question, shown twice
    for _ in range(5):
        last = cell()
    assert len(lesson._watchers._callbacks) == 1
    seen = [card.state["seq"] for card in (first, beside)]
    last.commit(0)
    assert last.state["card"]["status"] == "committed"
    assert [card.state["seq"] for card in (first, beside)] == seen
    with pytest.raises(mw.MediationError, match="asks questions"):
        lesson.tour([])


def test_hostile_words_stay_words() -> None:
    evil = "<img src=x onerror=alert(1)>"
    lesson = Lesson(evil)
    card = lesson.choice("c", evil, [evil, "b"], lambda: 0, after=evil)
    card.commit(0)
    card.reveal()
    assert "<img" not in card._html()
    assert "&lt;img" in card._html()


def test_a_question_is_no_picture_and_a_page(study: mw.Study, tmp_path: Path) -> None:
    card = lesson_of_all(study).progress
    with pytest.raises(mw.MediationError, match="no picture"):
        card.snapshot()
    assert "All kinds" in mw.export_html(tmp_path / "page.html", card).read_text()


# --- exercises in code ---------------------------------------------------------------------------


def test_a_check_gives_nothing_away(capsys: pytest.CaptureFixture[str]) -> None:
    lesson = Lesson("Code")
    for answer, form in ((..., "number"), (3.0, "number"), ("x", "number"), ([], "sites")):
        lesson.check("a", answer, form)
    told = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[1][:12] for line in told] == [
        "not answered",
        "an answer is",
        "this is no a",
        "this is no a",
    ]
    with pytest.raises(mw.MediationError, match="no such form"):
        lesson.check("a", 1, "novel")


def test_the_grader_compares_numbers_sites_and_truths() -> None:
    lesson, here = Lesson("Code"), mw.Site("head", 1, head=0)
    there = mw.Site("head", 2, head=0)
    right: list[tuple[Any, Any, float]] = [
        (1.05, 1.0, 0.1),
        (here, here, 0),
        ([there, here], [here, there], 0),
        (True, True, 0),
        ("a", "a", 0),
        (np.array(1.05), np.array(1.0), 0.1),
        (0.4, 0.3, 0.1),
    ]
    for answer, truth, within in right:
        lesson.grade("x", answer, truth, within=within)
    wrong: list[tuple[Any, Any, float]] = [
        (..., 1.0, 9),
        (1.2, 1.0, 0.1),
        (float("nan"), 1.0, 9),
        ("1", 1.0, 9),
        (True, 1.0, 9),
        (there, here, 0),
        ([here], [here, there], 0),
        (1, True, 0),
        ("b", "a", 0),
        (np.array([1.0, 2.0]), 1.0, 9),
        (np.array([1, 2]), here, 0),
        (np.array(["a", "b"]), "a", 0),
    ]
    for answer, truth, within in wrong:
        with pytest.raises(AssertionError):
            lesson.grade("x", answer, truth, within=within)
