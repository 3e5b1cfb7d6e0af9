"""What the page says of one reading agrees: toolbar, needle, chips, corners; and fingers select."""

from __future__ import annotations

import pytest
from playwright.sync_api import FloatRect, Locator, expect

from tests.browser.explorers import EXPLORER, START, Explorer, clipped, unnamed
from tests.browser.notebook import Notebook

EDGE = "mw.Site('edge', 3, head=1, position=14, key=4)"


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    """An Explorer with a history of a patched head and a knocked-out edge, which is shown."""
    ask = f"study.intervene(mw.Site('head', 3, head=1))\nstudy.intervene({{{EDGE}: mw.Knockout()}})"
    notebook.open_cells([START.format(n=8), "explorer = mw.Explorer(study)\nexplorer", ask])
    notebook.run_all()
    found = Explorer(notebook)
    expect(found.root.locator(".mw-entry")).to_have_count(3)
    return found


def box(locator: Locator) -> FloatRect:
    found = locator.bounding_box()
    assert found is not None
    return found


@pytest.mark.parametrize("dark", [False, True])
def test_a_knocked_out_edge_is_called_one_thing(explorer: Explorer, dark: bool) -> None:
    notebook, root = explorer.notebook, explorer.root
    notebook.set_dark(dark)
    note = root.locator(".mw-shownas")
    expect(note).to_contain_text("Shown: On corrupt, \N{MINUS SIGN} against, + for clean")
    expect(root.locator(".mw-of")).to_contain_text("on corrupt")
    expect(root.locator(".mw-entry[aria-current] .mw-entryedit")).to_have_text("knock-out")
    label = notebook.value(f"study.labels([{EDGE}])[0]")
    said = f"Next token of pair 1 alone: {label}"
    expect(root.locator(".mw-next .mw-title")).to_have_text(said)
    for width in (480, 768):
        notebook.set_width(width, height=1700)
        notebook.page.mouse.move(1, 1)
        notebook.page.wait_for_timeout(400)
        assert clipped(explorer) == []
        under = [box(it) for it in root.locator(".mw-toolbar > .mw-field, .mw-legend").all()]
        mine = box(note)
        for other in [*under, box(root.locator(".mw-sheet"))]:
            apart = mine["y"] + mine["height"] <= other["y"] + 1
            assert apart or mine["y"] >= other["y"] + other["height"] - 1
        assert notebook.accessibility_violations(EXPLORER) == []
        notebook.picture(f"reading-{'dark' if dark else 'light'}-{width}", root)
    assert unnamed(explorer) == []
    # Cells are patches: pointing at one, all three are of that.
    explorer.cell("L3H0").hover()
    expect(note).to_be_empty()
    root.locator(".mw-entry").nth(1).click()
    explorer.settled("L3H1")
    expect(note).to_be_empty()
    notebook.page.keyboard.down("b")
    expect(root.locator(".mw-grid [aria-selected=true]")).to_have_count(0)
    expect(note).to_contain_text("On corrupt")
    notebook.page.keyboard.up("b")
    expect(root.locator(".mw-grid [aria-selected=true]")).to_have_count(1)


def test_the_quantities_and_the_list_of_keys_explain(explorer: Explorer) -> None:
    root, notebook = explorer.root, explorer.notebook
    root.locator(".mw-entry").nth(1).click()
    explorer.settled("L3H1")
    height = box(root)["height"]
    for name in ("PDE", "TDE", "INT"):
        item = root.locator(".mw-effects > span", has_text=name)
        item.hover()
        expect(root.locator(".mw-effectword")).to_have_text(item.get_attribute("title") or "")
        assert box(root)["height"] == height
    notebook.picture("quantities", root.locator(".mw-corners"))
    root.get_by_role("button", name="Keys").click()
    keys = root.get_by_role("dialog", name="Keys")
    expect(keys).to_contain_text("Restore (PIE), Break (TIE), Difference (INT)")
    rows = zip(keys.locator("dt").all(), keys.locator("dd").all(), strict=True)
    assert all(abs(box(key)["y"] - box(what)["y"]) < 4 for key, what in rows)
    notebook.picture("keys")
    keys.get_by_role("button", name="Close").click()
    root.get_by_role("tab", name="Logit lens").click()
    expect(root.locator(".mw-looklegend")).to_contain_text("Numbers are probabilities")
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in (480, 768):
            notebook.set_width(width, height=1700)
            notebook.page.wait_for_timeout(400)
            assert clipped(explorer) == []
            name = f"lens-words-{'dark' if dark else 'light'}-{width}"
            notebook.picture(name, root.locator(".mw-closer"))


def test_fingers_select_several(explorer: Explorer) -> None:
    """A long press, and the button that makes taps add, by the browser's own touch."""
    root, page = explorer.root, explorer.page
    root.locator(".mw-entry").nth(1).click()
    explorer.settled("L3H1")
    touch = page.context.new_cdp_session(page)
    touch.send("Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1})

    def press(cell: Locator, milliseconds: int) -> None:
        cell.scroll_into_view_if_needed()
        at = box(cell)
        point = {"x": at["x"] + at["width"] / 2, "y": at["y"] + at["height"] / 2}
        touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        page.wait_for_timeout(milliseconds)
        touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

    press(explorer.cell("L3H0"), 700)
    explorer.settled("L3H1 + L3H0")
    press(explorer.cell("L2H1"), 50)
    explorer.settled("L2H1")
    add = root.get_by_role("button", name="Add to set")
    press(add, 50)
    expect(add).to_have_attribute("aria-pressed", "true")
    press(explorer.cell("L2H0"), 50)
    explorer.settled("L2H1 + L2H0")
    press(explorer.cell("L2H1"), 50)
    explorer.settled("L2H0")
