"""Drive one notebook in JupyterLab, through the page alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.sync_api import Locator, Page

    from tests.browser.server import Server

ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "js" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = Path(__file__).parent / "out"

#: Longest wait for cells or a kernel, in ms; importing torch on a busy machine takes its time.
PATIENCE = 60_000

#: The notebook in front, or null as long as there is none with a running kernel.
PANEL = """(() => {
  const panel = window.jupyterapp?.shell.currentWidget;
  const ready = panel?.content?.widgets && panel.sessionContext?.session?.kernel;
  return ready && panel.isVisible ? panel : null;
})()"""

IDLE = f"{PANEL}?.sessionContext.session.kernel.status === 'idle'"

RUN_ALL = """() => {
  window.__cells = "running";
  window.jupyterapp.commands.execute("notebook:run-all-cells").then(
    () => { window.__cells = "done"; }, (error) => { window.__cells = String(error); });
}"""

RUN_CELL = f"""(index) => {{
  window.__cells = "running";
  {PANEL}.content.activeCellIndex = index;
  window.jupyterapp.commands.execute("notebook:run-cell").then(
    () => {{ window.__cells = "done"; }}, (error) => {{ window.__cells = String(error); }});
}}"""

ERRORS = f"""() => {PANEL}.content.widgets.flatMap((cell, index) => {{
  const outputs = cell.model.type === "code" ? cell.model.sharedModel.getOutputs() : [];
  return outputs.filter((it) => it.output_type === "error")
    .map((it) => `cell ${{index}}: ${{it.ename}}: ${{it.evalue}}`);
}})"""

EXECUTE = f"""async (code) => {{
  const kernel = {PANEL}.sessionContext.session.kernel;
  const future = kernel.requestExecute({{ code, store_history: false, stop_on_error: false }});
  let text = "";
  future.onIOPub = (message) => {{
    if (message.header.msg_type === "stream") text += message.content.text;
  }};
  const reply = await future.done;
  const {{ status, ename, evalue }} = reply.content;
  return {{ text, error: status === "ok" ? null : `${{ename}}: ${{evalue}}` }};
}}"""


class Notebook:
    """A notebook that is open in JupyterLab, with a kernel of its own."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server

    def open_copy(self, path: Path) -> None:
        """Open a copy of a notebook file, and wait for its kernel."""
        shutil.copyfile(path, self.server.folder / path.name)
        self._open(path.name)

    def open_cells(self, cells: Sequence[str], name: str = "cells.ipynb") -> None:
        """Open a new notebook of these code cells, and wait for its kernel."""
        # Without a kernel's name JupyterLab would ask for one in a dialogue.
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        code = [new_code_cell(source) for source in cells]  # type: ignore[no-untyped-call]
        notebook = new_notebook(cells=code, metadata=kernel)  # type: ignore[no-untyped-call]
        nbformat.write(notebook, self.server.folder / name)  # type: ignore[no-untyped-call]
        self._open(name)

    def _open(self, name: str) -> None:
        self.page.goto(f"{self.server.url}/lab/tree/{name}?reset", timeout=PATIENCE)
        self.wait_idle()

    def wait_idle(self) -> None:
        """Wait until the kernel is idle."""
        self.page.wait_for_function(IDLE, timeout=PATIENCE)

    def run_all(self) -> None:
        """Run all cells to their end; an error in one is an error here."""
        self.page.evaluate(RUN_ALL)
        self._wait_for_cells()

    def run_cell(self, index: int) -> None:
        """Run one cell to its end; an error in it is an error here."""
        self.page.evaluate(RUN_CELL, index)
        self._wait_for_cells()

    def _wait_for_cells(self) -> None:
        self.page.wait_for_function("window.__cells !== 'running'", timeout=PATIENCE)
        errors = self.page.evaluate(ERRORS)
        assert not errors, "\n".join(errors)
        ended = self.page.evaluate("window.__cells")
        assert ended == "done", ended

    def execute(self, code: str) -> str:
        """Run code in the kernel outside all cells; return what it printed."""
        answer = self.page.evaluate(EXECUTE, code)
        assert answer["error"] is None, answer["error"]
        return str(answer["text"])

    def value(self, expression: str) -> Any:
        """Return the value of an expression in the kernel, which JSON can express."""
        printed = self.execute(f"import json as _json; print(_json.dumps({expression}))")
        return json.loads(printed)

    def cell(self, index: int) -> Locator:
        """Return a cell, input and output, counted from 0."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Locator:
        """Return the output of a cell."""
        return self.cell(index).locator(".jp-OutputArea-output")

    def n_cells(self) -> int:
        """Return how many cells the notebook has: a stray `d d` deletes one."""
        return int(self.page.evaluate(f"{PANEL}.content.widgets.length"))

    def set_dark(self, dark: bool = True) -> None:
        """Switch JupyterLab's theme, and wait until it shows."""
        theme = "JupyterLab Dark" if dark else "JupyterLab Light"
        self.page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', { theme })",
            theme,
        )
        light = "false" if dark else "true"
        body = self.page.locator(f"body[data-jp-theme-light='{light}']")
        body.wait_for(state="attached")
        # The theme's own style sheet comes after the attribute.
        self.page.wait_for_function(
            "() => getComputedStyle(document.body).getPropertyValue('--jp-layout-color1') !== ''"
        )

    def set_width(self, output: int, height: int = 900) -> None:
        """Size the window so that a cell's output is ``output`` CSS pixels wide."""
        self.page.set_viewport_size({"width": output + 400, "height": height})
        area = self.page.locator(".jp-Notebook .jp-OutputArea").first
        for _ in range(3):  # the side bars' share depends on the width itself
            box = area.bounding_box()
            assert box is not None, "no cell has an output yet"
            off = output - round(box["width"])
            if off == 0:
                return
            viewport = self.page.viewport_size
            assert viewport is not None
            self.page.set_viewport_size({"width": viewport["width"] + off, "height": height})
            self.page.wait_for_timeout(200)

    def accessibility_violations(self, selector: str) -> list[str]:
        """Return what axe finds within a part of the page, a line a rule."""
        if not self.page.evaluate("'axe' in window"):
            # As text: a page of JupyterLab refuses script tags of other origins.
            self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate(
            "async (selector) => (await axe.run(selector)).violations", selector
        )
        return [
            f"{rule['id']}: {rule['help']} ({'; '.join(str(n['target']) for n in rule['nodes'])})"
            for rule in found
        ]

    def picture(self, name: str, part: Locator | None = None) -> Path:
        """Save a picture of a part of the page (or all of it) in tests/browser/out."""
        PICTURES.mkdir(exist_ok=True)
        path = PICTURES / f"{name}.png"
        (part or self.page).screenshot(path=path)
        return path
