"""Estimates in views: what stands in a cell until it is run."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.widgets import _guesses
from tests.widgets.conftest import Page


def cells(view: mw.Explorer, key: str = "head") -> dict[str, np.ndarray]:
    """A panel's numbers and states, as the page gets them."""
    (panel,) = (one for one in view.view["panels"] if one["key"] == key)
    found = {name: np.frombuffer(panel[name], "<f4") for name in ("y01", "y10")}
    return found | {"status": np.frombuffer(panel["status"], np.uint8)}


def test_the_page_asks_for_estimates_and_runs_replace_them_cell_by_cell(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    page = Page(view, monkeypatch)
    assert page.ask("estimate", panels=["head", "tokens"])["ok"]
    guessed = cells(view)
    effect = several.estimates["head"]
    assert (guessed["status"] == Status.ESTIMATE).all()
    np.testing.assert_allclose(guessed["y01"], effect["Y01"].ravel(), rtol=1e-6)
    np.testing.assert_allclose(guessed["y10"], effect["Y10"].ravel(), rtol=1e-6)
    assert {Status.ESTIMATE, Status.IMPLIED_ZERO} == set(cells(view, "tokens")["status"])
    assert not several.grids
    page.ask("intervene", cells=[{"panel": "head", "index": 10}])
    clicked = cells(view)
    exact = several.grids["head"]["Y01"].ravel()[10]
    assert clicked["y01"][10] == pytest.approx(exact, rel=1e-6)
    assert clicked["y01"][10] != guessed["y01"][10]
    others = np.arange(15) != 10
    np.testing.assert_array_equal(clicked["y01"][others], guessed["y01"][others])
    assert clicked["status"].tolist().count(Status.EXACT) == 1
    several.sweep("head", progress=False)
    assert (cells(view)["status"] == Status.EXACT).all()


def test_one_pair_and_a_page_without_a_kernel_show_them_too(several: mw.Study) -> None:
    view = mw.Explorer(several)
    several.estimate("head")
    view.pair = 1
    one = several.estimates["head"].pair(1)
    np.testing.assert_allclose(cells(view)["y01"], one["Y01"].ravel(), rtol=1e-6)
    assert "\N{ALMOST EQUAL TO}" in view._html()


def test_what_cannot_be_estimated_is_answered(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    page = Page(view, monkeypatch)
    several.metric = mw.Rank()
    reply = page.ask("estimate", panels=["head"])
    assert not reply["ok"]
    assert "no slope" in reply["error"]["message"]
    assert not page.ask("estimate", panels=["nothing"])["ok"]
    assert not page.ask("estimate", panels=["head"], revision=-1)["ok"]
    assert (cells(view)["status"] == Status.NOT_RUN).all()


async def idle(view: mw.Explorer) -> dict[str, Any]:
    """Whatever the loop has to do is done."""
    for _ in range(10):
        await asyncio.sleep(0)
    return dict(view.study.estimates)


def test_slow_panels_are_estimated_once_the_cell_is_done(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_guesses, "SLOW", 0.0)
    monkeypatch.setattr(_guesses, "CHEAP", 1e9)

    async def scene() -> None:
        view = mw.Explorer(several)
        assert not several.estimates
        assert set(await idle(view)) == {"head", "mlp_out", "residual@position"}
        several.metric = mw.LogProb()
        assert not several.estimates
        found = await idle(view)
        assert {effect.metric.name for effect in found.values()} == {"estimated log_prob"}
        several.metric = mw.Rank()  # refused once, and not asked again and again
        assert not await idle(view)
        view.close()
        several.metric = mw.LogitDiff()
        assert not await idle(view)

    asyncio.run(scene())


def test_where_a_sweep_is_as_quick_nothing_is_guessed(several: mw.Study) -> None:
    async def scene() -> None:
        assert not await idle(mw.Explorer(several))

    asyncio.run(scene())


def test_without_a_loop_nothing_comes_unasked(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_guesses, "SLOW", 0.0)
    monkeypatch.setattr(_guesses, "CHEAP", 1e9)
    mw.Explorer(several)
    assert not several.estimates


def test_metrics_of_one_name_are_two_questions(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_guesses, "SLOW", 0.0)
    monkeypatch.setattr(_guesses, "CHEAP", 1e9)

    async def scene() -> None:
        several.metric = mw.Function(lambda kept: 2 * kept["answer"], name="own")
        view = mw.Explorer(several)
        await idle(view)
        several.metric = mw.Function(lambda kept: -kept["wrong"], name="own")
        assert set(await idle(view)) == {"head", "mlp_out", "residual@position"}
        view.close()

    asyncio.run(scene())
