"""The path between two selected components, asked from the page."""

from __future__ import annotations

from dataclasses import replace

import pytest

import mediawidget as mw
from tests.widgets.conftest import Page

ROUNDING = 1e-5
"""How far two passes in single precision may part at such logits: 2e-6 was seen."""

FIRST, LATER = mw.Site("head", 0, head=1), mw.Site("head", 2, head=0)


@pytest.mark.parametrize("sites", [[FIRST, LATER], [LATER, FIRST]])
def test_the_earlier_tells_the_later(
    several: mw.Study, sites: list[mw.Site], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = Page(mw.Explorer(several), monkeypatch)
    several.intervene(sites)
    before = len(several.history)
    effect = mw.search.path(several, FIRST, LATER)
    data = page.ask("straight")["data"]
    assert data["label"] == "L0H1 → L2H0"
    assert data["total"] == pytest.approx(several.total["TE"], abs=ROUNDING)
    assert [one["name"] for one in data["inputs"]] == ["all", "query", "key", "value"]
    for at, one in enumerate(data["inputs"]):
        assert one["pie"] == pytest.approx(effect["PIE"][at], abs=ROUNDING)
        assert one["tie"] == pytest.approx(effect["TIE"][at], abs=ROUNDING)
    assert len(several.history) == before
    page.view.pair = 2
    data = page.ask("straight")["data"]
    assert data["inputs"][0]["tie"] == pytest.approx(effect.pairs("TIE")[2, 0], abs=ROUNDING)


def test_a_total_effect_near_0_is_nothing_to_give_shares_of(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = several.contrast[0]
    turned = replace(one, clean=one.corrupt, corrupt=one.clean)
    both = mw.Study(several.lm, [one, turned])
    page = Page(mw.Explorer(both), monkeypatch)
    both.intervene([FIRST, LATER])
    data = page.ask("straight")["data"]
    assert data["total"] == pytest.approx(0, abs=1e-6)
    assert data["shares"] is False
    page.view.pair = 0
    data = page.ask("straight")["data"]
    assert abs(data["total"]) > 0.01
    assert data["shares"] is True


def test_what_is_no_path_is_said(several: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(mw.Explorer(several), monkeypatch)
    assert "two patched components" in page.ask("straight")["error"]["message"]
    several.intervene([FIRST, mw.Site("residual", 1)])
    assert "L0H1 + L1" in page.ask("straight")["error"]["value"]
    several.intervene([FIRST, mw.Site("head", 0, head=2)])
    assert "earlier" in page.ask("straight")["error"]["message"]
    several.edit = mw.Zero()
    several.intervene([FIRST, LATER])
    assert "two patched" in page.ask("straight")["error"]["message"]
