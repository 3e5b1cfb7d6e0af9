"""Frozen and recomputed are two quantities: whatever shows one of them says which it is."""

import json

import pandas as pd
import pytest

import mediawidget as mw

HEAD = mw.Site("head", layer=1, head=0)
SAID = "frozen: mlp_out"


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=6, seed=0))
    study.intervene(HEAD)
    study.intervene(HEAD, freeze="mlp_out")
    return study


@pytest.fixture(scope="module")
def grids(study: mw.Study) -> tuple[mw.Effect, mw.Effect]:
    free = study.sweep("head", layers=[1], progress=False)
    return free, study.sweep("head", layers=[1], freeze="mlp_out", progress=False)


def test_effects_say_it(study: mw.Study, grids: tuple[mw.Effect, mw.Effect]) -> None:
    _, free, frozen = study.history
    assert free is not None
    assert frozen is not None
    for held, said in ((grids[1], True), (frozen.effect, True), (grids[0], False)):
        assert held.held == (SAID if said else "")
        assert (SAID in repr(held)) is said
        assert (SAID in held._repr_html_()) is said
    assert SAID not in repr(free.effect)
    assert SAID in repr(grids[1].cell(1, 0))
    assert SAID in repr(grids[1].pair(0))


def test_tables_say_it_in_a_column(grids: tuple[mw.Effect, mw.Effect]) -> None:
    free, frozen = grids

    def tables(effect: mw.Effect) -> list[pd.DataFrame]:
        report = effect.select_and_report("PIE", n=2, resamples=50)
        return [effect.to_dataframe(), effect.top(2), report]

    assert all(set(table["downstream"]) == {SAID} for table in tables(frozen))
    assert not any("downstream" in table for table in tables(free))
    assert list(frozen.to_dataframe().columns[:4]) == ["layer", "head", "site", "downstream"]


def test_charts_say_it(grids: tuple[mw.Effect, mw.Effect]) -> None:
    free, frozen = (json.dumps(mw.charts.effects(effect).to_dict()) for effect in grids)
    assert f"; {SAID})" in frozen
    assert SAID not in free


def test_histories_say_it(study: mw.Study) -> None:
    _, free, frozen = study.history
    assert free is not None
    assert frozen is not None
    assert (free.label, frozen.label) == ("L1H0", f"L1H0 ({SAID})")
    assert repr(study.history) == f"History(3 entries; at 2: L1H0 ({SAID}))"
    told = study.compare(2, 1)
    assert (told.attrs["first"], told.attrs["second"]) == (frozen.label, free.label)
    assert abs(frozen.effect["PIE"] - free.effect["PIE"]) > 1e-3
