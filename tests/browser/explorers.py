"""An Explorer on the page, and the study behind it in the kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from playwright.sync_api import Locator, expect

if TYPE_CHECKING:
    from tests.browser.notebook import Notebook

EXPLORER = ".mw[aria-label='Explorer']"
SUPPRESS = "data-lm-suppress-shortcuts"
SESSION = "window.jupyterapp.shell.currentWidget.sessionContext"
START = "import mediawidget as mw\nlm = mw.load()\nstudy = mw.Study(lm, mw.tasks.ioi(lm, n={n}))"
SHARE = "lambda e, k: None if e is None else round(100 * float(e[k]) / float(e['TE']), 6)"


class Explorer:
    """An Explorer on the page, and the study behind it in the kernel."""

    def __init__(self, notebook: Notebook, selector: str = EXPLORER) -> None:
        self.notebook = notebook
        self.page = notebook.page
        self.root = self.page.locator(selector).first
        self.selector = selector

    def cell(self, label: str, grid: str = "") -> Locator:
        """The cell of a site, found as people who hear the page find it."""
        name = re.compile(rf"^{re.escape(label)}(?![\w@])(?! @)")
        scope = self.root.get_by_role("grid", name=grid) if grid else self.root
        return scope.get_by_role("gridcell", name=name)

    def point(self, label: str, grid: str, says: str, tries: int = 5) -> None:
        """Point at a cell until the sentence says so: a sheet laid out anew lets go of it."""
        sentence = self.root.locator(".mw-sentence")
        for left in reversed(range(tries)):
            self.page.mouse.move(1, 1)
            self.cell(label, grid).hover()
            try:
                expect(sentence).to_contain_text(says)
            except AssertionError:
                if not left:
                    raise
            else:
                return

    def readout(self) -> float:
        """The large number, in percent or in the metric's unit."""
        return number(self.root.locator(".mw-readout").inner_text())

    def figures(self) -> dict[str, float]:
        """Together, sum and gap of a selection of several."""
        texts = self.root.locator(".mw-sum").all_inner_texts()
        return {text.split()[0]: number(text.split()[1]) for text in texts}

    def share(self, key: str) -> float:
        """What the study says of its last result, in percent of the total effect."""
        return float(self.notebook.value(f"({SHARE})(study.last, {key!r})"))

    def settled(self, label: str) -> None:
        """Wait until the result that is shown is that of these sites."""
        table = self.root.locator(".mw-over bdi")
        expect(table).to_have_text(label)
        expect(self.root.locator("[data-pending]")).to_have_count(0)


def number(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace("\N{MINUS SIGN}", "-").replace("%", "").replace("+", ""))


def clipped(explorer: Explorer) -> list[str]:
    """Elements that stand out of the view to the right."""
    return list(
        explorer.page.evaluate(
            """(selector) => { const root = document.querySelector(selector);
        const edge = root.getBoundingClientRect().right + 0.5;
        return [...root.querySelectorAll("*")].filter((el) => !el.closest(".mw-hidden, dialog")
          && el.getBoundingClientRect().right > edge).map((el) => el.className); }""",
            explorer.selector,
        )
    )


def unnamed(explorer: Explorer) -> list[str]:
    """Grids without a name, cells whose name is not their label and sentence, focusable elements
    that would hand their keys to the notebook."""
    return list(
        explorer.page.evaluate(
            """([selector, suppress]) => { const root = document.querySelector(selector);
        const bad = [];
        const focusable = "button, select, input, summary, a, [tabindex]";
        for (const el of root.querySelectorAll(focusable))
          if (el.getAttribute(suppress) !== "true") bad.push("keys: " + el.outerHTML.slice(0, 90));
        for (const grid of root.querySelectorAll("[role=grid]")) {
          if (!grid.getAttribute("aria-label")) bad.push("grid without a name");
          if (grid.querySelectorAll("[tabindex='0']").length !== 1) bad.push("tab stops");
        }
        for (const cell of root.querySelectorAll("[role=gridcell]")) {
          const name = cell.getAttribute("aria-label") || "";
          if (!/^(out|(L|mlp|attn)\\d+\\S*)( @ .+)?:? .+/.test(name)) bad.push("cell: " + name);
        }
        return bad; }""",
            [explorer.selector, SUPPRESS],
        )
    )
