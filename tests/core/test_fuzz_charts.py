"""Hostile arguments of charts: a chart, or an error that names the value and the fix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial, wraps
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import charts
from tests.alignment.known import planted
from tests.core.hostile import HEAD, effect_of, study_of
from tests.directions.known import small
from tests.hostile_arguments import Call, assert_all_asked, assert_helped
from tests.networks.oracle import asked

SITE = mw.Site("residual", 2, position=5)
NAMES = [0, 1] * 20
APART = np.random.default_rng(0).normal(size=(40, 3)) + 5.0 * np.array(NAMES)[:, None]


@lru_cache
def compared() -> mw.directions.Comparison:
    return mw.directions.compare(small(n=8), SITE, progress=False)


@lru_cache
def held() -> mw.directions.Placebos:
    found = mw.directions.difference_of_means(small(n=8), SITE)
    return mw.directions.placebo(small(n=8), SITE, found, n=3)


@lru_cache
def probing() -> mw.erasure.Amnesic:
    eraser = mw.erasure.leace(small(n=8), SITE)
    return mw.erasure.amnesic(small(n=8), eraser, controls=3, progress=False)


@lru_cache
def sizes() -> mw.alignment.Sizes:
    study, site = planted(n=16)
    return mw.alignment.sizes(study, site, (1, 2), epochs=2, progress=False)


@lru_cache
def accuracies() -> mw.abstraction.IIA:
    lm, model, render = mw.models.lookback(), mw.abstraction.lookback(), mw.models.lookback_prompt
    sites = [mw.Site("residual", 3, position=7)]
    return mw.abstraction.iia(lm, model, "pointer", render, sites, n=4, progress=False)


@lru_cache
def grouped() -> mw.Effect:
    pairs = list(study_of(3).contrast)
    named = [replace(pair, group=name) for pair, name in zip(pairs, "aab", strict=True)]
    return mw.Study(study_of().lm, named).sweep("head", layers=[1], progress=False)


def crossed() -> Any:
    return mw.crossing.cross_patch(study_of(3), study_of(3), "residual", layers=[1], progress=False)


MANY = partial(effect_of, "many")
SHOWN: dict[str, Any] = {"key": None, "n": 3, "level": 0.95, "seed": 0}


def of(chart: Callable[..., Any], name: str, made: Callable[[], Any], **more: Any) -> Any:
    return lambda: (drawn(chart), {name: made(), **more})


def drawn(chart: Callable[..., Any]) -> Callable[..., Any]:
    """What it comes to is drawn too: a chart of nonsense fails late."""

    @wraps(chart)
    def to_dict(**given: Any) -> Any:
        return chart(**given).to_dict()

    return to_dict


CALLS: dict[str, Callable[[], Call]] = {
    "accuracies": of(charts.accuracies, "result", accuracies),
    "alignment": of(charts.alignment, "curve", sizes),
    "amnesic": of(charts.amnesic, "result", probing, quantity="difference"),
    "contrast": of(
        charts.contrast,
        "beside",
        lambda: mw.contrasting.beside_tie(study_of(3), progress=False),
    ),
    "crossing": of(charts.crossing, "result", crossed, n=2, level=0.95),
    "directions": of(charts.directions, "comparison", compared, key="PIE"),
    "dose": of(
        charts.dose,
        "curve",
        lambda: mw.dose_curve(study_of(3), HEAD, [0.5, 1.0], progress=False),
        unit=None,
    ),
    "effects": of(charts.effects, "effect", MANY, **SHOWN),
    "groups": of(charts.groups, "effect", grouped, **SHOWN),
    "losses": of(charts.losses, "found", lambda: sizes().found[0]),
    "maps": of(
        charts.maps,
        "effect",
        lambda: asked("cnn")[0].sweep("channel", by="position", progress=False),
        key=None,
    ),
    "placebos": of(charts.placebos, "held", held, key="PIE", bins=3),
    "rounds": of(charts.rounds, "eraser", lambda: mw.erasure.inlp(APART, NAMES)),
    "strip": of(charts.strip, "effect", MANY, cell=(1, 1), key=None, level=0.95, seed=0),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(charts, CALLS, ())
