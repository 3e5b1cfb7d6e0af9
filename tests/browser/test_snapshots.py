"""Pictures of views where no font is as narrow as the one that they were drawn for."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser

import mediawidget as mw
from mediawidget.widgets.drawing.text import width

PAIR = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary",
    wrong="John",
)
HEADS = [mw.Site("head", 3, head=0), mw.Site("head", 3, head=1)]
# Every text with where it stands; groups turn names of columns.
MEASURE = """() => [...document.querySelectorAll("svg text")].map((one) => {
  const {left, right, top, bottom} = one.getBoundingClientRect();
  return [one.textContent, left, right, top, bottom];
})"""
MARGIN = 15
"""Pixels at either side of a picture that stay empty."""


@pytest.fixture(scope="module")
def study() -> mw.Study:
    study = mw.Study(mw.load(), PAIR)
    study.sweep("head", progress=False)
    study.sweep("mlp_out", progress=False)
    study.sweep("residual", by="position", progress=False)
    study.intervene(HEADS)
    return study


@pytest.fixture(scope="module")
def many() -> mw.Study:
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=16))
    study.sweep("head", progress=False)
    study.intervene(HEADS[1])
    return study


def gates(_: mw.Study) -> mw.GatePlayground:
    view = mw.GatePlayground("XOR")
    view.guesses = {"XOR": dict.fromkeys(("y11", "y10", "y01", "y00"), 0)}
    return view


def pairs(study: mw.Study) -> mw.InteractionGrid:
    return mw.InteractionGrid(mw.interactions(study, HEADS, order=2, progress=False))


VIEWS: dict[str, Any] = {
    "explorer": mw.Explorer,
    "heads": mw.HeadGrid,
    "difference": lambda study: mw.HeadGrid(study, direction="difference"),
    "tokens": mw.TokenHeatmap,
    "mediation": mw.MediationDiagram,
    "features": mw.FeatureGrid,
    "attention": mw.AttentionPattern,
    "lens": mw.LogitLens,
    "neurons": mw.Neurons,
    "board": mw.CircuitBoard,
    "prompts": mw.PromptEditor,
    "gates": gates,
    "pairs": pairs,
    "traces": lambda study: mw.CausalTrace(mw.causal_tracing(study, subject=(2, 3))),
}


Placed = tuple[str, float, float, float, float]
"""A text with its left, right, top and bottom."""


def measured(browser: Browser, svg: str, family: str) -> list[Placed]:
    """Every text of a picture in a font."""
    page = browser.new_page(viewport={"width": 800, "height": 600})
    drawn = svg.replace("'Helvetica Neue', Helvetica, Arial, 'Liberation Sans', ", f"'{family}', ")
    assert drawn != svg
    page.set_content(f'<!doctype html><body style="margin:0">{drawn}</body>')
    found: list[Placed] = [tuple(one) for one in page.evaluate(MEASURE)]
    page.close()
    return found


def misplaced(svg: str, texts: list[Placed]) -> list[str]:
    """Texts that leave their picture, and pairs of texts on one another."""
    wide = float(re.search(r'width="([\d.]+)"', svg)[1])  # type: ignore[index]
    shown = [one for one in texts if one[0]]
    out = [one[0] for one in shown if one[1] < MARGIN or one[2] > wide - MARGIN]
    for i, (text, left, right, top, bottom) in enumerate(shown):
        for other, a, b, c, d in shown[i + 1 :]:
            # The boxes of lines may touch: they are as high as the font's highest letters.
            if min(right, b) - max(left, a) > 0.5 and min(bottom, d) - max(top, c) > 4:
                out.append(f"{text} | {other}")
    return out


@pytest.mark.parametrize("name", VIEWS)
def test_texts_have_room_in_a_wide_font(browser: Browser, study: mw.Study, name: str) -> None:
    svg = VIEWS[name](study).snapshot().svg
    assert misplaced(svg, measured(browser, svg, "DejaVu Sans")) == []


@pytest.mark.parametrize("direction", ["restore", "break", "difference"])
def test_so_have_those_of_a_mean(browser: Browser, many: mw.Study, direction: str) -> None:
    for unit in ("percent", "raw"):
        svg = mw.Explorer(many, direction=direction).snapshot(unit=unit).svg
        assert misplaced(svg, measured(browser, svg, "DejaVu Sans")) == []


def test_the_font_is_wide_and_what_has_no_room_is_found(browser: Browser, study: mw.Study) -> None:
    svg = mw.MediationDiagram(study).snapshot().svg
    texts = measured(browser, svg, "DejaVu Sans")
    (sentence,) = (one for one in texts if one[0].startswith("Patching"))
    # Helvetica's width of it, by which lines were once broken.
    narrow = width(sentence[0], 13)
    assert sentence[2] - sentence[1] > 1.1 * narrow
    lines = svg.replace(">Patching", ">Patching and something that needs more room than there is,")
    assert len(misplaced(lines, measured(browser, lines, "DejaVu Sans"))) == 1
