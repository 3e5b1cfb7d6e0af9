"""What looks closer in the Explorer: tabs that open, cells that run, numbers that are Python's."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorers import START, Explorer, clipped, number, unnamed
from tests.browser.notebook import Notebook

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


def test_the_lens_says_what_the_model_says(explorer: Explorer) -> None:
    panel = open_tab(explorer, "Logit lens")
    notebook = explorer.notebook
    notebook.execute(LENS)
    cell = walk_to(panel, "^Logit lens, clean", 6, 14)
    expect(cell).to_have_attribute("aria-label", re.compile(r"^out @ to\(14\)"))
    best = notebook.value("_best(6, 14)")
    assert read(panel).startswith(f"out @ to(14): {best[0].strip()} {100 * best[1]:.0f}%")
    cell = walk_to(panel, "^Logit lens, clean", 3, 14)
    best = notebook.value("_best(3, 14)")
    assert f": {best[0].strip()} {100 * best[1]:.0f}%" in read(panel)
    explorer.page.keyboard.press("Enter")
    explorer.settled("L3 @ to(14)")
    assert notebook.value("[s.to_json() for s in study.selection]") == [
        {"mediator": "residual", "layer": 3, "position": 14}
    ]
    expect(panel.locator(".mw-readline")).to_contain_text("Patched, Restore (PIE)")
    restored = panel.get_by_role("button", name="Corrupt, edited")
    expect(restored).to_be_enabled()
    restored.click()
    cell = walk_to(panel, "corrupt, edited", 6, 14)
    after = notebook.value("study.history.current.next_tokens[0]['restored'][0]")
    assert f": {after[0].strip()} {100 * after[1]:.0f}%" in read(panel)


LENS = """
import torch
def _best(layer, position):
    ids = torch.from_numpy(study.token_pairs[0].clean)[None]
    with torch.no_grad():
        seen = lm.hf(ids, output_hidden_states=True).hidden_states
        body = lm.hf.transformer
        # The last one that transformers gives has been through the norm.
        stream = seen[layer] if layer == lm.n_layers else body.ln_f(seen[layer])
        p, token = lm.hf.lm_head(stream)[0, position].softmax(-1).max(-1)
    return [lm.tokenizer.decode([int(token)]), float(p)]
"""


def test_a_pair_is_found_and_shown(notebook: Notebook) -> None:
    notebook.open_cells(
        [START.format(n=24), SHOW, "_ = study.intervene(mw.Site('head', 3, head=1))"]
    )
    notebook.run_all()
    explorer = Explorer(notebook)
    panel = open_tab(explorer, "Pairs")
    marks = panel.get_by_role("option")
    expect(marks).to_have_count(24)
    values = notebook.value("study.last.pairs('PIE').tolist()")
    total = notebook.value("float(study.last['TE'])")
    totals = notebook.value("study.last.pairs('TE').tolist()")
    names = [str(mark.get_attribute("aria-label")) for mark in marks.all()]
    for name in names:
        shares = r"(\S+)% of the mean total effect, (\S+)% of its own"
        found = re.match(rf"Pair (\d+) of 24(?: \(\w+\))?: {shares}\. (.+)", name)
        assert found is not None, name
        at = int(found[1]) - 1
        assert number(found[2]) == pytest.approx(100 * values[at] / total, abs=0.51)
        assert number(found[3]) == pytest.approx(100 * values[at] / totals[at], abs=0.51)
        assert found[4].startswith(notebook.value(f"study.contrast[{at}].clean")[:40])
    marks.nth(5).focus()
    explorer.page.keyboard.press("Enter")
    shown = int(names[5].split()[1])
    expect(explorer.root.locator(".mw-where")).to_have_text(f"{shown}/24")
    assert explorer.notebook.value("explorer.pair") == shown - 1


def test_neurons_are_run_together_and_found_by_number(explorer: Explorer) -> None:
    notebook = explorer.notebook
    panel = open_tab(explorer, "Neurons")
    cells = panel.get_by_role("gridcell")
    expect(cells).to_have_count(20)
    expect(panel.locator("[data-state=estimate]")).to_have_count(20)
    panel.get_by_role("button", name="Run these 20").click()
    expect(panel.locator("[data-state=exact]")).to_have_count(20)
    panel.get_by_role("spinbutton", name="Neuron").fill("0")
    panel.get_by_role("button", name="Show", exact=True).click()
    expect(cells.filter(has_text=re.compile(".")).first).to_be_visible()
    cell = panel.get_by_role("gridcell", name=re.compile(r"^L0N0(?!\d)"))
    cell.click()
    explorer.settled("L0N0")
    assert explorer.readout() == pytest.approx(explorer.share("PIE"), abs=0.5)
    assert notebook.value("[s.label() for s in study.selection]") == ["L0N0"]


LONG = """
import transformers
sizes = transformers.GPT2Config(vocab_size=lm.vocabulary, n_positions=256, n_embd=32, n_layer=2,
                                n_head=2)
wide = mw.load(transformers.GPT2LMHeadModel(sizes), tokenizer=lm.tokenizer)
text = " ".join(["When Mary and John went to the store , John gave a book to"] * 14)
pair = mw.PromptPair(text, text.replace("Mary", "John", 1), answer="Mary", wrong="John")
view = mw.AttentionPattern(mw.Study(wide, pair))
view
"""

SWEEP_OVER = """async (selector) => {
  const map = document.querySelector(selector + " .mw-map");
  const box = map.getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const times = [];
  for (let i = 0; i < 90; i++) {
    const at = { clientX: box.left + 80 + 2 * i, clientY: box.top + 80 + 3 * i, bubbles: true };
    const began = performance.now();
    map.dispatchEvent(new PointerEvent("pointermove", at));
    map.getBoundingClientRect();
    times.push(performance.now() - began);
    await frame();
  }
  return times;
}"""


def test_two_hundred_tokens_are_one_picture(notebook: Notebook, record_property: Any) -> None:
    """40,000 cells, of which one is an element; hovering repaints none of them."""
    notebook.open_cells([START.format(n=1), LONG])
    notebook.run_all()
    found = Explorer(notebook, ".mw[aria-label='Attention pattern']")
    cell = found.root.get_by_role("gridcell")
    expect(cell).to_have_count(1)
    n = notebook.value("len(view.study.token_pairs[0])")
    assert n > 190
    times = notebook.page.evaluate(SWEEP_OVER, found.selector)
    record_property("hover_ms", round(max(times), 1))
    print(f"hover of {n} tokens: median {sorted(times)[45]:.2f} ms, worst {max(times):.1f} ms")
    cell.focus()
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.press("Enter")
    notebook.page.wait_for_function(
        f"() => document.querySelector({found.selector!r} + ' .mw-ring:not([data-pending])')"
    )
    site = notebook.value("view.study.selection[0].to_json()")
    assert (site["position"], site["key"]) == (n - 1, n - 1)
    assert clipped(found) == []
    notebook.picture("part-attention-long", found.root)


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
            walk_to(panel, "^Attention", 14, 2)
            explorer.page.keyboard.press("Enter")
            expect(panel.locator(".mw-readline")).to_contain_text("Knocked out")
        for width in (480, 768):
            notebook.set_width(width, height=2000)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            name = f"part-{tab.split()[0].lower()}-{'dark' if dark else 'light'}-{width}"
            notebook.picture(name, explorer.root)
            assert clipped(explorer) == []
            assert notebook.accessibility_violations(f"{explorer.selector} .mw-closer") == []
        assert unnamed(explorer) == []


@pytest.mark.parametrize(
    ("view", "name"),
    [
        ("AttentionPattern", "Attention pattern"),
        ("LogitLens", "Logit lens"),
        ("Neurons", "Neurons"),
    ],
)
def test_parts_are_views_of_their_own(notebook: Notebook, view: str, name: str) -> None:
    notebook.open_cells([START.format(n=1), f"mw.{view}(study)"])
    notebook.run_all()
    found = Explorer(notebook, f".mw[aria-label='{name}']")
    cell = found.root.get_by_role("gridcell").first
    expect(cell).to_be_visible(timeout=ANSWERED)
    cell.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        notebook.page.keyboard.press(key)
    expect(found.root.locator(".mw-readout")).not_to_be_empty()
    label = notebook.value("study.labels(study.selection)[0]")
    expect(found.root.locator(".mw-readline")).to_contain_text(label)
    directions = found.root.get_by_role("group", name="Direction").get_by_role("button")
    told = set()
    for at in range(3):
        notebook.page.keyboard.press(str(at + 1))
        expect(directions.nth(at)).to_have_attribute("aria-pressed", "true")
        told.add(found.root.locator(".mw-of").inner_text())
    assert len(told) == 3
    for width in (360, 768):
        notebook.set_width(width)
        notebook.picture(f"own-{view.lower()}-{width}", found.root)
        assert notebook.accessibility_violations(found.selector) == []
        assert unnamed(found) == []
        assert clipped(found) == []
    found.root.get_by_role("button", name="Undo").click()
    expect(found.root.locator(".mw-readout")).to_be_empty()
    assert notebook.value("len(study.selection)") == 0
