"""What cells look like, state by state, in light and dark: compared with kept snapshots.

Not pixels, which follow the fonts of a machine, but the styles that a browser computes. After a
change that is meant, write the snapshots anew: ``MEDIAWIDGET_LOOK=write`` in the environment.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import EXPLORER, START, Explorer
from tests.browser.notebook import Notebook

SNAPSHOTS = Path(__file__).parent / "snapshots"

#: Every state at once: estimates, and holes of three kinds in what was run.
STATES = """
import numpy as np
from mediawidget.status import Status
study.sweep("head", progress=False)
study.sweep("residual", by="position", progress=False)
study.estimate("mlp_out")
grid = study.grids["head"]
holes = {(0, 2): Status.FAILED, (0, 3): Status.IMPOSSIBLE, (5, 3): Status.NOT_RUN}
for cell, status in holes.items():
    grid.status[cell] = status
    grid.edited[:, :, *cell] = np.nan
explorer = mw.Explorer(study)
explorer
"""
KINDS = ("none", "exact", "estimate", "zero", "failed", "impossible")

#: The computed style of the first cell of every state, and of the chosen one.
STYLES = """([selector, kinds]) => {
  const root = document.querySelector(selector);
  const names = ["backgroundColor", "backgroundImage", "borderTopStyle", "borderTopColor",
    "borderTopWidth", "color", "cursor"];
  const style = (cell, pseudo) => {
    const all = getComputedStyle(cell, pseudo);
    return Object.fromEntries(names.map((name) => [name, all[name]]));
  };
  const look = (cell) => {
    const shown = style(cell, null);
    const ring = getComputedStyle(cell, "::after");
    if (ring.content !== "none")
      shown.ring = `${ring.borderTopWidth} ${ring.borderTopStyle} ${ring.borderTopColor}`;
    return shown;
  };
  const found = {};
  for (const kind of kinds)
    found[kind] = look(root.querySelector(`[data-state="${kind}"]:not([aria-selected="true"])`));
  found.chosen = look(root.querySelector('[aria-selected="true"]'));
  for (const name of ["--mw-ink", "--mw-soft", "--mw-line", "--mw-toward", "--mw-away",
    "--mw-amber", "--mw-surface"])
    found[name] = getComputedStyle(root).getPropertyValue(name).trim();
  return found;
}"""


def rounded(styles: Any) -> Any:
    """The same with two decimals: more of them are a browser's own affair."""
    text = json.dumps(styles)
    return json.loads(re.sub(r"\d+\.\d+", lambda n: f"{float(n[0]):.2f}", text))


def grey(style: dict[str, str]) -> tuple[str, ...]:
    """A style without its hues: what is left for eyes that see none, or on a printed page."""
    parts = []
    for value in style.values():
        numbers = [float(n) for n in re.findall(r"[\d.]+", value)]
        colour = re.match(r"(rgb|oklab|oklch|color)", value)
        parts.append(re.sub(r"\([^)]*\)", "()", value) if colour and numbers else value)
    return tuple(parts)


@pytest.mark.parametrize("dark", [False, True])
def test_states_look_as_they_did_and_differ_without_hue(notebook: Notebook, dark: bool) -> None:
    notebook.open_cells([START.format(n=1), STATES])
    notebook.run_all()
    notebook.set_dark(dark)
    explorer = Explorer(notebook)
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    notebook.page.mouse.move(1, 1)
    notebook.page.wait_for_timeout(600)
    expect(explorer.root).to_have_attribute("data-theme", "dark" if dark else "light")
    found: dict[str, Any] = rounded(notebook.page.evaluate(STYLES, [EXPLORER, KINDS]))
    for one, other in itertools.combinations([k for k in KINDS if k != "exact"], 2):
        assert grey(found[one]) != grey(found[other]), f"{one} looks like {other} in grey"
    path = SNAPSHOTS / f"states-{'dark' if dark else 'light'}.json"
    if os.environ.get("MEDIAWIDGET_LOOK") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(path.read_text())
