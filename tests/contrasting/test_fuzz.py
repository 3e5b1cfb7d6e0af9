"""Hostile arguments of relevance: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import pytest

from mediawidget import contrasting
from tests.core.hostile import study_of
from tests.hostile_arguments import Call, assert_all_asked, assert_helped


@lru_cache
def beside() -> contrasting.BesideTIE:
    return contrasting.beside_tie(study_of(3), progress=False)


CALLS: dict[str, Callable[[], Call]] = {
    "beside_tie": lambda: (
        contrasting.beside_tie,
        {"study": study_of(3), "by": "position", "start_layer": 0},
    ),
    "relevance": lambda: (contrasting.relevance, {"study": study_of(3), "start_layer": 0}),
    "BesideTIE.pairs": lambda: (beside().pairs, {"quantity": "TIE"}),
    "BesideTIE.to_dataframe": lambda: (beside().to_dataframe, {"level": 0.95}),
}

MADE = {"BesideTIE": "made by beside_tie", "Relevance": "made by relevance"}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(contrasting, CALLS, MADE)
