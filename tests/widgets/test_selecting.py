"""Selections as text, without one of their sites, and clicks that are overtaken."""

import asyncio
from typing import Any

import pytest

import mediawidget as mw
from mediawidget.widgets._typed import sites_of
from tests.widgets.conftest import Page

CELLS = [{"panel": "head", "index": i} for i in range(6)]


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("L3H0", ["L3H0"]),
        ("l3h0, mlp1  L3H0", ["L3H0", "mlp1"]),
        ("mlp1@END L2 @ S", ["mlp1 @ END", "L2 @ S"]),
        ("L2@cat out@6 attn1", ["L2 @ 2", "out @ 6", "attn1"]),
        ("L1H2.q@dog(3) L2.mid", ["L1H2.q @ 3", "L2.mid"]),
    ],
)
def test_a_line_names_sites(study: mw.Study, text: str, labels: list[str]) -> None:
    text = text.replace("@cat", "@owl") if "owl" in study.position_names else text
    named = [site.label(n_layers=study.lm.n_layers) for site in sites_of(study, text)]
    assert named == [label.replace("2.", "2.") for label in labels]


@pytest.mark.parametrize("text", ["", " , ", "L3X0", "mlp", "L2@nowhere", "L3H0 perhaps"])
def test_a_line_that_names_none_is_refused(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    reply = Page(mw.HeadGrid(study), monkeypatch).ask("select", text=text)
    assert not reply["ok"]
    assert "names no site" in reply["error"]["message"]
    assert study.selection == ()


def test_text_from_the_page_runs_jointly(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(mw.HeadGrid(study), monkeypatch)
    assert page.ask("select", text="L3H1 mlp1@END")["ok"]
    assert [site.label() for site in study.selection] == ["L3H1", "mlp1 @ END"]
    assert not page.ask("select", text=3)["ok"]
    assert not page.ask("select", text="L0H0", revision=-1)["ok"]
    assert not page.ask("select", text="L99H0")["ok"]


# --- without one ----------------------------------------------------------------------------------


def test_leaving_one_out_is_the_rest_and_no_history(
    several: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = mw.Explorer(several)
    page = Page(view, monkeypatch)
    page.ask("intervene", cells=CELLS[:3])
    shown = view.result
    rest = page.ask("without", index=1)["data"]
    assert view.result == shown
    assert len(several.history) == 2
    assert [cell["index"] for cell in rest["cells"]] == [0, 2]
    expected = several.intervene([view.panels[0].sites(several)[i] for i in (0, 2)])
    for key in ("Y11", "Y10", "Y01", "Y00"):
        assert rest[key.lower()] == pytest.approx(float(expected[key]), abs=1e-5)
    assert rest["label"] == expected.labels[0]


def test_leaving_one_out_is_run_once(study: mw.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    page = Page(mw.Explorer(study), monkeypatch)
    page.ask("intervene", cells=CELLS[:2])
    first = page.ask("without", index=0)["data"]
    monkeypatch.setattr(study, "ask", lambda _: pytest.fail("it was run again"))
    assert page.ask("without", index=0)["data"] == first


@pytest.mark.parametrize("index", [2, -1, "0", None])
def test_there_is_no_such_site_to_leave_out(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch, index: Any
) -> None:
    page = Page(mw.Explorer(study), monkeypatch)
    page.ask("intervene", cells=CELLS[:2])
    assert not page.ask("without", index=index)["ok"]
    page.ask("intervene", cells=CELLS[:1])
    assert not page.ask("without", index=0)["ok"]


# --- clicks in a row ------------------------------------------------------------------------------


def clicks(study: mw.Study, monkeypatch: pytest.MonkeyPatch, asked: list[Any]) -> Page:
    """A view on a running loop that gets these requests before it can do any of them."""

    async def storm() -> Page:
        page = Page(mw.Explorer(study), monkeypatch)
        for action, fields in asked:
            page.request(action, **fields)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return page

    return asyncio.run(storm())


def test_a_click_that_is_overtaken_is_answered_and_not_run(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = clicks(study, monkeypatch, [("intervene", {"cells": [cell]}) for cell in CELLS])
    assert [site.label() for site in study.selection] == ["L1H2"]
    assert len(study.history) == 2
    assert [m["ok"] for m in page.messages if m["kind"] == "reply"] == [True] * 6


def test_what_comes_between_two_clicks_finds_the_first_done(
    study: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (("intervene", {"cells": [cell]}) for cell in CELLS[:2])
    clicks(study, monkeypatch, [one, ("undo", {}), two])
    assert [entry and entry.effect.labels for entry in study.history] == [None, ("L0H1",)]
    again = mw.Study(study.lm, study.contrast)
    clicks(again, monkeypatch, [one, ("clear", {}), two])
    assert len(again.history) == 4
