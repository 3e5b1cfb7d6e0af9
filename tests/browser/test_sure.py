"""How sure a mean is of what is only pointed at; what lies off the rail or off the panels."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import START, Explorer, clipped, number
from tests.browser.notebook import Notebook

#: Which of the page's messages are questions to the kernel about a reading.
COUNT = """() => { window.__asked = []; const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (...all) {
  const text = typeof all[0] === "string" ? all[0] : new TextDecoder().decode(all[0]);
  if (text.includes('"kind":"request"')) window.__asked.push(/"action":"(\\w+)"/.exec(text)?.[1]);
  return send.apply(this, all); }; }"""
SHOWN = "[f'{x:.0f}' for x in 100 * study.grids['head'].cell(3, 1).normalized_ci('PIE')]"
GAP = (
    "(lambda a, b: [float(a['PIE'] - b['PIE']), float(a['TE'])])"
    "(study.grids['head'].cell(3, 1), study.grids['head'].cell(3, 0))"
)


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    sweep = "_ = study.sweep('head', progress=False)"
    notebook.open_cells([START.format(n=16), sweep, "mw.Explorer(study)"])
    notebook.run_all()
    found = Explorer(notebook)
    expect(found.cell("L3H1")).to_be_visible()
    return found


def test_resting_on_a_cell_says_its_interval_and_passing_over_it_asks_nothing(
    explorer: Explorer,
) -> None:
    page, sentence = explorer.page, explorer.root.locator(".mw-sentence")
    page.evaluate(COUNT)
    for label in ("L0H1", "L1H0", "L2H2", "L3H0", "L3H1"):
        explorer.cell(label, "Heads").hover()
        expect(sentence).to_contain_text(f"Patching {label}")
    expect(sentence).to_contain_text("Mean of 16 pairs, 95% CI")
    said = re.search(r"95% CI (\S+)% to (\S+)%", sentence.inner_text())
    assert said is not None
    low, high = explorer.notebook.value(SHOWN)
    assert [number(end) for end in said.groups()] == [float(low), float(high)]
    asked = page.evaluate("window.__asked")
    assert set(asked) == {"intervals"}
    # Once a cell, however often it is pointed at.
    explorer.cell("L2H2", "Heads").hover()
    explorer.cell("L3H1", "Heads").hover()
    expect(sentence).to_contain_text("95% CI")
    page.wait_for_timeout(400)
    assert page.evaluate("window.__asked").count("intervals") <= len(asked) + 1


def test_a_pinned_reading_has_a_tick_and_its_difference_an_interval(explorer: Explorer) -> None:
    notebook, sentence = explorer.notebook, explorer.root.locator(".mw-sentence")
    explorer.cell("L3H1", "Heads").focus()
    explorer.page.keyboard.press("p")
    explorer.page.keyboard.press("ArrowLeft")
    expect(sentence).to_contain_text("A L3H1")
    expect(sentence).to_contain_text("16 pairs")
    gap, total = notebook.value(GAP)
    assert explorer.readout() == pytest.approx(100 * gap / total, abs=0.5)
    said = re.search(r"95% CI (\S+)% to (\S+)%", sentence.inner_text())
    assert said is not None
    low, high = (number(end) for end in said.groups())
    assert low <= 100 * gap / total <= high
    tick = explorer.root.locator(".mw-held:visible")
    expect(tick).to_have_count(1)
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in (768, 480):
            notebook.set_width(width)
            explorer.point("L3H0", "Heads", "16 pairs")
            assert clipped(explorer) == []
            notebook.picture(f"pinned-{'dark' if dark else 'light'}-{width}", explorer.root)


def test_a_neuron_off_screen_is_in_the_sum_and_the_rail_keeps_its_ends(explorer: Explorer) -> None:
    notebook, root = explorer.notebook, explorer.root
    strip = root.locator(".mw-strip")
    dots = "els => els.map((el) => el.style.left)"
    ends = root.locator(".mw-track .mw-dot").evaluate_all(dots)
    notebook.execute(
        "_ = study.intervene([mw.Site('head', 3, head=1), mw.Site('neuron', 3, unit=9)])"
    )
    explorer.settled("L3H1 + L3N9")
    expect(strip).to_contain_text("sum needs L3N9 alone")
    notebook.execute("_ = study.intervene(mw.Site('neuron', 3, unit=9))")
    explorer.settled("L3N9")
    notebook.execute("_ = study.undo()")
    explorer.settled("L3H1 + L3N9")
    expect(strip).not_to_contain_text("sum needs")
    figures = explorer.figures()
    alone = notebook.value(
        "sum(float(e['PIE']) for e in (study.grids['head'].cell(3, 1),"
        " study.grids['neuron'].cell(3, 9))) * 100 / float(study.total['TE'])"
    )
    assert figures["sum"] == pytest.approx(alone, abs=0.06)
    notebook.execute("_ = study.intervene({mw.Site('attn_out', 5): mw.Scale(-3.0)})")
    expect(root.locator(".mw-over bdi")).to_contain_text("attn5")
    assert root.locator(".mw-track .mw-dot").evaluate_all(dots) == ends
    beyond = root.locator(".mw-needle:visible").first
    expect(beyond).to_have_attribute("data-beyond", re.compile(r"\d"))
    value = number(beyond.get_attribute("data-beyond") or "")
    told = notebook.value("float(study.last.corners()['Y01'].mean())")
    assert value == pytest.approx(told, abs=0.06)
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in (768, 480):
            notebook.set_width(width)
            assert clipped(explorer) == []
            notebook.picture(f"beyond-{'dark' if dark else 'light'}-{width}", root)
