"""The teaching model has learned its tasks, on prompts that it never met."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.tasks.facts import facts
from mediawidget.tasks.frames import FACT_FRAMES
from mediawidget.tasks.landmarks import LANDMARKS
from mediawidget.tasks.world import (
    Example,
    agreement_example,
    fact_example,
    fact_frame_held_out,
    gender_example,
    greater_example,
)
from tests.tasks.kinds import teaching

#: Task and options to the least mean total effect in logits: half of what was measured.
LEARNED: list[tuple[Callable[..., mw.Contrast], dict[str, Any], float]] = [
    (mw.tasks.ioi, {}, 9.5),
    (mw.tasks.ioi, {"order": "ABBA"}, 9.5),
    (mw.tasks.ioi, {"order": "BABA"}, 9.5),
    (mw.tasks.ioi, {"corruption": "third-name"}, 5.0),
    (mw.tasks.ioi, {"corruption": "abc"}, 5.0),
    (mw.tasks.induction, {}, 13.0),
    (mw.tasks.greater_than, {}, 1.7),
    (mw.tasks.greater_than, {"corruption": "01"}, 1.5),
    (mw.tasks.gender, {}, 2.9),
    (mw.tasks.gender, {"split": "heldout", "n": 24}, 2.9),
    (mw.tasks.facts, {}, 15.0),
    (mw.tasks.agreement, {"attractor": "same"}, 10.0),
    (mw.tasks.agreement, {"attractor": "opposite"}, 10.0),
]


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    return mw.load()


@pytest.mark.parametrize(("task", "options", "least"), LEARNED)
def test_the_clean_answer_is_preferred_and_the_corrupt_prompt_takes_it_away(
    lm: mw.LM, task: Callable[..., mw.Contrast], options: dict[str, Any], least: float
) -> None:
    total = mw.Study(lm, task(lm, **options)).total
    assert np.all(total.pairs("Y11") > 0)
    assert np.mean(total.pairs("TE") > 0) > 0.95
    assert total["TE"] > least


def test_a_stereotype_is_weaker_than_a_definition(lm: mw.LM) -> None:
    total = mw.Study(lm, mw.tasks.gender(lm)).total
    assert np.abs(total.pairs("Y11")).mean() < np.abs(total.pairs("Y00")).mean()


def texts(draw: Callable[[Random], Example], n: int) -> set[str]:
    rng = Random(0)
    return {draw(rng).text for _ in range(n)}


@pytest.mark.parametrize(
    ("task", "draw"),
    [
        (mw.tasks.facts, fact_example),
        (mw.tasks.gender, gender_example),
        (mw.tasks.greater_than, greater_example),
        (mw.tasks.agreement, agreement_example),
    ],
)
def test_held_out_prompts_are_never_trained_and_others_are(
    task: Callable[..., mw.Contrast], draw: Callable[[Random], Example]
) -> None:
    trained = texts(draw, 12_000)
    n = 24 if task is mw.tasks.gender else 64
    assert not {pair.clean for pair in task(teaching(), n=n, split="heldout")} & trained
    assert {pair.clean for pair in task(teaching(), n=n, split="train")} & trained


@pytest.mark.parametrize("task", [mw.tasks.facts, mw.tasks.greater_than, mw.tasks.agreement])
def test_corrupt_prompts_are_held_out_too(task: Callable[..., mw.Contrast]) -> None:
    draw: Callable[[Random], Example] = {
        "facts": fact_example,
        "greater_than": greater_example,
        "agreement": agreement_example,
    }[task.__name__]
    corrupt = {pair.corrupt for pair in task(teaching(), n=64, split="heldout")}
    assert not corrupt & texts(draw, 12_000)


def test_a_split_with_too_few_pairs_says_how_many_there_are() -> None:
    with pytest.raises(mw.MediationError, match=r"at most about \d\d\n.*fix: +n=") as caught:
        mw.tasks.gender(teaching(), split="heldout")
    n = int(caught.value.fix.removeprefix("n="))
    assert len(mw.tasks.gender(teaching(), n=n, split="heldout")) == n
    with pytest.raises(mw.MediationError, match=f"at most about {n}"):
        mw.tasks.gender(teaching(), n=n + 1, split="heldout")


@pytest.mark.parametrize("relation", ["city", "country"])
def test_every_phrasing_holds_out_facts_with_different_answers(relation: str) -> None:
    """Any frames may be those that fit a tokenizer, and a pair needs two answers."""
    for frame in range(len(FACT_FRAMES)):
        answers = {
            getattr(mark, relation)
            for mark in LANDMARKS
            if fact_frame_held_out(mark, relation) == frame
        }
        assert len(answers) >= 3


def test_both_splits_together_are_all() -> None:
    def asked(**options: Any) -> set[str]:
        return {pair.clean for pair in facts(teaching(), relation="city", **options)}

    held, trained = asked(n=12, split="heldout"), asked(n=64, split="train")
    assert not held & trained
    assert held | trained <= asked(n=128, split="any")
