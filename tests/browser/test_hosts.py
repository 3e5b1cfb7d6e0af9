"""The same views where other hosts show them: Notebook 7 and marimo."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Browser, Locator, Page, expect

import mediawidget as mw
from tests.browser.conftest import watch
from tests.browser.notebook import PATIENCE, PICTURES, Notebook

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.browser.server import Server

STUDY = """
import mediawidget as mw
lm = mw.load()
study = mw.Study(lm, mw.tasks.ioi(lm, n=1))
study.sweep("head", progress=False)
"""
SECONDS_TO_START = 60


@pytest.fixture(scope="module")
def share() -> dict[str, float]:
    """PIE of some heads in percent, by a study of this process."""
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=1))
    effect = study.sweep("head", progress=False)
    return {
        f"L{layer}H{head}": 100 * float(effect["PIE"][layer, head] / effect["TE"][layer, head])
        for layer in range(lm.n_layers)
        for head in range(lm.n_heads)
    }


def cell(root: Locator, label: str) -> Locator:
    return root.get_by_role("grid", name="Heads").get_by_role(
        "gridcell", name=re.compile(f"^{label}(?! @)")
    )


def click_and_read(root: Locator, label: str) -> float:
    """Click a head, wait for its answer, and read the large number."""
    cell(root, label).click()
    expect(root.locator(".mw-over bdi")).to_have_text(label)
    expect(root.locator("[data-pending]")).to_have_count(0)
    text = root.locator(".mw-readout").inner_text()
    return float(text.replace("\N{MINUS SIGN}", "-").strip("+%"))


def clicks_and_keys(page: Page, root: Locator, share: dict[str, float]) -> None:
    """What every host must do: run clicks, move by keys, keep its own shortcuts out."""
    expect(cell(root, "L3H1")).to_be_visible(timeout=PATIENCE)
    for label in ("L3H1", "L0H1"):
        assert click_and_read(root, label) == pytest.approx(share[label], abs=0.5)
    page.keyboard.press("ArrowRight")
    expect(cell(root, "L0H2")).to_be_focused()
    page.keyboard.press("Enter")
    expect(root.locator(".mw-over bdi")).to_have_text("L0H2")
    for key in ("d", "d", "a", "b"):
        page.keyboard.press(key)
    expect(cell(root, "L0H2")).to_be_focused()


# --- Notebook 7 -----------------------------------------------------------------------------------


@pytest.fixture
def watched(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """A page, and what goes wrong on it."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})
    page = context.new_page()
    misdeeds: list[str] = []
    watch(page, misdeeds)
    yield page, misdeeds
    context.close()


@pytest.mark.usefixtures("kernels")
def test_notebook_7(lab: Server, watched: tuple[Page, list[str]], share: dict[str, float]) -> None:
    page, misdeeds = watched
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    sources = [STUDY + "explorer = mw.Explorer(study)\nexplorer", "'the cell below'"]
    cells = [new_code_cell(source) for source in sources]  # type: ignore[no-untyped-call]
    notebook = new_notebook(cells=cells, metadata=kernel)  # type: ignore[no-untyped-call]
    nbformat.write(notebook, lab.folder / "seven.ipynb")  # type: ignore[no-untyped-call]
    page.goto(f"{lab.url}/notebooks/seven.ipynb", timeout=PATIENCE)
    # The indicator says "idle" before there is a kernel, and a cell run then is not run at all.
    host = Notebook(page, lab)
    host.wait_idle()
    # Up to here only the host has run; what it says of itself is its own, as long as it stays here.
    assert not [said for said in misdeeds if said.startswith("request")]
    misdeeds.clear()
    host.run_cell(0)
    root = page.locator(".mw[aria-label='Explorer']").first
    clicks_and_keys(page, root, share)
    assert host.n_cells() == len(cells)
    PICTURES.mkdir(exist_ok=True)
    root.screenshot(path=PICTURES / "notebook-7.png")
    assert misdeeds == []


# --- marimo ---------------------------------------------------------------------------------------

APP = """
import marimo

app = marimo.App()


@app.cell
def _():
    import marimo as mo
{study}
    return mo, mw, study


@app.cell
def _(mo, mw, study):
    explorer = mo.ui.anywidget(mw.Explorer(study))
    explorer
    return (explorer,)


if __name__ == "__main__":
    app.run()
"""


@pytest.fixture
def marimo(tmp_path: Path) -> Iterator[str]:
    """The address of a marimo app that shows an Explorer."""
    app = tmp_path / "app.py"
    app.write_text(APP.format(study=textwrap.indent(STUDY.strip(), "    ")))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path / "marimo.log"
    command = [sys.executable, "-m", "marimo", "-q", "run", str(app), "--headless", "--no-token"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", str(port), "--no-check"],
            cwd=tmp_path,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(f"http://127.0.0.1:{port}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"marimo did not start:\n{log.read_text()[-4000:]}")


def test_marimo(marimo: str, page: Page, share: dict[str, float]) -> None:
    page.goto(marimo, timeout=PATIENCE)
    root = page.locator(".mw[aria-label='Explorer']").first
    clicks_and_keys(page, root, share)
    PICTURES.mkdir(exist_ok=True)
    root.screenshot(path=PICTURES / "marimo.png")
