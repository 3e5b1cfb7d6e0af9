"""What a question takes for granted, read off numbers made by hand: no model runs here."""

from __future__ import annotations

import numpy as np
import pytest

from mediawidget.metrics import LogitDiff
from mediawidget.validity import (
    Check,
    answers_preferred,
    fired,
    premises,
    read_in,
    too_near_zero,
)

NAN = float("nan")
MINUS = "\N{MINUS SIGN}"


def kept(*pairs: tuple[float, float, float, float]) -> np.ndarray:
    """(pair, 2, 3) of (answer, wrong answer) on the clean and then on the corrupt prompt."""
    return np.array([[[a, b, 20.0], [c, d, 20.0]] for a, b, c, d in pairs])


def said(bases: np.ndarray, **more: str) -> list[tuple[bool | None, str]]:
    answer, total = premises(bases, LogitDiff(), **more)  # type: ignore[arg-type]
    assert (answer.name, total.name) == ("clean answer", "total effect")
    return [(answer.ok, answer.words), (total.ok, total.words)]


def test_a_tie_prefers_nothing_and_all_pairs_must_prefer() -> None:
    """Pairs 0 and 3 prefer the answer, pair 1 prefers neither, pair 2 the wrong one."""
    some = kept((3, 1, 0, 9), (2, 2, 0, 9), (0, 4, 9, 5), (5, 1, 7, 7))
    over = "the answer over the wrong answer"
    ends = "corrupt prompts prefer the wrong one."
    assert said(some)[0] == (False, f"2 of 4 clean prompts prefer {over}; 2 of 4 {ends}")
    assert said(some[[0, 0]])[0] == (True, f"2 of 2 clean prompts prefer {over}; 2 of 2 {ends}")


def test_what_one_pair_prefers_and_only_its_clean_prompt_is_judged() -> None:
    over = "the answer over the wrong answer"
    yes, no = "prefers the wrong one.", "does not prefer the wrong one."
    some = kept((3, 1, 0, 9), (2, 2, 0, 9), (5, 1, 7, 7), (5, 1, 9, 7))
    assert said(some[:1])[0] == (True, f"The clean prompt prefers {over}; the corrupt prompt {yes}")
    assert said(some[1:2])[0] == (
        False,
        f"The clean prompt does not prefer {over}; the corrupt prompt {yes}",
    )
    for at in (2, 3):
        assert said(some[[at]])[0] == (
            True,
            f"The clean prompt prefers {over}; the corrupt prompt {no}",
        )
    assert said(some[:1], read="input")[0] == (
        True,
        f"The clean input prefers {over}; the corrupt input {yes}",
    )


def test_noise_has_no_corrupt_prompt_that_could_prefer() -> None:
    check = answers_preferred(kept((3, 1, 0, 9), (0, 4, 9, 5))[:, :1])
    assert check.words == "1 of 2 clean prompts prefer the answer over the wrong answer."


def test_the_total_effect_is_the_mean_of_clean_less_corrupt() -> None:
    """(5 - 1) - (2 - 1) = 3 and (1 - 1) - (4 - 3) = -1: on average +1, turned round -1."""
    some = kept((5, 1, 2, 1), (1, 1, 4, 3))
    assert said(some)[1] == (True, "The total effect is +1 logits.")
    assert said(some[:, ::-1])[1] == (True, f"The total effect is {MINUS}1 logits.")
    balanced = kept((5, 1, 2, 1), (2, 1, 5, 1))
    assert said(balanced)[1] == (False, "The total effect is +0 logits, too near 0 for shares.")


def test_pairs_that_did_not_run_do_not_count() -> None:
    some = kept((5, 1, 2, 1), (0, 4, NAN, 1), (0, 4, NAN, NAN))
    some[2, 0] = NAN
    answer, total = said(some)
    assert answer[0] is True
    assert answer[1].startswith("1 of 1 clean prompts")
    assert total[1] == "The total effect is +3 logits."
    assert said(some[1:]) == [(None, "Nothing was run.")] * 2


@pytest.mark.parametrize(
    ("y11", "y00", "near"),
    [
        (0.0, 0.0, True),
        (1e-6, 0.0, True),  # at the limit
        (2e-6, 0.0, False),
        (0.0, 2e-6, False),
        (0.3, 0.3 + 9e-7, True),  # below 1 the limit stays what it is at 1
        (1e6 + 0.5, 1e6, True),  # half of a millionth of the size
        (-1e6, -1e6 - 0.5, True),
        (1e6 + 2, 1e6, False),
        (2.0, -2.0, False),
        (-2.0, 2.0, False),
        (NAN, 1.0, True),
    ],
)
def test_too_near_zero_is_measured_by_the_larger_value(y11: float, y00: float, near: bool) -> None:
    assert too_near_zero(y11, y00) is near


def test_what_was_read_is_told_by_the_first_premise_alone() -> None:
    other = Check("plain forward", ok=True, words="the clean input's logits; a clean input")
    prompts, inputs = (
        premises(kept((3, 1, 2, 1), (3, 1, 2, 1)), LogitDiff(), read)
        for read in ("prompt", "input")
    )
    assert read_in([other, *prompts]) == "prompt"
    assert read_in([other, *inputs]) == "input"
    assert read_in([*inputs, prompts[0]]) == "input"
    assert read_in([]) == "prompt"


def test_an_edit_fired_where_it_changed_a_value() -> None:
    """Cell 0 is implied, so what it says is not asked; of the other four one did not run."""
    moved = np.array([[7.0, 0.5], [1e-9, 0.0], [NAN, 2.0]])
    implied = np.array([[True, False], [False, False], [False, False]])
    found = fired(moved, implied)
    assert (found.name, found.ok) == ("edit fired", True)
    assert found.words == (
        "The edit changed the site's value in 3 of 4 runs; "
        "in 1 the site has the same value already."
    )
    assert fired(np.array([[0.1, 0.0]]), np.zeros((1, 2), dtype=bool)).ok is True
    all_of_them = fired(np.array([[0.1, 3.0]]), np.zeros((1, 2), dtype=bool))
    assert all_of_them.ok is True
    assert all_of_them.words == "The edit changed the site's value in 2 of 2 runs."
    none = fired(np.zeros((1, 1)), np.zeros((1, 1), dtype=bool))
    assert none.ok is False
    assert none.words.startswith("The edit changed the site's value in 0 of 1 runs; in 1 ")


def test_an_edit_that_was_not_run_did_not_fail() -> None:
    yes, no = np.ones((2, 1), dtype=bool), np.zeros((2, 1), dtype=bool)
    by_construction = fired(np.full((2, 1), NAN), yes)
    assert by_construction.ok is None
    assert by_construction.words == "Nothing was run: every cell is zero by construction."
    for implied in (no, np.array([[True], [False]])):
        cancelled = fired(np.full((2, 1), NAN), implied)
        assert (cancelled.ok, cancelled.words) == (None, "Nothing was run: it was cancelled.")
