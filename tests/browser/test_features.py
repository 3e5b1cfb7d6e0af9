"""The grid of features in JupyterLab, with a real kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import Explorer, clipped, number, unnamed
from tests.browser.notebook import Notebook

GRID = ".mw[aria-label='Feature grid']"
WIDTHS = (480, 768)


@pytest.fixture
def grid(notebook: Notebook) -> Explorer:
    study = "study = mw.Study(lm, mw.tasks.ioi(lm, n=40, seed=1)[0])"
    start = f"import mediawidget as mw\nlm = mw.load()\n{study}"
    notebook.open_cells([start, "grid = mw.FeatureGrid(study)\ngrid"])
    notebook.run_all()
    found = Explorer(notebook, GRID)
    expect(found.root).to_be_visible()
    return found


def test_a_feature_is_patched_ablated_and_steered(grid: Explorer) -> None:
    notebook, root = grid.notebook, grid.root
    cells = notebook.n_cells()
    # The first feature that is active at the last token.
    notebook.execute("data = grid.features; n = len(data['columns'])")
    label = "data['labels'][i] for i in range(n - 1, len(data['labels']), n)"
    end = notebook.value(f"next({label} if data['status'][i] == 0)")
    row = end.partition(" @ ")[0]
    cell = root.get_by_role("gridcell", name=re.compile(rf"^{re.escape(end)}:"))
    expect(cell).to_have_attribute("data-state", "none")
    cell.hover()
    expect(root.locator(".mw-sentence")).to_contain_text("was not run")
    expect(root.locator(".mw-tops")).to_contain_text(f"{row} fires most on")
    cell.click()
    expect(cell).to_have_attribute("data-state", "exact")
    share = "100 * float(study.last['PIE']) / float(study.last['TE'])"
    assert number(cell.inner_text()) == pytest.approx(notebook.value(share), abs=0.6)
    root.get_by_role("button", name="Ablate").click()
    expect(cell).to_have_attribute("data-state", "none")
    cell.focus()
    for key in ("Enter", "d", "d"):
        notebook.page.keyboard.press(key)
    expect(cell).to_have_attribute("data-state", "exact")
    assert notebook.n_cells() == cells
    root.get_by_role("button", name="On clean").click()
    lost = "100 * float(study.last['clean']) / float(study.last['TE'])"
    assert number(cell.inner_text()) == pytest.approx(notebook.value(lost), abs=0.6)
    root.get_by_role("button", name="Steer").click()
    root.get_by_label("Amount").fill("3")
    root.get_by_label("Amount").press("Enter")
    cell.click()
    expect(cell).to_have_attribute("data-state", "exact")
    assert notebook.value("next(iter(study.history.current.edits.values())).scale") == 3.0


def test_all_that_is_shown_is_run_at_once(grid: Explorer) -> None:
    notebook, root = grid.notebook, grid.root
    root.get_by_role("button", name="Run all shown").click()
    expect(root.locator("[role=gridcell][data-state='none']")).to_have_count(0)
    root.get_by_role("button", name="by effect").click()
    expect(root.get_by_role("button", name="by effect")).to_have_attribute("aria-pressed", "true")
    assert unnamed(grid) == []
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in WIDTHS:
            notebook.set_width(width, height=1200)
            notebook.page.mouse.move(1, 1)
            root.locator("[role=gridcell]").nth(8).hover()
            notebook.page.wait_for_timeout(600)
            theme = "dark" if dark else "light"
            notebook.picture(f"features-{theme}-{width}", root)
            assert clipped(grid) == []
            assert notebook.accessibility_violations(grid.selector) == []
