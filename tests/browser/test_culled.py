"""A server ends kernels that nobody used for a while: what the page then shows, open and reopened.

The culler ends a kernel within the server, as does the request that is sent here: the page is not
asked, and hears of it from the server alone.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import watch
from tests.browser.explorers import EXPLORER, SESSION, START, Explorer
from tests.browser.notebook import PATIENCE, PICTURES, Notebook
from tests.browser.server import Server

CARD = ".mw[aria-label='Question']"
SAVED = "[class^=mw-saved-]"
SAVE = "window.jupyterapp.commands.execute('docmanager:save')"
PAINTED = "img => img.complete && img.naturalWidth > 0 && img.getBoundingClientRect().width > 200"
GONE = f"() => !{SESSION}.session?.kernel"
LESSON = """lesson = mw.teach.Lesson("1 One intervention")
card = lesson.pick("which", "Which head restores Mary?", study)
card"""


@pytest.fixture
def pages(notebook: Notebook) -> Iterator[Callable[[], Page]]:
    """Opens pages on which nothing of ours may throw.

    The page's console is not looked at: JupyterLab writes there that a kernel does not answer, and
    that there is no model for a live view.
    """
    misdeeds: list[str] = []

    def another() -> Page:
        page = notebook.page.context.new_page()
        watch(page, misdeeds)
        return page

    yield another
    assert [it for it in misdeeds if not it.startswith("console")] == []


def cull(server: Server) -> None:
    """End all kernels, as the culler does."""
    with urllib.request.urlopen(f"{server.url}/api/kernels") as answer:
        kernels = json.load(answer)
    assert kernels
    for kernel in kernels:
        address = f"{server.url}/api/kernels/{kernel['id']}"
        urllib.request.urlopen(urllib.request.Request(address, method="DELETE")).close()


def test_a_culled_kernel_leaves_its_pictures(notebook: Notebook, pages: Callable[[], Page]) -> None:
    page = notebook.page = pages()
    notebook.open_cells([START.format(n=1), "explorer = mw.Explorer(study)\nexplorer", LESSON])
    notebook.run_all()
    explorer, card = Explorer(notebook), page.locator(CARD)
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    expect(card).to_be_visible()
    expect(page.locator(SAVED).first).to_contain_text("L3H1")
    page.evaluate(SAVE)
    cull(notebook.server)

    # The page has not heard of it yet: the click is on its way, and does not stay so.
    state = explorer.root.locator(".mw-kernel")
    explorer.cell("L0H1").click()
    expect(state).to_have_text("kernel busy, queued")
    page.wait_for_function(GONE, timeout=PATIENCE)
    expect(state).to_have_text("disconnected, still readable", timeout=20_000)
    expect(explorer.root.locator("[data-pending]")).to_have_count(0)
    explorer.cell("L3H1").hover()
    expect(explorer.root.locator(".mw-sentence")).to_contain_text("Patching L3H1")
    card.get_by_role("gridcell").first.click()
    card.get_by_role("button", name="Commit").click()
    expect(card.locator(".mw-qsaid")).to_contain_text("The kernel is gone")
    page.screenshot(path=PICTURES / "culled-open.png")
    page.close()

    again = pages()
    again.goto(f"{notebook.server.url}/lab/tree/cells.ipynb?reset", timeout=PATIENCE)
    expect(again.locator(SAVED)).to_have_count(2, timeout=PATIENCE)
    for picture in again.locator(f"{SAVED} img").all():
        expect(picture).to_be_visible()
        assert picture.evaluate(PAINTED)
    expect(again.locator(SAVED).first).to_contain_text("L3H1")
    assert again.locator(f"{EXPLORER}, {CARD}").count() == 0
    again.screenshot(path=PICTURES / "culled-reopened.png")
