"""A model on a server in a real kernel: cells run while clicks wait, and the page says for what."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.explorers import Explorer
from tests.browser.notebook import Notebook

START = """
import threading
import mediawidget as mw
loopback = mw.remote.Loopback(mw.load(), delay=1.5).open()
lm = mw.load(loopback.model, remote=loopback.server)
study = mw.Study(lm, mw.tasks.ioi(lm, n=1))
"""
VIEW = """
explorer = mw.Explorer(study)
threads = set()
explorer.observe(lambda _: threads.add(threading.current_thread() is threading.main_thread()))
explorer
"""
CLICKS = """([selector, last]) => {
  const cells = document.querySelector(selector).querySelectorAll("[role=gridcell]");
  for (let i = 0; i < 19; i++) cells[i].click();
  cells[last].click();
}"""


def test_cells_run_while_a_click_waits_for_a_server(notebook: Notebook) -> None:
    notebook.open_cells([START, VIEW])
    notebook.run_cell(0)
    notebook.run_cell(1)
    explorer = Explorer(notebook)
    kernel = explorer.root.locator(".mw-kernel")
    expect(explorer.cell("L3H1")).to_be_visible()
    explorer.cell("L3H1").click()
    expect(kernel).to_have_text(re.compile("running|queued|handed"))
    # The kernel answers, and the click is still on its way.
    assert notebook.value("[site.label() for site in study.selection]") == []
    expect(explorer.cell("L3H1")).to_have_attribute("data-pending", "true")
    explorer.settled("L3H1")
    expect(kernel).to_have_text("")
    assert explorer.readout() == round(explorer.share("PIE"))

    # Twenty while one waits: two are run, and the last one stands.
    explorer.cell("L0H0").click()
    expect(kernel).not_to_have_text("")
    notebook.page.evaluate(CLICKS, [explorer.selector, 9])
    explorer.settled("L2H1")
    assert notebook.value("[site.label() for site in study.selection]") == ["L2H1"]
    assert notebook.value("len([entry for entry in study.history if entry])") == 3
    assert notebook.value("threads == {True}")

    # A sweep is given up at once.
    explorer.root.get_by_role("button", name=re.compile("^Run")).first.click()
    cancel = explorer.root.get_by_role("button", name="Cancel")
    cancel.click()
    expect(explorer.root.locator(".mw-progressline")).to_contain_text("Cancelled after")
    notebook.execute("loopback.close()")
