"""Two hundred clicks while a cell runs: rings at once, and in the end the last click's numbers."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests.browser.explorers import EXPLORER, START, Explorer
from tests.browser.notebook import RUN_CELL, Notebook

CLICKS = 200
SECONDS = 5.0
BUSY = "import time\ntime.sleep(6)"

#: Clicks, one every `pause` ms, over the first 20 cells; how many had no ring a frame later.
STORM = """async ([selector, clicks, pause]) => {
  const cells = document.querySelector(selector).querySelectorAll("[role=gridcell]");
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  let ringless = 0;
  const start = performance.now();
  for (let i = 0; i < clicks; i++) {
    const wait = start + i * pause - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    const cell = cells[(7 * i) % 20];
    cell.click();
    await frame();
    if (cell.dataset.pending !== "true" && cell.ariaSelected !== "true") ringless += 1;
  }
  return ringless;
}"""

#: Each entry of the history beside the same sites run alone, in a study that no page clicks.
QUIET = """
quiet = mw.Study(lm, study.contrast)
pairs = [(entry.effect, quiet.intervene(dict(entry.edits))) for entry in study.history if entry]
"""
CORNERS = "[[[float(e[k]) for k in ('Y11', 'Y10', 'Y01', 'Y00')] for e in both] for both in pairs]"


def test_two_hundred_clicks_while_a_cell_runs(notebook: Notebook) -> None:
    notebook.open_cells([START.format(n=1), "explorer = mw.Explorer(study)\nexplorer", BUSY])
    notebook.run_cell(0)
    notebook.run_cell(1)
    explorer = Explorer(notebook)
    expect(explorer.cell("L3H1")).to_be_visible()
    notebook.page.evaluate(RUN_CELL, 2)
    notebook.page.wait_for_timeout(200)
    ringless = notebook.page.evaluate(STORM, [EXPLORER, CLICKS, 1000 * SECONDS / CLICKS])
    assert ringless == 0
    expect(explorer.root.locator(".mw-kernel")).to_have_text("kernel busy, queued")
    last = 7 * (CLICKS - 1) % 20
    label = f"L{last // 4}H{last % 4}"
    explorer.settled(label)
    notebook.wait_idle()
    expect(explorer.root.locator(".mw-kernel")).to_have_text("")
    assert notebook.value("[s.label() for s in study.selection]") == [label]
    assert explorer.readout() == round(explorer.share("PIE"))

    notebook.execute(QUIET)
    stormed, quiet = np.swapaxes(notebook.value(CORNERS), 0, 1)
    assert 1 <= len(stormed) <= CLICKS
    np.testing.assert_allclose(stormed, quiet, atol=1e-4)
    print(f"\n{CLICKS} clicks in {SECONDS} s on a busy kernel: {len(stormed)} were run")
