"""Many sites at once on the page: dragged, typed, without one of them, compared; and the basket."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import START, Explorer, clipped, number
from tests.browser.notebook import Notebook

BASKET = ".mw[aria-label='Basket']"
SWEEP = "_ = study.sweep('head', progress=False)"
REST = (
    "100 * float((lambda e: e['PIE'] / e['TE'])"
    "(mw.Study(lm, study.contrast).intervene([mw.Site('head', 3, head=1)])))"
)


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    notebook.open_cells([START.format(n=1), SWEEP, "mw.Explorer(study)", "mw.Basket(study)"])
    notebook.run_all()
    found = Explorer(notebook)
    expect(found.cell("L3H1")).to_be_visible()
    return found


def test_dragging_typing_and_leaving_out(explorer: Explorer) -> None:
    notebook, mouse = explorer.notebook, explorer.page.mouse
    start, end = (explorer.cell(name).bounding_box() for name in ("L2H0", "L3H1"))
    assert start is not None
    assert end is not None
    mouse.move(start["x"] + 8, start["y"] + 8)
    mouse.down()
    mouse.move(end["x"] + 10, end["y"] + 10, steps=6)
    expect(explorer.root.locator(".mw-band")).to_be_visible()
    mouse.up()
    explorer.settled("L2H0 + L2H1 + L3H0 + L3H1")
    expect(explorer.root.locator(".mw-band")).to_have_count(0)

    explorer.cell("L0H0").focus()
    explorer.page.keyboard.press("/")
    explorer.page.keyboard.type("L3H0 banana")
    explorer.page.keyboard.press("Enter")
    expect(explorer.root).to_contain_text("unknown: banana")
    explorer.page.keyboard.press("Escape")
    explorer.cell("L0H0").focus()
    explorer.page.keyboard.press("/")
    explorer.page.keyboard.type("L3H0 l3h1")
    explorer.page.keyboard.press("Enter")
    explorer.settled("L3H0 + L3H1")

    together = explorer.readout()
    explorer.page.mouse.move(1, 1)
    explorer.root.locator(".mw-chip").first.hover()
    rest = notebook.value(REST)
    expect(explorer.root.locator(".mw-readout")).to_have_text(
        f"{round(rest):+d}%".replace("-", "\N{MINUS SIGN}")
    )
    explorer.page.mouse.move(1, 1)
    assert explorer.readout() == together
    assert notebook.value("len(study.history)") == 3


def test_a_pinned_reading_and_one_panel_alone(explorer: Explorer) -> None:
    press = explorer.page.keyboard.press
    explorer.cell("L3H1").focus()
    a = explorer.readout()
    press("p")
    explorer.cell("L2H0").focus()
    sentence = explorer.root.locator(".mw-sentence")
    expect(sentence).to_contain_text("A L3H1")
    difference = explorer.readout()
    press("Escape")
    assert difference == pytest.approx(a - explorer.readout(), abs=1.01)
    explorer.root.get_by_role("button", name="Heads alone, larger").click()
    expect(explorer.root.locator(".mw-panel")).to_have_count(1)
    assert clipped(explorer) == []
    press("Escape")
    expect(explorer.root.locator(".mw-panel")).to_have_count(3)


@pytest.mark.parametrize("dark", [False, True])
def test_the_basket_follows_and_fits(explorer: Explorer, dark: bool) -> None:
    notebook = explorer.notebook
    basket = Explorer(notebook, BASKET)
    notebook.execute("study.intervene([mw.Site('head', 3, head=h) for h in (0, 1)])")
    expect(basket.root.locator(".mw-chip")).to_have_count(2)
    figures = basket.figures()
    assert figures["gap"] == pytest.approx(figures["together"] - figures["sum"], abs=0.11)
    assert number(basket.root.locator(".mw-readout").inner_text()) == explorer.readout()
    notebook.set_dark(dark)
    for width in (480, 768):
        notebook.set_width(width)
        notebook.page.wait_for_timeout(500)
        assert clipped(basket) == []
        assert notebook.accessibility_violations(BASKET) == []
        notebook.picture(f"basket-{'dark' if dark else 'light'}-{width}", basket.root)
