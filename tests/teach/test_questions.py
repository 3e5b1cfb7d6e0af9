"""What each kind of question takes, refuses, and says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.teach import MISCONCEPTIONS, Choice, Do, Number, Pick, Text
from mediawidget.teach.picking import NEAR
from tests.teach.asked import swapped_names


def choice(**more: Any) -> Choice:
    return Choice(**{"id": "c", "prompt": "?", "options": ["a", "b"], "answer": lambda: 1, **more})


def number(**more: Any) -> Number:
    return Number(**{"id": "n", "prompt": "?", "answer": lambda: 10.0, "within": 1, **more})


@pytest.fixture(scope="module")
def study() -> mw.Study:
    return swapped_names()


@pytest.mark.parametrize("answer", [1, "b", np.int64(1)])
def test_a_choice_is_judged_by_index_or_text(answer: Any) -> None:
    question = choice(answer=lambda: answer)
    assert question.verdict(question.accept("b")).right is True
    verdict = question.verdict(question.accept(0))
    assert (verdict.right, verdict.words, verdict.facts) == (False, "b", {"option": 1})


@pytest.mark.parametrize(
    "guess", [2, -1, "c", None, True, 1.0, [1], "<img onerror=alert(1)>", np.array([0, 1])]
)
def test_no_option_is_refused(guess: object) -> None:
    with pytest.raises(mw.MediationError, match="no such option"):
        choice().accept(guess)


@pytest.mark.parametrize("answer", [2, "c", None, 1.5, True, np.True_, np.array([1, 0])])
def test_a_choice_whose_answer_is_no_option_says_so(answer: Any) -> None:
    with pytest.raises(mw.MediationError, match="'c' computed an answer that is none"):
        choice(answer=lambda: answer).verdict(0)


@given(st.floats(allow_nan=False, allow_infinity=False, width=32))
def test_a_number_is_right_within_its_margin_and_not_beyond(guess: float) -> None:
    verdict = number().verdict(number().accept(guess))
    assert verdict.right is (abs(guess - 10) <= 1)


def test_the_wider_of_two_margins_counts() -> None:
    assert number(relative=0.5).verdict(6.0).right
    assert not number(relative=0.01).verdict(8.5).right


def test_a_guess_at_the_very_margin_is_right() -> None:
    question = number(answer=lambda: 0.3, within=0.1)
    assert 0.4 - 0.3 > 0.1  # as computers count
    assert question.verdict(0.4).right
    assert not question.verdict(0.4001).right


@pytest.mark.parametrize("guess", [float("nan"), float("inf"), "10", None, True, [1.0], 10**400])
def test_what_is_no_number_is_refused(guess: object) -> None:
    with pytest.raises(mw.MediationError, match="no number"):
        number().accept(guess)


@pytest.mark.parametrize("answer", [float("nan"), "ten", None])
def test_a_number_whose_answer_is_none_says_so(answer: Any) -> None:
    with pytest.raises(mw.MediationError, match="computed an answer that is none"):
        number(answer=lambda: answer).verdict(1.0)


def test_a_text_wants_a_sentence_and_nobody_judges_it() -> None:
    question = Text(id="t", prompt="?", least=10)
    assert question.accept("  twelve letters ") == "twelve letters"
    assert question.verdict("twelve letters").right is None
    for guess in ("short", " " * 40, None, 12, "x" * 4001):
        with pytest.raises(mw.MediationError, match="a sentence of yours"):
            question.accept(guess)


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": ""},
        {"prompt": " "},
        {"prompt": None},
        {"hints": [1]},
        {"points": -1},
        {"points": float("nan")},
        {"misconception": "flat earth"},
        {"options": ["a"]},
        {"options": ["a", "a"]},
        {"options": [1, 2]},
        {"answer": 1},
    ],
)
def test_a_wrong_question_is_refused_when_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(mw.MediationError) as caught:
        choice(**wrong)
    assert caught.value.fix


@pytest.mark.parametrize("margin", [{"within": 0}, {"within": -1}, {"within": float("nan")}])
def test_a_number_without_a_margin_is_refused(margin: dict[str, Any]) -> None:
    with pytest.raises(mw.MediationError, match="within a margin"):
        number(**margin)


# --- cells ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["PIE", "TIE", "INT"])
def test_the_right_cell_is_the_largest_of_the_sweep(study: mw.Study, key: str) -> None:
    question = Pick(id="p", prompt="?", study=study, estimand=key)
    values = np.asarray(study.sweep("head", progress=False)[key])
    layer, head = (int(i) for i in np.unravel_index(values.argmax(), values.shape))
    best = mw.Site("head", layer, head=head)
    verdict = question.verdict(question.accept(best))
    assert verdict.right is True
    assert verdict.facts["best"] == [best.label()]
    shares = np.array(verdict.facts["cells"], dtype=float)
    np.testing.assert_allclose(shares, values / study.total["TE"])
    others = [label for label in question.labels if label != best.label()]
    assert not any(question.verdict([label]).right for label in others)


def test_several_cells_are_the_largest_ones_in_any_order(study: mw.Study) -> None:
    question = Pick(id="p", prompt="?", study=study, several=3)
    values = np.asarray(study.sweep("head", progress=False)["PIE"]).ravel()
    best = [question.labels[i] for i in np.argsort(-values)[:3]]
    assert question.verdict(question.accept(best[::-1])).right
    with pytest.raises(mw.MediationError, match="Pick 3"):
        question.accept(best[:2])
    with pytest.raises(mw.MediationError, match="Pick 3"):
        question.accept([best[0]] * 3)


@pytest.mark.parametrize("mediator", ["residual", "mlp_out"])
def test_words_are_picked_by_layer(study: mw.Study, mediator: str) -> None:
    question = Pick(id="p", prompt="?", study=study, mediator=mediator)
    grid = question.asked()["grid"]
    values = np.asarray(study.sweep(mediator, by="position", progress=False)["PIE"])
    assert (len(grid["rows"]), len(grid["cols"])) == values.shape
    assert grid["cols"] == list(study.token_pairs[0].clean_tokens)
    assert grid["rows"][-1] == ("out" if mediator == "residual" else f"L{study.lm.n_layers - 1}")
    best = question.labels[int(values.argmax())]
    assert question.verdict([best]).right


def test_cells_that_are_equal_are_all_right(study: mw.Study) -> None:
    # Before the changed word nothing differs: a whole column of ones stands at that word.
    question = Pick(id="p", prompt="?", study=study, mediator="residual")
    best = question.verdict([question.labels[0]]).facts["best"]
    assert len(best) > 1
    assert all(question.verdict([label]).right for label in best)


def test_of_several_cells_those_that_are_larger_are_needed(study: mw.Study) -> None:
    # In the residual stream one cell may stand out above many that are equal to each other.
    question = Pick(id="p", prompt="?", study=study, several=2)
    a, b, c, d = question.labels[:4]
    values = np.zeros(len(question.labels))
    values[:4] = 5.0, 3.0, 3.0, 1.0
    needed, best = question._best(values)
    assert set(needed) == {a}
    assert set(best) == {a, b, c}
    values[3] = np.nan
    assert question._best(values) == (needed, best)
    assert d not in best


def test_two_of_the_equal_ones_do_not_make_up_for_the_largest(study: mw.Study) -> None:
    question = Pick(id="p", prompt="?", study=study, mediator="residual", estimand="PIE")
    values = np.asarray(study.sweep("residual", by="position", progress=False)["PIE"]).ravel()
    order = np.argsort(-values, kind="stable")
    margin = NEAR * np.abs(values).max()
    steps = np.flatnonzero(-np.diff(values[order]) > margin) + 1
    # As many cells as reach into a group of equal ones, which has one more than there is room for.
    first, last = next((a, b) for a, b in pairwise(steps) if b - a > 1)
    several = int(first) + 1
    asked = replace(question, several=several)
    labels = [asked.labels[i] for i in order]
    assert asked.verdict(labels[:several]).right
    assert asked.verdict([*labels[:first], labels[last - 1]]).right
    assert not asked.verdict(labels[1 : several + 1]).right


def test_an_answer_of_ones_own_overrules_the_largest(study: mw.Study) -> None:
    site = mw.Site("head", 5, head=0)
    question = Pick(id="p", prompt="?", study=study, answer=lambda: site)
    assert question.verdict(["L5H0"]).right
    assert not question.verdict(["L0H1"]).right
    foreign = Pick(id="p", prompt="?", study=study, answer=lambda: mw.Site("mlp_out", 0))
    with pytest.raises(mw.MediationError, match="computed an answer that is none"):
        foreign.verdict(["L5H0"])


def test_what_was_guessed_is_really_run(study: mw.Study) -> None:
    question = Pick(id="p", prompt="?", study=study)
    tried = question.try_out(["L3H1"])
    effect = mw.Study(study.lm, study.contrast).intervene(mw.Site("head", 3, head=1))
    for name, value in tried["corners"].items():
        assert value == pytest.approx(float(effect[name.upper()]))
    assert [site.label() for site in study.selection] == ["L3H1"]
    share = round(100 * float(effect.normalized("PIE")))
    assert f"{share:+d}% of the total effect" in tried["sentence"]
    assert tried["goal"] == ""


@pytest.mark.parametrize(
    "guess", ["L9H0", "", None, 3, ["L0H0", "L0H1"], [["L0H0"]], [{}], mw.Site("mlp_out", 0)]
)
def test_no_cell_of_the_grid_is_refused(study: mw.Study, guess: object) -> None:
    with pytest.raises(mw.MediationError, match="Pick 1"):
        Pick(id="p", prompt="?", study=study).accept(guess)


def test_under_an_edit_to_a_constant_the_effects_have_its_names(study: mw.Study) -> None:
    zeroed = mw.Study(study.lm, study.contrast)
    zeroed.edit = mw.Zero()
    question = Pick(id="p", prompt="?", study=zeroed, estimand="clean")
    values = np.asarray(zeroed.sweep("head", progress=False)["clean"])
    assert question.verdict([question.labels[int(values.argmax())]]).right
    tried = question.try_out(["L3H1"])
    assert "clean" in tried["sentence"]
    assert tried["goal"] == "to zero"


def test_what_is_set_in_a_view_before_the_answer_changes_nothing(study: mw.Study) -> None:
    shared = mw.Study(study.lm, study.contrast)
    for mediator in ("head", "residual"):
        before = Pick(id="p", prompt="?", study=study, mediator=mediator)
        question = Pick(id="p", prompt="?", study=shared, mediator=mediator)
        guess = before.verdict(before.labels[:1]).facts["best"][:1]
        assert question.asked_of is shared
        shared.edit = mw.Zero()
        assert question.verdict(guess) == before.verdict(guess)
        shared.edit = mw.Patch()
        assert question.asked_of is shared
        shared.contrast = mw.tasks.ioi(study.lm, n=2, seed=5).pairs
        assert question.asked() == before.asked()
        assert question.accept(guess) == guess
        assert question.verdict(guess) == before.verdict(guess)
        assert question.try_out(guess)["sentence"] == before.try_out(guess)["sentence"]
        shared.contrast = study.contrast


def test_no_percent_where_the_total_effects_cancel(study: mw.Study) -> None:
    pairs = mw.tasks.ioi(study.lm, n=4, seed=0).pairs
    turned = [replace(pair, clean=pair.corrupt, corrupt=pair.clean) for pair in pairs]
    nothing = mw.Study(study.lm, [replace(pair, roles={}) for pair in [*pairs, *turned]])
    tried = Pick(id="p", prompt="?", study=nothing).try_out(["L3H1"])
    assert "%" not in tried["sentence"]
    assert "logits" in tried["sentence"]


def test_a_step_is_taken_once_it_was_done(study: mw.Study) -> None:
    done: list[bool] = []
    step = Do(id="d", prompt="?", study=study, done=lambda _: bool(done))
    with pytest.raises(mw.MediationError, match="not been done"):
        step.accept(guess=True)
    done.append(True)
    assert step.accept(guess=True) is True


def test_there_are_eleven_misconceptions_each_with_its_refutation() -> None:
    assert len(MISCONCEPTIONS) == 11
    assert all(it.claim and it.refuted_by and it.id == name for name, it in MISCONCEPTIONS.items())


@pytest.mark.parametrize(
    ("edit", "wrong"), [(mw.Patch(), "clean"), (mw.Patch(), "PIe"), (mw.Zero(), "PIE")]
)
def test_an_effect_that_does_not_exist_is_refused_when_it_is_written(
    study: mw.Study, edit: mw.Edit, wrong: str
) -> None:
    other = mw.Study(study.lm, study.contrast, edit=edit)
    with pytest.raises(mw.MediationError, match="no such effect"):
        Pick(id="p", prompt="?", study=other, estimand=wrong)
