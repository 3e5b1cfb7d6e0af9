"""The view of docs/extending/widget.md, clicked: it is what the page says it is."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.notebook import Notebook
from tests.documents.pages import ROOT, blocks


def test_a_click_in_it_runs_and_other_views_show_it(notebook: Notebook) -> None:
    page = blocks(ROOT / "docs" / "extending" / "widget.md")
    written, used, *_ = [block.source for block in page if block.is_python]
    notebook.open_cells([written, used, "mw.HeadGrid(study)"])
    notebook.run_all()
    rows = notebook.output(1).get_by_role("button")
    expect(rows).to_have_count(5)
    shares = notebook.value("study.grids['head'].normalized('PIE').max()")
    expect(rows.first).to_have_text(f"L0H1 {100 * shares:.0f}%")

    rows.first.click()
    expect(rows.first).to_have_attribute("aria-pressed", "true")
    cell = notebook.output(2).get_by_role("gridcell", name="L0H1")
    expect(cell).to_have_attribute("aria-selected", "true")

    rows.nth(1).click(modifiers=["Shift"])
    expect(rows.nth(1)).to_have_attribute("aria-pressed", "true")
    assert notebook.value("len(study.selection)") == 2

    notebook.output(2).get_by_role("gridcell", name="L3H1").first.click()
    expect(rows.filter(has_text="L3H1")).to_have_attribute("aria-pressed", "true")
    expect(rows.first).to_have_attribute("aria-pressed", "false")
