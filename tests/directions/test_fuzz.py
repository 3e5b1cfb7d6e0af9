"""Hostile arguments of directions: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import directions
from tests.directions.known import small
from tests.hostile_arguments import Call, assert_all_asked, assert_helped

SITE = mw.Site("residual", 2, position=5)
HIDDEN = mw.Site("neurons", 1, position=5)


@lru_cache
def found() -> directions.Direction:
    return directions.difference_of_means(small(), SITE)


@lru_cache
def compared() -> directions.Comparison:
    makers = {"means": directions.difference_of_means}
    return directions.compare(small(), SITE, makers, progress=False)


@lru_cache
def held() -> directions.Placebos:
    return directions.placebo(small(), SITE, found(), n=2)


def at(function: Callable[..., Any], site: mw.Site = SITE, **more: Any) -> Callable[[], Call]:
    return lambda: (function, {"study": small(), "site": site, **more})


def swept() -> Call:
    return partial(directions.sweep, progress=False), {
        "study": small(),
        "mediator": "residual",
        "by": {"last": 5},
        "make": directions.difference_of_means,
        "test": None,
        "edit": None,
        "seed": 0,
        "layers": [2],
        "window": 1,
        "freeze": (),
    }


def compare() -> Call:
    makers = {"means": directions.difference_of_means}
    return partial(directions.compare, progress=False), {
        "study": small(),
        "site": SITE,
        "makers": makers,
        "test": None,
        "seed": 0,
    }


CALLS: dict[str, Callable[[], Call]] = {
    "check_dormant": lambda: (
        directions.check_dormant,
        {"study": small(), "found": found(), "key": "PIE", "least": 0.5, "reads": None},
    ),
    "compare": compare,
    "difference_of_means": at(directions.difference_of_means, labels=None, k=None),
    "given": at(directions.given, vectors=np.ones(24), made="mine"),
    "halves": lambda: (directions.halves, {"study": small(), "seed": 0}),
    "illusion": at(directions.illusion, HIDDEN),
    "placebo": at(directions.placebo, subspace=found(), n=2, seed=0),
    "principal": at(directions.principal, k=1, of="differences"),
    "probe": at(directions.probe, labels=None, k=None, strength=1.0),
    "random": at(directions.random, k=1, seed=0),
    "row_space": at(directions.row_space, HIDDEN),
    "row_space by slopes": at(directions.row_space),
    "split": lambda: (directions.split, {"study": small(), "found": found(), "reads": None}),
    "standard": lambda: (directions.standard, {"sizes": (1, 2)}),
    "sweep": swept,
    "Comparison.to_dataframe": lambda: (compared().to_dataframe, {"level": 0.95}),
    "Direction.within": lambda: (found().within, {"edit": None}),
    "Direction.steer": lambda: (found().steer, {"length": 1.0}),
    "Placebos.percentile": lambda: (held().percentile, {"key": "PIE"}),
    "Placebos.p_value": lambda: (held().p_value, {"key": "PIE"}),
    "Placebos.per_unit": lambda: (held().per_unit, {"key": "PIE"}),
    "RowSpace.parts": lambda: (
        directions.row_space(small(), SITE).parts,
        {"rows": np.eye(24)[:2]},
    ),
}

MADE = {
    "Comparison": "made by compare",
    "Direction": "made by the makers",
    "Dormancy": "made by check_dormant",
    "Placebos": "made by placebo",
    "RowSpace": "made by row_space",
    "Split": "made by split",
}
"""What nobody makes by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(directions, CALLS, MADE)


def test_what_reads_another_site_of_the_same_width_splits_nothing() -> None:
    other = directions.row_space(small(), mw.Site("neurons", 2, position=5))
    made = directions.random(small(), HIDDEN)
    with pytest.raises(mw.MediationError, match="its own site"):
        directions.split(small(), made, other)
    everywhere = directions.row_space(small(), mw.Site("neurons", 1))
    assert directions.split(small(), made, everywhere).inside > 0
