"""A circuit on its board in JupyterLab, with a real kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorers import START, Explorer, clipped, number
from tests.browser.notebook import Notebook

BOARD = ".mw[aria-label='Circuit board']"
HEADS = ".mw[aria-label='Head grid']"
WIDTHS = (480, 768, 900)
SCORED = """
scores = mw.search.eap(study)
board = mw.CircuitBoard(study, scores.circuit({n}), scores=scores, mode={mode!r})
board
"""


def open_board(notebook: Notebook, *, n: int = 60, mode: str = "edge", pairs: int = 8) -> Explorer:
    cells = [START.format(n=pairs), "mw.HeadGrid(study)", SCORED.format(n=n, mode=mode)]
    notebook.open_cells(cells)
    notebook.run_all()
    view = Explorer(notebook, BOARD)
    expect(view.root).to_be_visible()
    return view


def node(view: Explorer, label: str) -> Locator:
    """A node or an edge, found as people who hear the page find it."""
    return view.root.get_by_role("button", name=re.compile(rf"^{re.escape(label)}: "))


def figure(view: Explorer, name: str) -> str:
    return view.root.locator(".mw-bfigure", has_text=name).locator(".mw-bvalue").inner_text()


def settled(view: Explorer) -> None:
    """Wait until everything that was clicked is answered, and what runs after that is done."""
    expect(view.root.locator("[data-pending]")).to_have_count(0)
    expect(view.root.locator(".mw-bfigure", has_text="Gap").locator(".mw-bvalue")).not_to_have_text(
        "…"
    )


def test_pictures(notebook: Notebook) -> None:
    view = open_board(notebook, n=100)
    settled(view)
    node(view, "L3H1").focus()
    notebook.page.wait_for_timeout(9000)
    bad = []
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in WIDTHS:
            notebook.set_width(width, height=1700)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            theme = "dark" if dark else "light"
            notebook.picture(f"board-{theme}-{width}", view.root)
            bad += clipped(view) + notebook.accessibility_violations(view.selector)
    assert bad == []
    notebook.set_dark(dark=False)


VALUES = "mw.evaluation.{kind}(study)"


@pytest.mark.parametrize("mode", ["edge", "node"])
def test_a_click_changes_the_circuit_and_its_numbers(notebook: Notebook, mode: str) -> None:
    view = open_board(notebook, mode=mode, n=100)
    kind = {"edge": "EdgeValues", "node": "NodeValues"}[mode]
    notebook.execute(f"values = mw.evaluation.{kind}(study)")
    mover = node(view, "L3H1")
    expect(mover).to_have_attribute("aria-pressed", "true")
    for clicked in (mover, node(view, "L4H0"), mover):
        clicked.click()
        settled(view)
        told = notebook.value(
            "(lambda f: [f.normalized, f.kept.mean()])"
            "(mw.evaluation.faithfulness(study, board.circuit, values=values))"
        )
        assert number(figure(view, "Faithfulness")) == pytest.approx(told[0], abs=0.006)
        assert number(figure(view, "m(C)").split()[0]) == pytest.approx(told[1], abs=0.06)
        assert notebook.value("len(board.circuit.nodes)") == int(figure(view, "Size").split()[0])
    gap = notebook.value("board.result.gap")
    assert number(figure(view, "Gap").split()[0]) == pytest.approx(gap, abs=0.06)
    before = notebook.value("board.circuit.to_json()")
    mover.click()
    settled(view)
    notebook.page.keyboard.press("u")
    settled(view)
    expect(mover).to_have_attribute("aria-pressed", "true")
    assert notebook.value("board.circuit.to_json()") == before
    notebook.page.keyboard.press("U")
    expect(mover).to_have_attribute("aria-pressed", "false")


def test_edges_and_the_selection_of_other_views(notebook: Notebook) -> None:
    view = open_board(notebook, n=100)
    page, root = notebook.page, view.root
    # An edge goes by Enter, and stands there dashed to be put back.
    edge = node(view, "L3H1 → logits")
    edge.focus()
    page.keyboard.press("Enter")
    expect(edge).to_have_attribute("aria-pressed", "false")
    settled(view)
    assert notebook.value("board.result.n_edges") == 97
    f = notebook.value("board.result.normalized")
    assert number(figure(view, "Faithfulness")) == pytest.approx(f, abs=0.006)

    # What another view selects is added, and a node of the board is shown there.
    heads = Explorer(notebook, HEADS)
    heads.cell("L5H2").click()
    add = root.get_by_role("button", name="Add L5H2")
    expect(add).to_be_enabled()
    root.get_by_role("button", name="Undo").focus()
    page.keyboard.press("a")
    expect(node(view, "L5H2")).to_have_attribute("aria-pressed", "true")
    settled(view)
    assert notebook.value("mw.Site('head', 5, head=2) in board.circuit")
    node(view, "L2H1").focus()
    root.get_by_role("button", name="Show in views").press("Enter")
    expect(heads.cell("L2H1")).to_have_attribute("aria-selected", "true")


def test_sizes_and_known_circuit(notebook: Notebook) -> None:
    view = open_board(notebook, n=100)
    page, root = notebook.page, view.root
    slider = root.get_by_role("slider")
    slider.focus()
    page.keyboard.press("Home")
    expect(root.locator(".mw-bfigure", has_text="Size")).to_contain_text("0 of 30 nodes")
    slider.fill("800")
    slider.dispatch_event("change")
    expect(root.locator(".mw-bsize")).to_contain_text("strongest of 1108 edges")
    settled(view)
    n = int(re.findall(r"the (\d+)", root.locator(".mw-bsize").inner_text())[0])
    assert notebook.value(f"board.circuit.edges == scores.circuit({n}).edges")
    f = notebook.value("board.result.normalized")
    assert number(figure(view, "Faithfulness")) == pytest.approx(f, abs=0.006)
    root.get_by_role("button", name=re.compile(r"^Run \d+ of 10 sizes")).click()
    expect(root.locator(".mw-bdot[data-open]")).to_have_count(0, timeout=60_000)
    told = root.get_by_role("img", name=re.compile("^Faithfulness by number")).get_attribute(
        "aria-label"
    )
    assert told is not None
    assert re.search(r"1108: 1\.00$", told)

    # A known circuit is outlined, and what is found of it is counted.
    notebook.execute(
        "heads = {mw.Site('head', 3, head=1): 'mover', mw.Site('head', 5, head=3): 'backup'}\n"
        "board.overlay = mw.Circuit(heads, name='taught', classes=heads)"
    )
    expect(root.locator(".mw-bknown")).to_have_count(2)
    hits = notebook.value("sum(h for h, _ in board.result.found.values())")
    assert figure(view, "Known circuit") == f"found {hits} of 2"
    cells = notebook.n_cells()
    node(view, "L3H1").focus()
    for key in ("d", "d", "ArrowDown", "ArrowLeft", "e", "Escape"):
        page.keyboard.press(key)
    assert notebook.n_cells() == cells
    picture = notebook.picture("board-known", root)
    assert picture.stat().st_size > 0


def test_a_search_streams_onto_the_board(notebook: Notebook) -> None:
    view = open_board(notebook, n=20)
    root = view.root
    notebook.execute("job = mw.search.acdc(study, 0.3, start=True)\nboard.follow(job)")
    running = root.locator(".mw-brunning")
    expect(running).to_contain_text("Searching")
    first = int(re.findall(r"\d+", running.inner_text())[0])
    expect(running).not_to_contain_text(f"Searching: {first} of", timeout=60_000)
    expect(root.get_by_role("button", name="Undo")).to_be_disabled()
    root.get_by_role("button", name="Cancel").click()
    expect(running).to_be_hidden(timeout=60_000)
    settled(view)
    assert notebook.value("job.state") == "cancelled"
    assert notebook.value("board.circuit.edges == job.so_far().circuit().edges")
    assert notebook.value("board.result.n_edges") == int(
        root.locator(".mw-bfigure", has_text="Size")
        .locator(".mw-bmore")
        .last.inner_text()
        .split()[0]
    )
    root.get_by_role("button", name="Undo").click()
    expect(root.locator(".mw-bfigure", has_text="Size")).to_contain_text("0 of 30 nodes")
