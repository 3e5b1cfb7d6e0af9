"""What looks closer in the Explorer: tabs that open, cells that run, numbers that are Python's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.notebook import Notebook
from tests.browser.explorers import START, Explorer, clipped, number, unnamed

SHOW = "explorer = mw.Explorer(study)\nexplorer"
ANSWERED = 60_000


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    notebook.open_cells([START.format(n=1) + "\n_ = study.sweep('head', progress=False)", SHOW])
    notebook.run_all()
    found = Explorer(notebook)
    expect(found.cell("L3H1")).to_be_visible()
    return found


def open_tab(explorer: Explorer, name: str) -> Locator:
    """Open what a tab shows."""
    explorer.root.get_by_role("tab", name=name, exact=True).click()
    panel = explorer.root.get_by_role("tabpanel")
    expect(panel.locator(".mw-partbody")).to_be_visible(timeout=ANSWERED)
    return panel


def weights(explorer: Explorer, base: str) -> Any:
    """The head's attention by the model itself, with eager attention."""
    explorer.notebook.execute(EAGER)
    return explorer.notebook.value(f"_eager({base!r})")


EAGER = """
import torch
def _eager(base):
    before = lm.hf.config._attn_implementation
    lm.hf.set_attn_implementation('eager')
    ids = torch.from_numpy(getattr(study.token_pairs[0], base))[None]
    with torch.no_grad():
        found = lm.hf(ids, output_attentions=True).attentions[3][0, 1]
    lm.hf.set_attn_implementation(before)
    return found.tolist()
"""


def read(panel: Locator) -> str:
    return panel.locator(".mw-readline").inner_text()


def walk_to(panel: Locator, grid: str, row: int, col: int) -> Locator:
    """Go to a cell with the arrows alone; it has the focus then."""
    cell = panel.get_by_role("grid", name=re.compile(grid)).get_by_role("gridcell")
    cell.first.focus()
    press = panel.page.keyboard.press
    press("Control+Home")
    for _ in range(row):
        press("ArrowDown")
    for _ in range(col):
        press("ArrowRight")
    return panel.page.locator(".mw-mapcell:focus")


def test_an_edge_is_read_and_knocked_out(explorer: Explorer) -> None:
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    panel = open_tab(explorer, "Attention")
    clean, corrupt = (weights(explorer, base) for base in ("clean", "corrupt"))
    n = len(clean)
    row = n - 1
    col = max(range(1, n), key=lambda key: clean[row][key])
    cell = walk_to(panel, "^Attention of L3H1 on clean", row, col)
    label = explorer.notebook.value(
        f"study.labels([mw.Site('edge', 3, head=1, position={row}, key={col})])[0]"
    )
    expect(cell).to_have_attribute("aria-label", re.compile("^" + re.escape(label) + ": clean"))
    said = read(panel)
    shown = [
        number(text) for text in re.findall(r"(?:clean|corrupt|difference) (\S+?)[,.](?= |$)", said)
    ]
    wanted = [clean[row][col], corrupt[row][col], clean[row][col] - corrupt[row][col]]
    assert shown[:2] == pytest.approx(wanted[:2], abs=0.0051)
    explorer.page.keyboard.press("Enter")
    explorer.settled(label)
    assert explorer.notebook.value(
        "[(s.to_json(), e.kind) for s, e in study.history.current.edits.items()]"
    ) == [
        [
            {"mediator": "edge", "layer": 3, "head": 1, "position": row, "key": col},
            "knockout",
        ]
    ]
    assert explorer.readout() == pytest.approx(explorer.share("corrupt"), abs=0.5)
    expect(panel.locator(".mw-readline")).to_contain_text("Knocked out")


TABS = ("Attention", "Logit lens", "Pairs", "Neurons")


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_of_every_tab(notebook: Notebook, dark: bool) -> None:
    notebook.open_cells([START.format(n=24) + "\n_ = study.sweep('head', progress=False)", SHOW])
    notebook.run_all()
    explorer = Explorer(notebook)
    notebook.set_dark(dark)
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    for tab in TABS:
        panel = open_tab(explorer, tab)
        if tab == "Attention":
            walk_to(panel, "^Attention", 10, 3)
            explorer.page.keyboard.press("Enter")
            expect(panel.locator(".mw-readline")).to_contain_text("Knocked out")
        for width in (480, 768):
            notebook.set_width(width, height=2000)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            name = f"part-{tab.split()[0].lower()}-{'dark' if dark else 'light'}-{width}"
            notebook.picture(name, explorer.root)
            assert clipped(explorer) == []
            assert notebook.accessibility_violations(explorer.selector) == []
        assert unnamed(explorer) == []
