"""The browser tests' own tools do what the other tests rely on."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import watch
from tests.browser.notebook import Notebook


@pytest.fixture(scope="module")
def cells() -> list[str]:
    return ["x = 6 * 7", "print('answer', x)", "raise ValueError('on purpose')"]


def test_cells_run_and_the_kernel_answers(notebook: Notebook, cells: list[str]) -> None:
    notebook.open_cells(cells[:2])
    notebook.run_all()
    expect(notebook.output(1)).to_have_text("answer 42\n")
    assert notebook.value("{'x': x, 'list': [1, None, 'ü']}") == {"x": 42, "list": [1, None, "ü"]}
    assert notebook.execute("x += 1; print(x)") == "43\n"
    assert notebook.n_cells() == 2


def test_a_cell_that_fails_is_noticed(notebook: Notebook, cells: list[str]) -> None:
    notebook.open_cells(cells)
    with pytest.raises(AssertionError, match="ValueError: on purpose"):
        notebook.run_all()
    with pytest.raises(AssertionError, match="NameError"):
        notebook.execute("unknown")


def test_theme_and_width_are_set(notebook: Notebook, cells: list[str]) -> None:
    notebook.open_cells(cells[:2])
    notebook.run_cell(0)
    notebook.run_cell(1)
    for width in (480, 768, 900):
        notebook.set_width(width)
        box = notebook.cell(1).locator(".jp-OutputArea").bounding_box()
        assert box is not None
        assert round(box["width"]) == width
    background = "getComputedStyle(document.body).getPropertyValue('--jp-layout-color1')"
    light = notebook.page.evaluate(background)
    notebook.set_dark()
    assert notebook.page.evaluate(background) != light
    notebook.set_dark(dark=False)
    assert notebook.page.evaluate(background) == light


def test_axe_finds_a_missing_name(notebook: Notebook) -> None:
    notebook.open_cells(
        ["from IPython.display import HTML\nHTML('<div id=bad><button></button></div>')"]
    )
    notebook.run_all()
    assert any(it.startswith("button-name") for it in notebook.accessibility_violations("#bad"))


@pytest.fixture
def watched(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    misdeeds: list[str] = []
    page = browser.new_page()
    watch(page, misdeeds)
    yield page, misdeeds
    page.close()


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("console.error('oh')", "console: oh"),
        ("setTimeout(() => { throw new Error('oh') })", "uncaught: oh"),
        ("fetch('http://example.com/x').catch(() => {})", "request: http://example.com/x"),
        ("new WebSocket('ws://example.com/x')", "request: ws://example.com/x"),
    ],
)
def test_misdeeds_are_noted(watched: tuple[Page, list[str]], script: str, kind: str) -> None:
    page, misdeeds = watched
    page.set_content("<title>t</title>")
    page.evaluate(f"() => {{ {script} }}")
    page.wait_for_timeout(300)
    assert kind in misdeeds


def test_the_notebook_is_a_copy(notebook: Notebook, tmp_path: Path) -> None:
    original = tmp_path / "original.ipynb"
    cell = {"cell_type": "code", "id": "a", "source": "1", "metadata": {}, "outputs": []}
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": [{**cell, "execution_count": None}], "metadata": kernel}
    original.write_text(json.dumps({**content, "nbformat": 4, "nbformat_minor": 5}))
    before = original.read_bytes()
    notebook.open_copy(original)
    notebook.run_all()
    assert original.read_bytes() == before
