"""Altair charts in JupyterLab without a network, in both themes."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.notebook import Notebook

CELLS = [
    """
import numpy as np
import mediawidget as mw
from mediawidget.effects import Effect, Status
rng = np.random.default_rng(0)
effect = Effect(
    axes={"layer": (0, 1), "head": (0, 1, 2)},
    bases=rng.normal(size=(12, 2, 3)) + [[3, 0, 9], [0, 3, 9]],
    edited=rng.normal(size=(12, 2, 2, 3, 3)),
    status=np.full((2, 3), Status.EXACT, dtype=np.uint8),
    groups=("a", "b") * 6,
)
""",
    "mw.charts.effects(effect)",
    "mw.charts.strip(effect, (1, 2)).properties(title='one cell')",
]


def test_charts_are_drawn_without_a_network(notebook: Notebook) -> None:
    """Requests that leave this machine, and what the console complains of, fail any test here."""
    notebook.open_cells(CELLS)
    notebook.run_all()
    for dark in (False, True):
        notebook.set_dark(dark)
        notebook.run_all()
        for cell in (1, 2):
            drawn = notebook.output(cell).locator(".vega-embed svg, .vega-embed canvas").first
            expect(drawn).to_be_visible()
            box = drawn.bounding_box()
            assert box is not None
            assert box["width"] > 300
            notebook.picture(f"chart-{cell}-{'dark' if dark else 'light'}", notebook.output(cell))
