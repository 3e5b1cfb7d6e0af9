"""Quantities of four corners that are powers of 2, so that each sum says what it is made of."""

from typing import Any

import numpy as np
import pytest

from mediawidget.errors import MediationError
from mediawidget.estimands import CORNERS, ESTIMANDS, constant_effect, estimand

Y: dict[str, Any] = {
    "Y11": np.array([[8.0]]),
    "Y10": np.array([[4.0, 40]]),
    "Y01": np.array([[2.0, 20]]),
    "Y00": np.array([[1.0]]),
}


def test_every_estimand_by_hand() -> None:
    expected = {
        "TE": [[7, 7]],
        "TIE": [[4, -32]],
        "PIE": [[1, 19]],
        "PDE": [[3, 39]],
        "TDE": [[6, -12]],
        "INT": [[3, -51]],
    }
    assert set(ESTIMANDS) == set(expected)
    for key, values in expected.items():
        np.testing.assert_array_equal(estimand(key, Y), values)


def test_corners_are_as_wide_as_the_cells() -> None:
    wide = {"Y11": [[8, 8]], "Y10": [[4, 40]], "Y01": [[2, 20]], "Y00": [[1, 1]]}
    assert set(CORNERS) == set(wide)
    for key, values in wide.items():
        np.testing.assert_array_equal(estimand(key, Y), values)


@pytest.mark.parametrize("one_value", [True, False])
def test_every_effect_of_a_constant_by_hand(one_value: bool) -> None:
    """Y10 and Y01 are what the clean and the corrupt prompt give with the mediator set."""
    expected = {
        "clean": [[4, -32]],
        "corrupt": [[-1, -19]],
        "difference": [[5, -13]],
        "TE": [[7, 7]],
        "Y11": [[8, 8]],
        "Y00": [[1, 1]],
    }
    if one_value:
        expected["CDE"] = [[2, 20]]
    for key, values in expected.items():
        found = constant_effect(key, Y, "zero", one_value=one_value)
        np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize("key", ["Y10", "Y01", "PIE", "CDE"])
def test_what_a_constant_has_not_is_told_with_what_it_has(key: str) -> None:
    with pytest.raises(MediationError, match=f"{key} does not exist under a mean edit") as caught:
        constant_effect(key, Y, "mean", one_value=False)
    said = str(caught.value.expected)
    assert said == "'clean', 'corrupt', 'difference': Y(base) \N{MINUS SIGN} Y(base, do)"
    if key != "CDE":
        with pytest.raises(MediationError) as caught:
            constant_effect(key, Y, "zero", one_value=True)
        wider = ", or 'CDE': Y(clean, do) \N{MINUS SIGN} Y(corrupt, do)"
        assert caught.value.expected == said + wider


@pytest.mark.parametrize(
    ("key", "says"),
    [
        ("NIE", "'NIE' names two different quantities"),
        ("CDE", "CDE holds the mediator at one value"),
        ("ATE", "Unknown estimand"),
        (None, "asked for by its name"),
    ],
)
def test_other_names_are_refused_each_for_its_reason(key: Any, says: str) -> None:
    with pytest.raises(MediationError, match=says):
        estimand(key, Y)
