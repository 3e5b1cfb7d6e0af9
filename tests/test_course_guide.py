"""The teacher's guide: its code runs, and what it points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mediawidget.teach import MISCONCEPTIONS
from mediawidget.teach.card import Card

COURSE = Path(__file__).parent.parent / "examples" / "course"
GUIDE = (COURSE / "README.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.findall(rf"```{language}\n(.*?)```", GUIDE, flags=re.S)
    assert len(found) == 1
    return str(found[0])


def test_a_task_of_ones_own_runs_as_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_task.csv").write_text(block("csv"), encoding="utf-8")
    names: dict[str, object] = {}
    exec(compile(block("python"), "guide", "exec"), names)  # noqa: S102
    lesson = names["lesson"]
    assert list(lesson.questions) == ["which", "total"]  # type: ignore[attr-defined]
    card = lesson.ask(lesson.questions["total"])  # type: ignore[attr-defined]
    assert isinstance(card, Card)
    card.commit(3)
    card.reveal()
    assert card.state["card"]["truth"]["after"]
    assert (tmp_path / "answers" / "my_task.json").exists()


def test_every_notebook_is_in_the_table() -> None:
    rows = re.findall(r"^\| \[`(\w+)`\]\((\w+)\.ipynb\) \| \d+ \|", GUIDE, flags=re.M)
    assert {name for name, _ in rows} == {path.stem for path in COURSE.glob("*.ipynb")}
    assert all(name == target for name, target in rows)


def test_the_questions_that_bring_a_belief_out_are_there() -> None:
    rows = re.findall(r"^\| [^|`]+ \| (\d\d `.*?`) \| [^|]+ \|$", GUIDE, flags=re.M)
    assert len(rows) == len(MISCONCEPTIONS)
    names = {"gender": "elective_gender_bias", "tracing": "elective_causal_tracing"}
    names |= {path.stem[:2]: path.stem for path in COURSE.glob("0*.ipynb")}
    for row in rows:
        lesson = ""
        for where, question in re.findall(r"(?:(\w+) )?`([\w-]+)`", row):
            lesson = names[where] if where else lesson
            source = (COURSE / f"{lesson}.ipynb").read_text(encoding="utf-8")
            assert f'\\"{question}\\"' in source, (lesson, question)


def test_its_links_lead_somewhere() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", GUIDE)
    assert len(targets) > 10
    for target in targets:
        assert (COURSE / target).exists(), target
