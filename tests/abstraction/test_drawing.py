"""Counterfactual pairs: what is predicted, and which hypotheses a pair tells apart."""

from typing import Any

import pytest

import mediawidget as mw
from mediawidget import abstraction as ab
from tests.asking import raised

MODEL = ab.lookback()
RIVALS = ab.lookback_hypotheses()
BASE = {
    "first": "Ann",
    "first_drink": "beer",
    "second": "Bob",
    "second_drink": "coffee",
    "asked": "Bob",
}
REVERSED = {
    "first": "Bob",
    "first_drink": "tea",
    "second": "Ann",
    "second_drink": "water",
    "asked": "Bob",
}
SAME_ORDER = {**BASE, "first_drink": "tea", "second_drink": "water"}


def test_reversed_order_and_other_drinks_tell_the_hypotheses_apart() -> None:
    one = ab.counterfactual(RIVALS, BASE, REVERSED)
    assert (one.plain, one.others) == ("coffee", ("tea",))
    assert one.predicted == {"pointer": "beer", "payload": "tea"}
    assert one.telling
    assert one.alike == ()


def test_the_same_order_does_not() -> None:
    """The pointer is the same on both, so that it predicts what doing nothing does."""
    one = ab.counterfactual(RIVALS, BASE, SAME_ORDER)
    assert one.predicted == {"pointer": "coffee", "payload": "water"}
    assert one.alike == (("pointer", "no change"),)
    error = raised(lambda: ab.refuse_alike([ab.counterfactual(RIVALS, BASE, REVERSED), one]))
    assert "pair 1: 'pointer' and 'no change' both predict 'coffee'" in str(error)


def test_the_same_drink_in_the_other_place_confuses_the_two() -> None:
    one = ab.counterfactual(RIVALS, BASE, {**REVERSED, "first_drink": "beer"})
    assert one.alike == (("pointer", "payload"),)
    with pytest.raises(mw.MediationError, match="both predict 'beer'"):
        ab.refuse_alike([one])


def test_pairs_that_separate_are_drawn() -> None:
    drawn = ab.separating(RIVALS, 40, seed=3)
    assert len({(str(one.base), str(one.source)) for one in drawn}) == 40
    ab.refuse_alike(drawn)
    for one in drawn:
        assert len({one.plain, *one.predicted.values()}) == 3
        assert MODEL.is_valid(one.base)
        assert MODEL.is_valid(one.source)
    assert drawn == ab.separating(RIVALS, 40, seed=3)
    assert drawn != ab.separating(RIVALS, 40, seed=4)


def test_held_out_pairs_are_others() -> None:
    gate = ab.CausalModel({"x": (0, 1), "y": (0, 1)}, {"out": lambda x, y: x & y}, "out")
    # 12 ordered pairs of different settings; the output differs in 6 of them.
    train = ab.counterfactuals(gate, "out", 4)
    test = ab.counterfactuals(gate, "out", 2, without=train)
    assert not [one for one in test if one in train]
    error = raised(lambda: ab.counterfactuals(gate, "out", 3, without=train))
    assert "at most 2" in str(error)
    assert len(ab.counterfactuals(gate, "out", 12, telling=False)) == 12


def test_what_is_asked_of_pairs_is_kept() -> None:
    drawn = ab.counterfactuals(MODEL, "pointer", 10, where=lambda one: one.base["asked"] == "Cal")
    assert {one.base["asked"] for one in drawn} == {"Cal"}
    assert all(one.telling for one in drawn)


def test_variables_come_from_sources_of_their_own() -> None:
    names = ("first_drink", "second_drink")
    (one,) = ab.counterfactuals(MODEL, names, 1, own_sources=True)
    assert len(one.sources) == len(one.others) == 2
    at = MODEL.run(one.base)["pointer"]
    (predicted,) = one.predicted.values()
    assert predicted == one.sources[at][names[at]]


def test_hypotheses_that_nothing_tells_apart() -> None:
    same = {"a": (MODEL, "payload"), "b": (MODEL, "payload")}
    gate = ab.CausalModel({"x": (0, 1)}, {"m": lambda x: x, "out": lambda m: m}, "out")
    error = raised(lambda: ab.separating({"m": (gate, "m"), "out": (gate, "out")}, 1))
    assert "at most 0" in str(error)
    assert ab.counterfactual(same, BASE, REVERSED).alike == (("a", "b"),)


def test_a_pair_of_prompts_has_the_base_as_corrupt() -> None:
    pair = ab.prompt_pair(
        ab.counterfactual(RIVALS, BASE, REVERSED), mw.models.lookback_prompt, roles={"END": 7}
    )
    assert pair.clean == "<s> Bob tea Ann water ? Bob :"
    assert pair.corrupt == "<s> Ann beer Bob coffee ? Bob :"
    assert (pair.answer, pair.wrong, pair.roles) == ("beer", "coffee", {"END": 7})
    payload = ab.prompt_pair(
        ab.counterfactual(RIVALS, BASE, REVERSED),
        mw.models.lookback_prompt,
        hypothesis="payload",
    )
    assert (payload.answer, payload.wrong) == ("tea", "coffee")
    # The paper's example is such a pair.
    assert mw.models.lookback_pair().clean == payload.clean
    assert mw.models.lookback_pair().corrupt == payload.corrupt


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: ab.Hypothesis(MODEL, "no"), "no such variable"),
        (lambda: ab.Hypothesis(MODEL, ()), "names variables"),
        (lambda: ab.separating({}, 1), "by name"),
        (lambda: ab.separating({"no change": (MODEL, "pointer")}, 1), "by name"),
        (lambda: ab.counterfactual(RIVALS, BASE), "has a source"),
        (lambda: ab.counterfactuals(MODEL, "pointer", 0), "counted"),
        (
            lambda: ab.counterfactual(
                {
                    "a": (MODEL, "payload"),
                    "b": (ab.CausalModel({"x": (0,)}, {"o": lambda x: x}, "o"), "o"),
                },
                BASE,
                REVERSED,
            ),
            "same prompts",
        ),
        (
            lambda: ab.prompt_pair(
                ab.counterfactual({"drink": (MODEL, "first_drink")}, BASE, BASE),
                mw.models.lookback_prompt,
            ),
            "prompts that are equal",
        ),
    ],
)
def test_what_is_no_pair_is_refused(call: Any, word: str) -> None:
    assert word in str(raised(call))
