"""What an effect says of itself, and which quantities it has."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Effect
from mediawidget.errors import MediationError
from tests.core.noise import STRONG, grid

ZERO, BROKEN, CORRUPT = mw.Zero(), mw.Mean("corrupt"), mw.Mean()


def small() -> Effect:
    """Two pairs of clean 5 and 7, corrupt 1 and -2, and two cells."""
    bases, edited = np.zeros((2, 2, 3)), np.zeros((2, 2, 2, 3))
    bases[..., 0] = [[5, 1], [7, -2]]
    edited[:, 0, :, 0], edited[:, 1, :, 0] = [[3, 6], [4, 5]], [[2, 1], [0, 3]]
    return Effect({"layer": (0, 1)}, bases, edited, np.ones(2, dtype=np.uint8), metric=mw.Logit())


def test_a_repr_says_axes_edit_metric_and_means() -> None:
    means = "clean +6.000, corrupt -0.500, TE +6.500"
    assert repr(small()) == f"Effect(layer 2; patch; logit; n=2; {means})"
    one = small().cell(1)
    assert repr(one) == f"Effect(one number; patch; logit; n=2; {means}, PIE +2.500, TIE +0.500)"
    zero = replace(one, edit=ZERO)
    said = f"{means}, on clean +0.500, on corrupt -2.500"
    assert repr(zero) == f"Effect(one number; zero; logit; n=2; {said})"
    assert repr(grid()).startswith("Effect(layer 2 x head 3; patch; logit_diff; n=24; clean +")


def test_the_largest_of_a_constant_are_those_on_the_clean_base() -> None:
    """Losses of 2.5 and 0.5 on the clean prompts, of -1.5 and -2.5 on the corrupt."""
    zero = replace(small(), edit=ZERO)
    np.testing.assert_array_equal(zero["clean"], [2.5, 0.5])
    assert zero.top()["layer"].tolist() == [0, 1]
    assert zero.top(by="corrupt")["layer"].tolist() == [1, 0]
    assert small().top()["layer"].tolist() == [1, 0]
    assert small().top(by="TIE")["layer"].tolist() == [0, 1]


@pytest.mark.parametrize("n", [-1, 2.5, True, "all"])
def test_the_largest_are_counted(n: Any) -> None:
    with pytest.raises(MediationError, match="The strongest cells are counted") as caught:
        grid().top(n)
    assert caught.value.fix == "effect.top(10)"


@pytest.mark.parametrize(
    ("parts", "one_value"),
    [((ZERO, BROKEN), True), ((ZERO, CORRUPT), False), ((CORRUPT, ZERO), False), ((ZERO,), True)],
)
def test_a_mixture_is_one_value_if_all_of_it_is(parts: Any, one_value: bool) -> None:
    mixed = replace(small(), edit=mw.edits.Mixed(parts))
    assert ("CDE" in mixed.quantities()) == one_value
    if one_value:
        np.testing.assert_array_equal(mixed["CDE"], [2.5, 3.5])


def test_a_table_of_a_cell_that_was_not_run() -> None:
    table = grid().to_dataframe().set_index("site")
    assert table.loc["L1H2", "status"] == "not_run"
    assert table.loc["L0H2", "status"] == "implied_zero"
    assert list(table.columns) == ["layer", "head", "status", *grid().quantities()]
    assert table.loc["L1H0", "PIE"] == grid()["PIE"][STRONG]


def test_a_single_number_is_python_s_own() -> None:
    assert type(small().cell(1)["PIE"]) is float
    assert type(small()["PIE"]) is np.ndarray


def test_showing_is_displaying_it(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    effect = small()
    effect.show()
    assert shown == [effect]


@pytest.mark.parametrize(
    "wrong",
    [
        {"status": np.ones(3, dtype=np.uint8)},
        {"bases": np.zeros((0, 2, 3)), "edited": np.zeros((0, 2, 2, 3))},
        {"bases": np.zeros((3, 2, 3))},
        {"labels": ("one",)},
    ],
    ids=["status", "no pair", "other pairs", "labels"],
)
def test_numbers_that_are_not_one_for_every_pair_base_and_cell_are_refused(wrong: Any) -> None:
    assert replace(small(), labels=("one", "two")).labels == ("one", "two")
    with pytest.raises(MediationError, match="a number for every pair, base and cell"):
        replace(small(), **wrong)
