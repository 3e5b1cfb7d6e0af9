"""How long people wait: printed and kept with the test's record, never asserted."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import EXPLORER, START, Explorer
from tests.browser.notebook import RUN_CELL, Notebook

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@pytest.fixture
def say(record_property: Any) -> Callable[[str, Sequence[float]], None]:
    """Print a figure and keep it: median, 95th percentile, longest."""

    def said(name: str, times: Sequence[float]) -> None:
        ordered = sorted(times)
        p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
        figures = (
            f"median {statistics.median(ordered):.1f} ms, p95 {p95:.1f}, worst {ordered[-1]:.1f}"
        )
        record_property(name, figures)
        print(f"{name}: {figures} (n {len(ordered)})")

    return said


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    cells = [START.format(n=1), "study.sweep('head', progress=False)", "mw.Explorer(study)"]
    notebook.open_cells([*cells, "import time; time.sleep(5)"])
    for index in range(3):
        notebook.run_cell(index)
    found = Explorer(notebook)
    expect(found.cell("L3H1")).to_be_visible()
    return found


CLICKS = """async (selector) => {
  const root = document.querySelector(selector);
  const cells = [...root.querySelector("[role=grid]").querySelectorAll("[role=gridcell]")];
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const answered = (cell) => new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no answer")), 5000);
    const watch = new MutationObserver(() => {
      if (cell.getAttribute("aria-selected") !== "true") return;
      if (root.querySelector("[data-pending]")) return;
      watch.disconnect();
      clearTimeout(late);
      resolve();
    });
    watch.observe(root, { subtree: true, attributes: true });
  });
  const times = [];
  for (let i = 0; i < 32; i++) {
    const cell = cells[(7 * i + 1) % cells.length];
    const began = performance.now();
    cell.click();
    await answered(cell);
    await painted();
    times.push(performance.now() - began);
    await wait(250);
  }
  return times.slice(2);
}"""


def test_click_to_painted(explorer: Explorer, say: Callable[[str, Sequence[float]], None]) -> None:
    """Each of thirty clicks' answers is painted, kernel idle."""
    times = explorer.page.evaluate(CLICKS, EXPLORER)
    assert len(times) == 30
    say("click to painted", times)


RINGS = """async (selector) => {
  const cells = [...document.querySelector(selector).querySelectorAll("[role=gridcell]")];
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const times = [];
  for (let i = 0; i < 32; i++) {
    const cell = cells[(7 * i + 1) % 24];
    const began = performance.now();
    cell.click();
    if (cell.dataset.pending !== "true") throw new Error("no ring");
    await painted();
    times.push(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 60));
  }
  return times.slice(2);
}"""


def test_click_to_ring_on_a_busy_kernel(
    explorer: Explorer, say: Callable[[str, Sequence[float]], None]
) -> None:
    """The ring is drawn by the page alone, so a cell that runs does not hold it up."""
    explorer.page.evaluate(RUN_CELL, 3)
    explorer.page.wait_for_timeout(200)
    times = explorer.page.evaluate(RINGS, EXPLORER)
    assert len(times) == 30
    say("click to ring, kernel busy", times)


FIRST_PAINT = """async ([run, index, selector]) => {
  const painted = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  const seen = () => document.querySelector(`${selector} [role=gridcell]`);
  const began = performance.now();
  eval(`(${run})`)(index);
  while (!seen()) await painted();
  await painted();
  return performance.now() - began;
}"""


def test_first_paint(notebook: Notebook, say: Callable[[str, Sequence[float]], None]) -> None:
    """From running the cell to the painted view, kernel and model there already."""
    cells = [START.format(n=1), "study.sweep('head', progress=False)"]
    notebook.open_cells([*cells, *["mw.Explorer(study)"] * 2])
    notebook.run_cell(0)
    notebook.run_cell(1)
    for index, name in ((2, "first paint, first view"), (3, "first paint, next view")):
        selector = f".jp-Cell:nth-child({index + 1}) {EXPLORER}"
        say(name, [notebook.page.evaluate(FIRST_PAINT, [RUN_CELL, index, selector])])
