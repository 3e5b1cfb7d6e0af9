"""80 layers of 64 heads: painted cells, their names, keys, theme, and what a hover costs."""

from __future__ import annotations

import re
import statistics

import pytest
from playwright.sync_api import expect

from tests.browser.notebook import Notebook

GRID = ".mw[aria-label='Head grid']"

MODEL = """
import sys, torch, transformers
sys.path.insert(0, {root!r})
import mediawidget as mw
from tests.small_models import WORDS, tokenizer_of
tokenizer = tokenizer_of("gpt2")
torch.manual_seed(0)
size = dict(n_embd=64, n_layer=80, n_head=64, n_inner=4, n_positions=8)
config = transformers.GPT2Config(
    vocab_size=len(tokenizer), bos_token_id=0, eos_token_id=0, **size)
model = transformers.GPT2LMHeadModel(config).eval()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.mul_(3)
lm = mw.load(model, tokenizer=tokenizer)
pair = mw.PromptPair("ant bee", "ant eel", answer="hen", wrong="ibis")
study = mw.Study(lm, pair)
"""
SWEEP = "heads = study.sweep('head', progress=False)"

#: Moves the pointer from cell to cell, one a frame; ms of each frame, and of the work in it.
HOVER = """async ([selector, moves]) => {
  const grid = document.querySelector(selector).querySelector("[role=grid]");
  const box = grid.querySelector("canvas").getBoundingClientRect();
  const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
  const frames = [], work = [];
  let last = await frame();
  for (let i = 0; i < moves; i++) {
    const clientX = box.left + box.width * ((i * 37) % 64 + 0.4) / 64;
    const clientY = box.top + box.height * ((i * 13) % 80 + 0.4) / 80;
    const start = performance.now();
    grid.dispatchEvent(new PointerEvent("pointermove", { clientX, clientY, bubbles: true }));
    grid.getBoundingClientRect();
    work.push(performance.now() - start);
    const now = await frame();
    frames.push(now - last);
    last = now;
  }
  return { frames, work };
}"""

#: Where the focused cell is on the canvas, as shares of its width and height.
OFFSET = """(selector) => {
  const canvas = document.querySelector(selector).querySelector("canvas").getBoundingClientRect();
  const cell = document.activeElement.getBoundingClientRect();
  return [(cell.left - canvas.left) / canvas.width, (cell.top - canvas.top) / canvas.height];
}"""

#: The colours that the canvas shows in the middle of some cells.
PIXELS = """([selector, cells]) => {
  const canvas = document.querySelector(selector).querySelector("canvas");
  const context = canvas.getContext("2d");
  const [w, h] = [canvas.width / 64, canvas.height / 80];
  return cells.map(([row, col]) => [
    ...context.getImageData(Math.floor((col + 0.3) * w), Math.floor((row + 0.3) * h), 1, 1).data]);
}"""


@pytest.fixture
def grid(notebook: Notebook) -> Notebook:
    from tests.browser.notebook import ROOT

    notebook.open_cells([MODEL.format(root=str(ROOT)), SWEEP, "mw.HeadGrid(study)"])
    for cell in range(3):
        notebook.run_cell(cell)
    expect(notebook.page.locator(f"{GRID} canvas")).to_be_visible()
    return notebook


def test_eighty_layers_of_sixty_four_heads(grid: Notebook) -> None:
    page, root = grid.page, grid.page.locator(GRID)
    assert root.locator("[role=gridcell]").count() < 10
    board = root.get_by_role("grid")
    expect(board).to_have_attribute("aria-rowcount", "81")
    expect(board).to_have_attribute("aria-colcount", "65")

    # One tab stop; arrows, End and Enter work as they do on elements.
    root.locator("[role=gridcell][tabindex='0']").focus()
    for key in ("ArrowDown", "ArrowRight", "ArrowRight"):
        page.keyboard.press(key)
    focused = root.locator("[role=gridcell]:focus")
    expect(focused).to_have_attribute("aria-label", re.compile("^L1H2: "))
    expect(focused).to_have_attribute("aria-colindex", "4")
    page.keyboard.press("Enter")
    expect(root.locator("[aria-selected=true]")).to_have_attribute("aria-colindex", "4")
    assert grid.value("[s.label() for s in study.selection]") == ["L1H2"]
    page.keyboard.press("Control+End")
    expect(focused).to_have_attribute("aria-label", re.compile("^L79H63: "))
    assert root.locator("[role=gridcell]").count() < 10
    assert root.locator("[role=gridcell][tabindex='0']").count() == 1
    assert grid.accessibility_violations(GRID) == []
    # The element stands where its cell is painted.
    assert page.evaluate(OFFSET, GRID) == pytest.approx([63 / 64, 79 / 80], abs=0.001)

    found = page.evaluate(HOVER, [GRID, 120])
    frames, work = found["frames"], found["work"]
    print(
        f"\nhover at 80 x 64: frames of {statistics.median(frames):.1f} ms (median), "
        f"{statistics.quantiles(frames, n=20)[-1]:.1f} ms (95%); script and layout "
        f"{statistics.median(work):.1f} ms (median), {statistics.quantiles(work, n=20)[-1]:.1f} ms"
    )


def test_a_painted_cell_follows_the_theme(grid: Notebook) -> None:
    cells = [[0, 0], [40, 12], [79, 63]]
    light = grid.page.evaluate(PIXELS, [GRID, cells])
    grid.picture("large-light", grid.page.locator(GRID))
    assert all(pixel[3] == 255 for pixel in light)
    grid.set_dark()
    grid.page.wait_for_timeout(900)
    dark = grid.page.evaluate(PIXELS, [GRID, cells])
    grid.picture("large-dark", grid.page.locator(GRID))
    assert all(sum(a[:3]) > sum(b[:3]) for a, b in zip(light, dark, strict=True))
    grid.page.locator(f"{GRID} .mw-bar").click()
    grid.page.wait_for_timeout(300)
    assert grid.page.evaluate(PIXELS, [GRID, cells]) != dark


def test_a_hundred_resizes_change_no_height(grid: Notebook) -> None:
    """Heights follow from widths and numbers, never from themselves."""
    measure = "(s) => document.querySelector(s).getBoundingClientRect().height"
    grid.set_width(768)
    grid.page.wait_for_timeout(300)
    before = grid.page.evaluate(measure, GRID)
    for i in range(100):
        grid.page.set_viewport_size({"width": 900 + 3 * (i % 50), "height": 900})
    grid.set_width(768)
    grid.page.wait_for_timeout(300)
    assert grid.page.evaluate(measure, GRID) == before
