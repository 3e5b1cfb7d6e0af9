"""Hostile arguments of erasure: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import erasure
from tests.directions.known import small
from tests.hostile_arguments import Call, assert_all_asked, assert_helped, few

SITE = mw.Site("residual", 2, position=5)
NAMES = [0, 1] * 20
APART = np.random.default_rng(0).normal(size=(40, 3)) + 5.0 * np.array(NAMES)[:, None]


@lru_cache
def eraser() -> erasure.Leace:
    return erasure.leace(small(n=8), SITE)


@lru_cache
def probing() -> erasure.Amnesic:
    return erasure.amnesic(small(n=8), eraser(), controls=3, progress=False)


def of_arrays(function: Callable[..., erasure.Eraser], **more: object) -> Callable[[], Call]:
    return lambda: (function, {"values": APART, "site": None, "labels": NAMES, **more})


def of_study(function: Callable[..., erasure.Eraser], **more: object) -> Callable[[], Call]:
    return lambda: (function, {"values": small(n=8), "site": SITE, "labels": None, **more})


TOLD = {"site": None, "labels": None, "seed": 0}
ROUNDS = {"rounds": 2, "held_out": 0.3, "strength": 1.0, "seed": 0}

CALLS: dict[str, Callable[[], Call]] = {
    "leace": of_arrays(erasure.leace, shrinkage=False),
    "leace of a study": of_study(erasure.leace, shrinkage=False),
    "inlp": of_arrays(erasure.inlp, **ROUNDS),
    "amnesic": lambda: (
        few(partial(erasure.amnesic, progress=False), "controls"),
        {"study": small(n=8), "eraser": eraser(), **TOLD, "controls": 2},
    ),
    "probed": lambda: (
        erasure.probed,
        {"study": small(n=8), "eraser": eraser(), **TOLD, "folds": 2},
    ),
    "Eraser.seen": lambda: (eraser().seen, {"prompts": ["ant bee"]}),
    "Leace.seen": lambda: (eraser().seen, {"prompts": [np.zeros(3)]}),
    "Inlp.seen": lambda: (
        erasure.inlp(APART, NAMES, rounds=1).seen,
        {"prompts": ["ant bee"]},
    ),
    "eraser": lambda: (eraser(), {"values": np.ones((2, 24))}),
    "Amnesic.pairs": lambda: (probing().pairs, {"what": "erased", "quantity": "difference"}),
    "Amnesic.share_ci": lambda: (probing().share_ci, {"level": 0.95}),
    "Amnesic.against": lambda: (probing().against, {"control": "random directions"}),
    "Amnesic.draws": lambda: (
        probing().draws,
        {"quantity": "difference", "control": "random directions"},
    ),
    "Amnesic.to_dataframe": lambda: (probing().to_dataframe, {"level": 0.95}),
}

MADE = {
    "Amnesic": "made by amnesic",
    "Eraser": "made by leace and inlp",
    "Inlp": "made by inlp",
    "Leace": "made by leace",
    "Probed": "made by probed",
    "Round": "made by inlp",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(erasure, CALLS, MADE)
