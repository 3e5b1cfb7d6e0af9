"""The designer of counterfactuals in JupyterLab, with a real kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import SUPPRESS, Explorer, clipped
from tests.browser.notebook import Notebook

DESIGNER = ".mw[aria-label='Counterfactual designer']"
WIDTHS = (480, 768)

START = """
import mediawidget as mw
ab = mw.abstraction
base = {"first": "Ann", "first_drink": "beer", "second": "Bob", "second_drink": "coffee",
        "asked": "Bob"}
source = {"first": "Bob", "first_drink": "tea", "second": "Ann", "second_drink": "water",
          "asked": "Bob"}
rivals = ab.lookback_hypotheses()
pairs = [ab.counterfactual(rivals, base, source), *ab.separating(rivals, 2)]
designer = mw.CounterfactualDesigner(
    mw.models.lookback(), rivals, mw.models.lookback_prompt, pairs=pairs)
designer
"""


@pytest.fixture
def designer(notebook: Notebook) -> Explorer:
    notebook.open_cells([START])
    notebook.run_all()
    view = Explorer(notebook, DESIGNER)
    expect(view.root).to_be_visible()
    return view


def test_rivals_are_told_apart_by_a_click(designer: Explorer) -> None:
    notebook, root = designer.notebook, designer.root
    said = root.locator(".mw-sentence")
    rows = root.locator(".mw-drivals tr")
    expect(root.locator(".mw-dverdict")).to_have_text("✓ Every hypothesis predicts another output.")
    expect(root.locator(".mw-dsheet [data-state=none]")).to_have_count(32)
    # Nothing was run: the hypotheses stand there, the network says nothing yet.
    expect(rows.nth(1)).to_contain_text("pointer")
    expect(rows.nth(1)).to_contain_text("not run")
    pointer = root.get_by_role("gridcell", name=re.compile(r"^L2 @ :"))
    pointer.click()
    expect(said).to_have_text(
        "L2 @ : set to its value on the counterfactual: the model says beer, as A pointer predicts."
    )
    expect(rows.nth(1)).to_contain_text("✓ says this")
    expect(root.locator(".mw-dalone")).to_contain_text("Original alone says coffee ✓")
    expect(root.locator(".mw-dsheet [data-state=none]")).to_have_count(31)
    assert notebook.value("designer.state['pair']['cells'][2][7]") == ["beer", [0]]
    # One below: the same position after the last block, by the keyboard.
    notebook.page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("out @ : was not run")
    notebook.page.keyboard.press("Enter")
    expect(said).to_contain_text("the model says tea, as B payload predicts.")
    root.get_by_role("button", name="Run all 32 sites").click()
    expect(root.locator(".mw-dsheet [data-state=none]")).to_have_count(0)
    expect(root.locator(".mw-dsheet [data-state=hit]")).to_have_text(["A", "A", "B"])
    # Keys of the sheet harm no cell of the notebook.
    cells = notebook.n_cells()
    for key in ("d", "d"):
        notebook.page.keyboard.press(key)
    assert notebook.n_cells() == cells
    for element in root.locator("button, select").all():
        assert element.get_attribute(SUPPRESS) == "true"
    assert_drawn_well(designer, "designer-run")


def test_an_edit_that_tells_nothing_apart_is_marked(designer: Explorer) -> None:
    notebook, root = designer.notebook, designer.root
    verdict = root.locator(".mw-dverdict")
    keep = root.get_by_role("button", name="Keep pair")
    drink = root.get_by_label("Counterfactual: first_drink", exact=True)
    drink.select_option("beer")
    expect(verdict).to_have_text("⚠ Cannot tell apart: pointer and payload.")
    expect(root.locator(".mw-dalike").first).to_have_text("⚠ same as payload")
    expect(root.locator(".mw-where")).to_have_text("yours")
    expect(keep).to_be_disabled()
    assert_drawn_well(designer, "designer-alike")
    drink.select_option("milk")
    expect(verdict).to_have_text("✓ Every hypothesis predicts another output.")
    keep.click()
    expect(root.get_by_role("button", name="✓ Kept")).to_be_visible()
    assert notebook.value("designer.kept[0].predicted") == {"pointer": "beer", "payload": "milk"}
    # Inputs without a prompt are said to be none.
    root.get_by_label("Counterfactual: second", exact=True).select_option("Bob")
    expect(verdict).to_have_text("⚠ There is no such pair of prompts.")
    root.get_by_role("button", name="Next pair").click()
    expect(root.locator(".mw-where")).to_have_text("1 of 3")
    root.get_by_role("button", name="Previous pair").click()
    expect(root.locator(".mw-where")).to_have_text("3 of 3")


def assert_drawn_well(view: Explorer, name: str) -> None:
    """Nothing clipped and nothing that axe finds, in both themes and at two widths."""
    notebook = view.notebook
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in WIDTHS:
            notebook.set_width(width, height=1300)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            notebook.picture(f"{name}-{'dark' if dark else 'light'}-{width}", view.root)
            assert clipped(view) == []
            assert notebook.accessibility_violations(view.selector) == []
    notebook.set_dark(dark=False)
