"""The prompt editor's requests: what is refused changes nothing, what is applied is the study's."""

from __future__ import annotations

import json
from typing import Any

import pytest

import mediawidget as mw
from tests.widgets.conftest import Page

CLEAN = "When Mary and John went to the store, John gave a book to"
CORRUPT = "When Mary and John went to the store, Mary gave a book to"
DRAFT = {"clean": CLEAN, "corrupt": CORRUPT, "answer": "Mary", "wrong": "John"}


@pytest.fixture
def study() -> mw.Study:
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=3))


@pytest.fixture
def page(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(mw.PromptEditor(study), monkeypatch)


def test_the_shown_pair_is_edited_and_the_others_stay(page: Page, study: mw.Study) -> None:
    before = list(study.contrast)
    page.view.pair = 1
    assert page.view.editor["draft"]["clean"] == before[1].clean
    assert page.ask("commit", index=1, **DRAFT)["ok"]
    assert [pair.clean for pair in study.contrast] == [before[0].clean, CLEAN, before[2].clean]
    assert study.contrast.name == "IOI, swap"
    assert page.view.pair == 1


def test_a_draft_is_read_and_changes_nothing(page: Page, study: mw.Study) -> None:
    revision = study.revision
    read = page.ask("draft", **DRAFT | {"wrong": "Zork"})["data"]
    assert (read["ok"], list(read["problems"])) == (False, ["wrong"])
    assert read["columns"] == [[i, i] for i in range(15)]
    assert page.ask("draft", **DRAFT)["data"]["ok"]
    assert study.revision == revision


def test_predictions_are_of_both_prompts(page: Page) -> None:
    found = page.ask("predict", **DRAFT | {"corrupt": "Zork"})["data"]
    assert found["clean"][0]["token"] == "Mary", "as people type it"
    assert found["corrupt"] == []


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("commit", DRAFT | {"wrong": "Zork", "index": 0}),
        ("commit", DRAFT),
        ("commit", DRAFT | {"index": 1}),
        ("commit", DRAFT | {"index": 0, "revision": -5}),
        ("commit", {"clean": 3}),
        ("draft", DRAFT | {"clean": "x" * 30_000}),
        ("task", {"name": "from_csv", "n": 3}),
        ("task", {"name": "__class__", "n": 3}),
        ("task", {"name": "ioi", "n": 10**9}),
        ("task", {"name": "ioi", "n": "3"}),
        ("task", {"name": "docstring", "n": 3}),
        ("file", {"name": "a.csv", "text": "clean,corrupt\na,b"}),
        ("file", {"name": "a.pkl", "text": ""}),
        ("file", {}),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(
    page: Page, study: mw.Study, action: str, fields: dict[str, Any]
) -> None:
    revision, contrast = study.revision, study.contrast
    reply = page.ask(action, **fields)
    assert not reply["ok"]
    assert all(reply["error"][name] for name in ("message", "expected", "fix"))
    assert (study.revision, study.contrast) == (revision, contrast)


def test_files_and_tasks_are_loaded(page: Page, study: mw.Study) -> None:
    table = f'clean,corrupt,answer,wrong\n"{CLEAN}","{CORRUPT}",Mary|Paul,John\n'
    assert page.ask("file", name="mine.csv", text="\ufeff" + table)["ok"]
    assert study.contrast[0].answers == ("Mary", "Paul")
    assert study.contrast.name == "mine"
    line = json.dumps(study.contrast[0].swapped().to_json())
    assert page.ask("file", name="L.JSONL", text=line)["ok"]
    assert study.contrast[0].wrongs == ("Mary", "Paul")
    assert page.ask("task", name="ioi", n=4)["ok"]
    assert (len(study.contrast), study.contrast.name) == (4, "IOI, swap")
    assert page.view.editor["n"] == 4


def test_what_was_applied_or_loaded_is_taken_back_step_by_step(page: Page, study: mw.Study) -> None:
    first = study.contrast

    def undo() -> bool:
        return bool(page.view.editor["undo"])

    assert not undo()
    assert not page.ask("back")["ok"]
    assert page.ask("task", name="agreement", n=2)["ok"]
    loaded = study.contrast
    assert not page.ask("task", name="agreement", n=0)["ok"]
    assert page.ask("file", name="a.jsonl", text=json.dumps(DRAFT))["ok"]
    filed = study.contrast
    assert page.ask("commit", index=0, **DRAFT | {"wrong": "Robert"})["ok"]
    assert study.contrast[0].wrong == "Robert"
    for before in (filed, loaded, first):
        assert undo()
        assert page.ask("back")["ok"]
        assert study.contrast is before
    assert not undo()
    assert not page.ask("back")["ok"]


def test_there_is_no_way_back_past_prompts_that_came_otherwise(page: Page, study: mw.Study) -> None:
    assert page.ask("task", name="agreement", n=2)["ok"]
    study.contrast = other = mw.tasks.ioi(study.lm, n=2)
    assert not page.view.editor["undo"]
    assert not page.ask("back")["ok"]
    assert page.ask("task", name="agreement", n=2)["ok"]
    assert page.ask("back")["ok"]
    assert study.contrast is other
    assert not page.view.editor["undo"]


def test_a_change_that_fails_leaves_the_way_back(
    page: Page, study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = study.contrast
    assert page.ask("task", name="agreement", n=2)["ok"]
    loaded = study.contrast
    with monkeypatch.context() as patched:
        patched.setattr(study.lm, "encode", _no_memory)
        assert not page.ask("task", name="ioi", n=2)["ok"]
        assert not page.ask("back")["ok"]
    assert study.contrast is loaded
    assert page.ask("back")["ok"]
    assert study.contrast is first


def _no_memory(*_given: object) -> None:
    raise MemoryError("out of memory")
