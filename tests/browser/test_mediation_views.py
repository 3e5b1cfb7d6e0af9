"""The diagram, the gates, the pairs and the trace in JupyterLab, with a real kernel."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorers import START, SUPPRESS, Explorer, clipped, number
from tests.browser.notebook import Notebook

DIAGRAM = ".mw[aria-label='Mediation diagram']"
GATES = ".mw[aria-label='Gate playground']"
PAIRS = ".mw[aria-label='Interaction grid']"
TRACE = ".mw[aria-label='Causal trace']"
HEADS = ".mw[aria-label='Head grid']"
WIDTHS = (480, 768, 900)


def assert_drawn_well(view: Explorer, name: str) -> None:
    """Nothing clipped and nothing that axe finds, in both themes at three widths; with pictures."""
    notebook = view.notebook
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in WIDTHS:
            notebook.set_width(width, height=1500)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            theme = "dark" if dark else "light"
            notebook.picture(f"{name}-{theme}-{width}", view.root)
            assert clipped(view) == []
            assert notebook.accessibility_violations(view.selector) == []
    notebook.set_dark(dark=False)


# --- MediationDiagram -----------------------------------------------------------------------------


@pytest.fixture
def diagram(notebook: Notebook) -> Explorer:
    notebook.open_cells([START.format(n=8), "mw.HeadGrid(study)", "mw.MediationDiagram(study)"])
    notebook.run_all()
    found = Explorer(notebook, DIAGRAM)
    expect(found.root).to_be_visible()
    return found


def test_clicking_a_head_fills_the_paths_and_a_run_says_what_it_was(diagram: Explorer) -> None:
    notebook, root = diagram.notebook, diagram.root
    expect(root.locator(".mw-sentence")).to_contain_text("Only the total effect is known")
    assert [row_value(root, "TE")] == pytest.approx([notebook.value("study.total['TE']")], abs=0.06)
    heads = Explorer(notebook, HEADS)
    heads.cell("L3H1").click()
    expect(root.locator(".mw-selected")).to_have_text("L3H1")
    names = ("PDE", "PIE", "INT", "TE")
    expected = notebook.value(f"[study.last[k] for k in {names}]")
    assert [row_value(root, name) for name in names] == pytest.approx(expected, abs=0.06)
    run = root.get_by_role("button", name=re.compile(r"^L3H1, Y10: clean input, corrupt mediator"))
    run.click()
    expect(run).to_have_attribute("aria-pressed", "true")
    expect(root.locator(".mw-sentence")).to_contain_text("the clean prompt, with L3H1 set to its")
    expect(root.locator(".mw-side[data-lit] b")).to_have_text(["TIE", "INT", "PDE"])
    root.get_by_role("button", name="PDE + TIE", exact=True).click()
    both = notebook.value("[study.last[k] for k in ('PDE', 'TIE')]")
    assert [row_value(root, name) for name in ("PDE", "TIE")] == pytest.approx(both, abs=0.06)
    cells = notebook.n_cells()
    for key in ("d", "d", "Escape"):
        notebook.page.keyboard.press(key)
    expect(run).to_have_attribute("aria-pressed", "false")
    assert notebook.n_cells() == cells


def test_a_constant_has_other_names(diagram: Explorer) -> None:
    notebook, root = diagram.notebook, diagram.root
    notebook.execute("_ = study.intervene({mw.Site('head', 3, head=1): mw.Zero()})")
    expect(root.locator(".mw-sentence")).to_contain_text("TIE, PIE and INT do not exist")
    shown = [row_value(root, name) for name in ("On clean", "On corrupt")]
    expected = notebook.value("[study.last[k] for k in ('clean', 'corrupt')]")
    assert shown == pytest.approx(expected, abs=0.06)
    total = notebook.value("study.total['TE']")
    assert row_value(root, "CDE") == pytest.approx(total - expected[0] + expected[1], abs=0.06)
    notebook.set_width(768, height=1200)
    notebook.picture("diagram-constant", root)


def test_pictures_of_the_diagram(diagram: Explorer) -> None:
    diagram.notebook.execute("_ = study.intervene(mw.Site('head', 3, head=1))")
    expect(diagram.root.locator(".mw-selected")).to_have_text("L3H1")
    diagram.root.locator("[data-run=y10]").click()
    assert_drawn_well(diagram, "diagram")


def row_value(root: Locator, name: str) -> float:
    """A number of the waterfall."""
    return number(root.locator(f".mw-fall[data-name='{name}'] .mw-fallvalue").inner_text())


# --- GatePlayground -------------------------------------------------------------------------------


@pytest.fixture
def gates(notebook: Notebook) -> Explorer:
    notebook.open_cells(["import mediawidget as mw\ngates = mw.GatePlayground('OR')\ngates"])
    notebook.run_all()
    view = Explorer(notebook, GATES)
    expect(view.root).to_be_visible()
    expect(notebook.page.locator("[class^=mw-saved-]")).to_be_hidden()
    return view


def test_a_gate_is_predicted_then_shown(gates: Explorer) -> None:
    notebook, root = gates.notebook, gates.root
    run = root.get_by_role("button", name=re.compile("^Y11"))
    expect(run).to_contain_text("?")
    assert root.locator("[data-fact]").count() == 0
    # The order in which it asks: Y11, Y00, Y01, Y10; the last answer is wrong.
    for guess in (1, 0, 1, 0):
        root.get_by_role("button", name=f"Predict {guess}").click()
        following = root.get_by_role("button", name="Next")
        if following.is_visible():
            following.click()
    expect(root.get_by_role("button", name=re.compile("^Y10"))).to_contain_text("you said 0")
    expect(root.locator(".mw-score")).to_have_text("3 of 4 right")
    facts = {key: root.locator(f"[data-fact={key}]").inner_text() for key in ("PIE", "TIE", "INT")}
    assert {key: number(text) for key, text in facts.items()} == {"PIE": 1, "TIE": 0, "INT": -1}
    expect(root.locator(".mw-verdict")).to_contain_text("OR-like")
    assert notebook.value("gates.score") == [3, 4]
    root.get_by_role("switch", name=re.compile("^M")).click()
    expect(root.get_by_role("switch", name="M: clean = 1")).to_be_visible()
    assert_drawn_well(gates, "gates")
    assert unnamed_keys(gates) == []


# --- InteractionGrid ------------------------------------------------------------------------------

GAME = """
heads = [mw.Site('head', layer, head=head) for layer in range(6) for head in range(4)]
game = mw.interactions(study, heads{which}, order=2, progress=False)
mw.InteractionGrid(game)
"""


@pytest.fixture
def pairs(notebook: Notebook) -> Explorer:
    notebook.open_cells([START.format(n=8), "mw.HeadGrid(study)", GAME.format(which="[8:20]")])
    notebook.run_all()
    view = Explorer(notebook, PAIRS)
    expect(view.root).to_be_visible()
    return view


def test_a_pair_is_run_and_the_heads_follow(pairs: Explorer) -> None:
    notebook, root = pairs.notebook, pairs.root
    expect(root.locator(".mw-gametitle")).to_contain_text("Restoring sites in the corrupt run")
    pair = root.get_by_role("gridcell", name=re.compile(r"^L3H1 \+ L2H0:"))
    pair.hover()
    expect(root.locator(".mw-sentence")).to_contain_text("Restoring L3H1 and L2H0 together gains")
    assert notebook.value("len(study.selection)") == 0
    pair.click()
    heads = Explorer(notebook, HEADS)
    expect(heads.root.locator(".mw-strip")).to_contain_text("L3H1")
    for label in ("L3H1", "L2H0"):
        expect(heads.cell(label)).to_have_attribute("aria-selected", "true")
    expect(pair).to_have_attribute("aria-selected", "true")
    expect(root.locator("[data-pending]")).to_have_count(0)
    # What was clicked is the run that the game had: its worth, and the gap beside the sum.
    both = root.locator(".mw-fall[data-name=both]")
    worth = number(both.locator(".mw-fallshare").inner_text())
    assert worth == pytest.approx(notebook.value("study.last['PIE']"), abs=0.06)
    found = notebook.value(
        "float(game.matrix[game.labels.index('L3H1'), game.labels.index('L2H0')])"
    )
    gap = root.locator(".mw-fall[data-name=gap] .mw-fallshare").inner_text()
    assert number(gap) == pytest.approx(found, abs=0.06)
    assert number(pair.inner_text()) == pytest.approx(found, abs=0.6)

    root.get_by_role("button", name="Break", exact=True).click()
    expect(root.locator(".mw-gametitle")).to_contain_text("Breaking sites in the clean run")
    lost = root.locator(".mw-fall[data-name=both] .mw-fallshare").inner_text()
    assert number(lost) == pytest.approx(notebook.value("study.last['TIE']"), abs=0.06)
    cells = notebook.n_cells()
    pair.focus()
    for key in ("ArrowRight", "Enter"):
        notebook.page.keyboard.press(key)
    expect(heads.root.locator(".mw-strip")).to_contain_text("L2H1")
    for key in ("d", "d"):
        notebook.page.keyboard.press(key)
    assert notebook.n_cells() == cells
    assert unnamed_keys(pairs) == []


def test_an_old_game_says_so(pairs: Explorer) -> None:
    notebook, root = pairs.notebook, pairs.root
    notebook.execute("study.swap()")
    expect(root.locator(".mw-gamestale")).to_contain_text("have changed since")
    root.get_by_role("gridcell", name=re.compile(r"^L3H1 \+ L2H0:")).click()
    notebook.wait_idle()
    assert notebook.value("len(study.selection)") == 0


def test_pictures_of_pairs(pairs: Explorer) -> None:
    pairs.root.get_by_role("gridcell", name=re.compile(r"^L3H1 \+ L3H0:")).click()
    expect(pairs.root.locator(".mw-pairtable")).to_contain_text("together")
    assert_drawn_well(pairs, "pairs")


def test_pictures_of_all_pairs(notebook: Notebook) -> None:
    notebook.open_cells([START.format(n=8), GAME.format(which="")])
    notebook.run_all()
    view = Explorer(notebook, PAIRS)
    expect(view.root).to_be_visible()
    assert_drawn_well(view, "pairs24")


# --- CausalTrace ----------------------------------------------------------------------------------

TRACED = """
window = dict(mlp_out=3, attn_out=3)
trace = mw.causal_tracing(study, corruption='noise', subject='S2', window=window, progress=False)
view = mw.CausalTrace(trace, kind='attn_out')
view
"""


@pytest.fixture
def trace(notebook: Notebook) -> Explorer:
    notebook.open_cells([START.format(n=8), TRACED])
    notebook.run_all()
    view = Explorer(notebook, TRACE)
    expect(view.root).to_be_visible()
    return view


def test_a_cell_frames_its_window_and_says_what_it_brought_back(trace: Explorer) -> None:
    notebook, root = trace.notebook, trace.root
    cell = root.get_by_role("gridcell", name=re.compile("^attn3 @ to:"))
    expect(root.locator(".mw-window")).to_have_count(0)
    cell.hover()
    frame, own = root.locator(".mw-window").bounding_box(), cell.bounding_box()
    assert frame is not None
    assert own is not None
    assert 2.8 * own["width"] < frame["width"] < 3.6 * own["width"]
    assert frame["x"] < own["x"] - own["width"] + 1
    sentence = root.locator(".mw-sentence")
    expect(sentence).to_contain_text("the attention outputs of layers 2 to 4 together at 'to'")
    restored = notebook.value("float(trace.restored('attn_out')[3, -1])")
    found = re.search(r"from (\S+) to (\S+): ", sentence.inner_text())
    assert found is not None
    assert number(found[1]) == pytest.approx(notebook.value("trace.corrupted"), abs=0.06)
    assert number(found[2]) == pytest.approx(restored, abs=0.06)
    effect = notebook.value("float(trace.indirect('attn_out')[3, -1])")
    assert number(cell.inner_text()) == pytest.approx(effect, abs=0.06)
    cell.click()
    notebook.page.mouse.move(1, 1)
    expect(root.locator(".mw-draw")).to_have_count(10)

    # Where all kinds do not fit side by side, there is a switch.
    grids = root.get_by_role("grid")
    expect(grids).to_have_count(3)
    notebook.set_width(480, height=1500)
    expect(grids).to_have_count(1)
    root.get_by_role("button", name="State", exact=True).click()
    expect(root.get_by_role("grid", name=re.compile("^State"))).to_be_visible()
    assert notebook.value("view.kind") == "residual"
    own = root.get_by_role("gridcell").first.bounding_box()
    assert own is not None
    root.get_by_role("gridcell", name=re.compile("^L2 @ S2:")).focus()
    expect(sentence).to_contain_text("the state entering layer 2 at 'S2' (subject)")
    single = root.locator(".mw-window").bounding_box()
    assert single is not None
    assert single["width"] < 1.3 * own["width"]
    cells = notebook.n_cells()
    for key in ("d", "d", "Escape"):
        notebook.page.keyboard.press(key)
    assert notebook.n_cells() == cells
    assert unnamed_keys(trace) == []


def test_pictures_of_a_trace(trace: Explorer) -> None:
    trace.root.get_by_role("gridcell", name=re.compile(r"^attn3 @ to:")).click()
    assert_drawn_well(trace, "trace")


def unnamed_keys(view: Explorer) -> list[str]:
    """Elements that take the focus and would hand their keys to the notebook."""
    focusable = "button, select, input, summary, a, [tabindex]"
    return [
        element.evaluate("el => el.outerHTML.slice(0, 90)")
        for element in view.root.locator(focusable).all()
        if element.get_attribute(SUPPRESS) != "true"
    ]
