"""FeatureGrid: what the page gets, what it may ask, and that every click is a real run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import traitlets

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.features import Features, clamp, steer
from mediawidget.widgets._goals import edit_payload
from mediawidget.widgets.drawing.text import in_cell
from tests.features.made import made
from tests.widgets.conftest import Page, texts

N = 14
HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture
def grid(several: mw.Study) -> mw.FeatureGrid:
    sae = made("jumprelu", several.lm.d_model, N, mw.Site("residual", 2), centred=True)
    return mw.FeatureGrid(several, sae, most=5)


@pytest.fixture
def page(grid: mw.FeatureGrid, monkeypatch: pytest.MonkeyPatch) -> Page:
    return Page(grid, monkeypatch)


def numbers(data: Any, name: str, dtype: str = "<f4") -> np.ndarray:
    shape = (len(data["rows"]), -1)
    return np.frombuffer(data[name], dtype).reshape(shape)


def cell(grid: mw.FeatureGrid, label: str) -> int:
    return list(grid.features["labels"]).index(label)


def test_rows_are_active_features_and_the_error_by_token(grid: mw.FeatureGrid) -> None:
    data, sae = grid.features, grid.rows.sae
    assert [row["label"] for row in data["rows"]][-1] == "L2 error"
    assert len(data["rows"]) == 6
    assert data["columns"][0] == "all"
    codes = {base: mw.features.codes(grid.study, sae, base) for base in ("clean", "corrupt")}
    units = [unit for unit in grid.drawn if unit is not None]
    for base, some in codes.items():
        np.testing.assert_allclose(
            numbers(data, base)[:-1], some.mean(axis=0).T[units], rtol=1e-5, atol=1e-5
        )
        assert np.isnan(numbers(data, base)[-1]).all()
    apart = np.abs(codes["clean"] - codes["corrupt"]).max(axis=(0, 1))
    size = apart * np.linalg.norm(sae.w_dec, axis=1)
    assert (np.diff(size[units]) <= 1e-6).all()
    status = numbers(data, "status", "u1")
    active = np.array(np.concatenate([some > 0 for some in codes.values()]).any(axis=0))
    inactive = ~active.T[units]
    assert (status[:-1, 1:][inactive] == Status.IMPLIED_ZERO).all()
    assert (status[:-1, 1:][~inactive] == Status.NOT_RUN).all()


@pytest.mark.parametrize("way", ["patch", "zero", "steer"])
def test_a_click_is_a_run_and_its_answer_is_small(
    grid: mw.FeatureGrid, page: Page, way: str
) -> None:
    assert page.ask("features_way", way=way, amount=2.0)["ok"]
    unit = next(unit for unit in grid.drawn if unit is not None and grid.rows.cells.active[unit, 4])
    sae, study = grid.rows.sae, grid.study
    label = grid.rows.label(unit, 4)
    index = cell(grid, label)
    page.states.clear()
    assert page.ask("intervene", cells=[{"index": index, "label": label, "way": way}])["ok"]
    assert page.sent("features") == []
    (result,) = page.sent("result")
    assert (result["feature"], result["way"]) == (index, way)
    edit = {
        "patch": mw.Within(Features(sae, unit)),
        "zero": clamp(sae, {unit: 0.0}),
        "steer": steer(sae, unit, 2.0),
    }[way]
    expected = mw.Study(study.lm, study.contrast).intervene({sae.at(4): edit})
    values = expected.scores(expected.edited).mean(axis=0)
    assert (result["y10"], result["y01"]) == pytest.approx(tuple(values), abs=1e-3)
    data = grid.features
    assert numbers(data, "y01").reshape(-1)[index] == pytest.approx(values[1], abs=1e-3)
    assert numbers(data, "status", "u1").reshape(-1)[index] == Status.EXACT
    assert study.history.current is not None
    assert dict(study.history.current.edits) == {sae.at(4): edit}


def test_a_whole_row_is_set_at_every_token(grid: mw.FeatureGrid, page: Page) -> None:
    unit = grid.drawn[0]
    label = grid.rows.label(unit, None)
    assert page.ask("intervene", cells=[{"index": cell(grid, label), "label": label}])["ok"]
    assert grid.study.selection == (grid.rows.sae.at(),)


def test_all_that_is_shown_in_one_job(grid: mw.FeatureGrid, page: Page) -> None:
    assert page.ask("features_run")["ok"]
    assert (numbers(grid.features, "status", "u1") != Status.NOT_RUN).all()
    units = [unit for unit in grid.drawn if unit is not None]
    by = {"all": None, **{str(at): at for at in range(7)}}
    effect = mw.features.sweep(grid.study, grid.rows.sae, units, by, progress=False)
    np.testing.assert_allclose(numbers(grid.features, "y01"), effect["Y01"], atol=1e-3)
    assert page.ask("features_order", by="effect")["ok"]
    largest = np.maximum(abs(effect["PIE"]), abs(effect["TIE"])).max(axis=1)[:-1]
    size = dict(zip(units, largest.tolist(), strict=True))
    order = [size[unit] for unit in grid.drawn if unit in size]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) > 2


def test_a_feature_of_ones_own_comes_first(grid: mw.FeatureGrid, page: Page) -> None:
    hidden = next(unit for unit in range(N) if unit not in grid.drawn)
    assert page.ask("features_show", unit=hidden)["ok"]
    assert grid.features["rows"][0]["label"] == f"L2F{hidden}"


def test_the_result_follows_its_feature_when_the_grid_is_drawn_anew(
    grid: mw.FeatureGrid, page: Page
) -> None:
    unit = grid.drawn[1]
    assert unit is not None
    label = grid.rows.label(unit, None)
    assert page.ask("intervene", cells=[{"index": cell(grid, label), "label": label}])["ok"]
    value = grid.result["y01"]
    places = [grid.result["feature"]]
    hidden = next(unit for unit in range(N) if unit not in grid.drawn)
    asked: list[tuple[str, dict[str, Any]]] = [
        ("features_show", {"unit": hidden}),
        ("features_order", {"by": "effect"}),
        ("pair", {"index": 1}),
        ("pair", {"index": None}),
    ]
    for action, fields in asked:
        page.states.clear()
        assert page.ask(action, **fields)["ok"]
        assert len(page.sent("result")) == 1, action
        index = grid.result["feature"]
        assert grid.features["labels"][index] == label, action
        assert page.sent("result")[0]["feature"] == index
        places.append(index)
        shown = numbers(grid.features, "y01").reshape(-1)[index]
        assert shown == pytest.approx(grid.result["y01"], abs=1e-5)
    assert grid.result["y01"] == pytest.approx(value)
    assert places[1] == places[0] + 8  # a row further down


def test_the_result_of_another_amount_is_of_no_cell(grid: mw.FeatureGrid, page: Page) -> None:
    assert page.ask("features_way", way="steer", amount=2.0)["ok"]
    label = grid.features["labels"][0]
    assert page.ask("intervene", cells=[{"index": 0, "label": label, "way": "steer"}])["ok"]
    assert grid.result["feature"] == 0
    assert page.ask("features_way", way="steer", amount=3.0)["ok"]
    assert grid.result["feature"] is None
    assert page.ask("features_way", way="steer", amount=2.0)["ok"]
    assert grid.result["feature"] == 0


def test_features_are_written_by_the_view_alone(grid: mw.FeatureGrid) -> None:
    with pytest.raises(traitlets.TraitError, match="written by the view"):
        grid.features = {}
    assert grid.features["rows"]


def test_what_is_refused_changes_nothing(grid: mw.FeatureGrid, page: Page) -> None:
    before = len(grid.study.history)
    error = cell(grid, grid.rows.label(None, 4))
    refused: list[tuple[str, dict[str, Any]]] = [
        ("intervene", {"cells": [{"index": 10_000}]}),
        ("intervene", {"cells": [{"index": 1, "label": "L9F9 @ cat"}]}),
        ("intervene", {"cells": [{"index": 1, "way": "zero"}]}),
        ("intervene", {"cells": [{"index": 1}], "revision": 99}),
        ("intervene", {"cells": []}),
        ("features_way", {"way": "melt"}),
        ("features_way", {"way": "steer", "amount": "much"}),
        ("features_order", {"by": "name"}),
        ("features_show", {"unit": N}),
    ]
    for action, fields in refused:
        reply = page.ask(action, **fields)
        assert not reply["ok"], action
        assert reply["error"]["fix"]
    assert page.ask("features_way", way="steer", amount=1.0)["ok"]
    assert numbers(grid.features, "status", "u1")[-1].tolist() == [Status.IMPOSSIBLE] * 8
    assert (
        "no code to add to" in page.ask("intervene", cells=[{"index": error}])["error"]["message"]
    )
    assert "patched or ablated" in page.ask("features_run")["error"]["message"]
    assert len(grid.study.history) == before


def test_other_prompts_and_another_metric_forget_what_was_run(
    grid: mw.FeatureGrid, page: Page
) -> None:
    assert page.ask("features_run")["ok"]
    grid.study.metric = mw.LogProb()
    status = numbers(grid.features, "status", "u1")
    assert Status.EXACT not in status
    grid.study.swap()
    assert grid.features["revision"] == grid.study.revision
    page.ask("pair", index=1)
    assert grid.features["pair"] == 1


def test_contexts_are_the_strongest_places_as_text(study: mw.Study) -> None:
    sae = made("relu", study.lm.d_model, N, mw.Site("residual", 2))
    texts = ["ant bee cat", "dog eel fox gnu", "ant ant"]
    found = mw.features.contexts(study.lm, sae, texts, k=2)
    for unit, tops in enumerate(found):
        codes = [
            (float(code), text, at)
            for text in texts
            for at, code in enumerate(codes_of(study.lm, sae, text)[:, unit])
        ]
        best = max(codes)
        if best[0] > 0:
            assert tops[0].code == pytest.approx(best[0], rel=1e-4)
            assert tops[0].token.strip() == best[1].split()[best[2]]
            assert [top.code for top in tops] == sorted((t.code for t in tops), reverse=True)
    assert max(len(tops) for tops in found) == 2
    with pytest.raises(mw.MediationError, match="from texts"):
        mw.features.contexts(study.lm, sae, [])


def codes_of(lm: mw.LM, sae: mw.features.SAE, text: str) -> np.ndarray:
    pair = mw.PromptPair(text, text + " rat", answer="hen", wrong="ibis")
    found = mw.Study(lm, pair).activations(sae.at(tuple(range(len(text.split()))))).array[0]
    return np.asarray(sae.encode(found))


def test_static_pictures_escape_what_tokens_hold(grid: mw.FeatureGrid) -> None:
    data = grid.features
    data["rows"][0]["tops"] = [{"before": "", "token": HOSTILE, "after": "", "code": 1.0}]
    html = grid._html()
    assert HOSTILE not in html
    assert "&lt;img src=x" in html
    assert grid.snapshot() is not None


def test_what_it_cannot_show(several: mw.Study) -> None:
    with pytest.raises(mw.MediationError, match="another model"):
        mw.FeatureGrid(several)
    sae = made("relu", several.lm.d_model, N, mw.Site("residual", 2))
    with pytest.raises(mw.MediationError, match="counted"):
        mw.FeatureGrid(several, sae, most=0)


def test_a_grid_is_run_from_python_as_from_the_page(grid: mw.FeatureGrid) -> None:
    effect = grid.run(progress=False)
    units = [unit for unit in grid.drawn if unit is not None]
    assert effect.axes["feature"] == (*units, "error")
    status = numbers(grid.features, "status", "u1")
    assert Status.NOT_RUN not in status
    ran = status == Status.EXACT
    assert ran.any()
    np.testing.assert_allclose(numbers(grid.features, "y01")[ran], effect["Y01"][ran], rtol=1e-5)
    grid.rows.way = "steer"
    with pytest.raises(mw.MediationError, match="patched or ablated"):
        grid.start()


@pytest.mark.parametrize("way", ["patch", "zero"])
def test_a_picture_shows_the_features(grid: mw.FeatureGrid, page: Page, way: str) -> None:
    assert page.ask("features_way", way=way, amount=0.0)["ok"]
    effect = grid.run(progress=False)
    index = int(np.flatnonzero(numbers(grid.features, "status", "u1") == Status.EXACT)[0])
    label = grid.features["labels"][index]
    assert page.ask("intervene", cells=[{"index": index, "label": label, "way": way}])["ok"]
    taken = grid.snapshot(unit="raw")
    shown = texts(taken.svg)
    assert {"not run", *(row["label"] for row in grid.features["rows"])} - set(shown) == {"not run"}
    key = "PIE" if way == "patch" else "corrupt"
    exact = np.asarray(effect.status) == Status.EXACT
    for value in np.asarray(effect[key], np.float32)[exact].astype(float):
        assert in_cell(float(value), share=False) in shown
    assert taken.facts["edit"].startswith(way)
    # The ring of the cell that was clicked, which the rail tells.
    assert taken.svg.count('stroke-width="2.5"') == 1
    assert label in " ".join(shown)


@pytest.mark.parametrize("way", ["patch", "zero"])
def test_what_its_cells_are_set_to_is_told_as_of_any_other_cells(
    grid: mw.FeatureGrid, way: Any
) -> None:
    """An exported page answers a click on a feature with these fields, to every linked view."""
    grid.rows.way = way
    grid.draw()
    assert set(grid.features["edit"]) == set(edit_payload([mw.Patch()]))
    assert grid.snapshot().svg
