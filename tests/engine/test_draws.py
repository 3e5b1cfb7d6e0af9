"""A run has one draw of what is random: several are an axis of a sweep, or refused."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

import mediawidget as mw
from tests import asking
from tests.asking import raised

HEAD, MLP = mw.Site("head", layer=1, head=0), mw.Site("mlp_out", layer=0)
SEVERAL = mw.Noise(1.0, samples=10)
WITHIN = mw.Within(mw.Subspace([[1.0, *[0.0] * 6]]), SEVERAL)


@lru_cache
def study() -> mw.Study:
    return asking.study()


def noisy() -> mw.Study:
    found = asking.study()
    found.edit = SEVERAL
    return found


ASKS: dict[str, Callable[[], object]] = {
    "intervene": lambda: study().intervene({HEAD: SEVERAL}),
    "jointly": lambda: study().intervene({MLP: mw.Patch(), HEAD: SEVERAL}),
    "freeze": lambda: study().intervene({HEAD: SEVERAL}, freeze=["mlp_out"]),
    "of the study": lambda: noisy().intervene([HEAD, MLP]),
    "run": lambda: mw.Run("clean", {HEAD: SEVERAL}),
    "evaluate": lambda: study().engine.evaluate([mw.Run("corrupt", {HEAD: SEVERAL})]),
    "activations": lambda: study().activations(MLP, mw.Run("clean", {HEAD: SEVERAL})),
    "routes": lambda: mw.routes(noisy(), MLP, progress=False),
    "game": lambda: mw.interactions(study(), [HEAD, MLP], edit=SEVERAL),
    "within": lambda: study().intervene({HEAD: WITHIN}),
}


@pytest.mark.parametrize("name", list(ASKS))
def test_several_draws_in_one_run_are_refused(name: str) -> None:
    error = raised(ASKS[name])
    assert "samples=1" in error.fix
    assert study().selection == ()


def test_a_sweep_has_an_axis_for_them_and_a_click_is_one_of_them() -> None:
    swept = study().sweep("head", edit=mw.Noise(1.0, samples=3), layers=[1], progress=False)
    fresh = asking.study()
    for draw in range(3):
        clicked = fresh.intervene({HEAD: mw.Noise(1.0, first=draw)})
        np.testing.assert_allclose(clicked["clean"], swept["clean"][0, 0, draw], atol=1e-9)
    assert len(np.unique(swept["clean"][0, 0])) == 3
