"""Hostile arguments of alignment: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

from mediawidget import alignment
from tests.alignment.known import planted
from tests.hostile_arguments import Call, assert_all_asked, assert_helped

OPTIONS: dict[str, Any] = {"over": "vocabulary", "epochs": 1, "batch": 16, "rate": 0.2}
OPTIONS |= {"patience": None, "starts": 1, "penalty": 0.0, "seed": 0}
OPTIONS |= {"train_on": None, "report_on": None}


def asked() -> dict[str, Any]:
    study, site = planted(n=16)
    return {"study": study, "site": site, **OPTIONS}


@lru_cache
def found() -> alignment.Aligned:
    study, site = planted(n=16)
    return alignment.das(study, site, epochs=1, progress=False)


def searched(function: Callable[..., Any], **more: Any) -> Callable[[], Call]:
    return lambda: (partial(function, progress=False), {**asked(), **more})


def begun(function: Callable[..., Any], **more: Any) -> Callable[[], Call]:
    """What is only made ready: nothing trains, however long it would."""
    return lambda: (function, {**asked(), **more})


CALLS: dict[str, Callable[[], Call]] = {
    "das": searched(alignment.das, k=1),
    "das_job": begun(alignment.das_job, k=1),
    "boundless": searched(alignment.boundless),
    "boundless_job": begun(alignment.boundless_job),
    "neuron_masks": searched(alignment.neuron_masks),
    "neuron_masks_job": begun(alignment.neuron_masks_job),
    "controls": searched(alignment.controls, k=1, twin=None),
    "controls_job": begun(alignment.controls_job, k=1, twin=None),
    "sizes": searched(alignment.sizes, ks=(1,)),
    "sizes_job": begun(alignment.sizes_job, ks=(1, 2)),
    "Aligned.score": lambda: (found().score, {"part": "whole", "pairs": "held-out"}),
    "Sizes[]": lambda: (lambda k: alignment.Sizes((found(),))[k], {"k": 1}),
}

MADE = {
    "Aligned": "made by das, boundless and neuron_masks",
    "Controls": "made by controls",
    "Options": "a type: they are asked about as arguments of every search",
    "Sizes": "made by sizes",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(alignment, CALLS, MADE)
    assert set(OPTIONS) == set(alignment.Options.__annotations__)
