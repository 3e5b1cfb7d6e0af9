"""The first ten minutes: every step's answer, on the model at hand, by anybody's labels."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.teach.card import Card
from mediawidget.teach.first_minutes import first_ten_minutes
from mediawidget.teach.shuffle import load
from tests.teach.asked import CLEAN, swapped_names

GUESSES: dict[str, Any] = {
    "total": 1.0,
    "restore": "L5H3",
    "sum": 1,
    "break": 0,
    "both": 176.0,
    "tokens": 0,
    "hidden": 1,
    "sentence": "On this pair restoring one early head is enough: 96%.",
}


def walk(card: Card, study: mw.Study) -> dict[str, dict[str, Any]]:
    """Answer every step; its facts by id."""
    found = {}
    for at, name in enumerate(card.names):
        card.go(at)
        if name == "click-both":
            assert card.state["card"]["status"] == "open"
            study.intervene(two(card))
        else:
            assert card.state["card"]["truth"] is None
            card.commit(GUESSES[name])
            card.reveal()
        assert card.state["card"]["status"] == "revealed"
        found[name] = dict(card.state["card"])
    return found


def two(card: Card) -> list[mw.Site]:
    """The two heads that the step names, read from its words as a student does."""
    words = card.state["card"]["prompt"][0].replace(",", " ").replace(".", " ").split()
    labels = [word for word in words if word[0] == "L" and "H" in word and word[1:2].isdigit()]
    return [mw.Site("head", int(label[1]), head=int(label[3])) for label in labels]


@pytest.fixture(scope="module", params=["", "ada"])
def steps(request: pytest.FixtureRequest) -> tuple[mw.Study, dict[str, dict[str, Any]]]:
    study = mw.Study(load(request.param), swapped_names().contrast)
    return study, walk(first_ten_minutes(study), study)


def test_what_the_steps_say_is_what_the_model_does(
    steps: tuple[mw.Study, dict[str, dict[str, Any]]],
) -> None:
    study, found = steps
    shares = study.sweep("head", progress=False)
    restored = np.asarray(shares.normalized("PIE"))
    assert found["total"]["truth"]["value"] == pytest.approx(float(study.total["TE"]))
    best = found["restore"]["truth"]["best"][0]
    assert restored[int(best[1]), int(best[3])] == restored.max()
    assert restored.sum() > 1.2
    assert found["sum"]["truth"]["option"] == 2
    assert found["break"]["truth"]["option"] == 1
    assert np.asarray(shares.normalized("TIE")).argmax() != restored.argmax()
    movers = study.intervene(list(study.selection))
    joint = 100 * float(movers.normalized("PIE"))
    assert found["both"]["truth"]["value"] == pytest.approx(joint, abs=0.1)
    singles = [restored[site.layer, site.head or 0] for site in study.selection]
    assert len(singles) == 2
    assert 100 * sum(singles) > joint + 50
    streams = study.sweep("residual", by="position", progress=False).normalized("PIE")
    assert found["tokens"]["truth"]["option"] == 2
    assert streams[-2, -1] > 0.9
    assert streams[0, -1] < 0.1


def test_another_question_hides_what_the_first_one_showed(
    steps: tuple[mw.Study, dict[str, dict[str, Any]]],
) -> None:
    study, found = steps
    label = found["hidden"]["prompt"][0].split()[0]
    site = mw.Site("head", int(label[1]), head=int(label[3]))
    other = mw.PromptPair(
        clean=CLEAN, corrupt=CLEAN.replace("Mary", "Anna"), answer="Mary", wrong="Anna"
    )
    first = float(mw.Study(study.lm, study.contrast).intervene(site).normalized("PIE"))
    then = float(mw.Study(study.lm, other).intervene(site).normalized("PIE"))
    assert first > 0.5
    assert abs(then) < 0.05
    assert found["hidden"]["truth"]["option"] == 2


def test_no_step_gives_a_later_one_away() -> None:
    card = first_ten_minutes(swapped_names())
    sent = json.dumps(card.state)
    assert "L0H1" not in sent.replace('"L0H1"', "")
    assert "\N{MINUS SIGN}" not in sent
    assert card.state["steps"][4]["title"] == ""
    lesson = card.lesson
    asked = lesson.wording("both")
    assert lesson.title("both") == asked
    assert "sit in the same layer" in asked


def test_a_study_that_the_steps_do_not_fit_is_refused() -> None:
    study = swapped_names()
    four = mw.Study(study.lm, mw.tasks.ioi(study.lm, n=4))
    for wrong, words in ((four, "want one pair"), (study.lm, "asked of a study")):
        with pytest.raises(mw.MediationError, match=words):
            first_ten_minutes(wrong)  # type: ignore[arg-type]
