"""The demo's notebook in JupyterLab: what is clicked is run, and the page says what Python says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.explorers import (
    EXPLORER,
    SESSION,
    START,
    Explorer,
    clipped,
    number,
    unnamed,
)
from tests.browser.notebook import Notebook

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_click_to_patch.ipynb"


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    notebook.open_copy(EXAMPLE)
    notebook.run_all()
    found = Explorer(notebook)
    # The first one belongs to the guided steps, and to a study of its own.
    found.root = notebook.page.locator(EXPLORER).nth(1)
    expect(found.cell("L3H1")).to_be_visible()
    return found


def test_clicks_run_and_every_number_is_the_studys(explorer: Explorer) -> None:
    notebook = explorer.notebook
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    assert notebook.value("[s.label() for s in study.selection]") == ["L3H1"]
    assert explorer.readout() == pytest.approx(explorer.share("PIE"), abs=0.5)
    expect(explorer.cell("L3H1")).to_have_attribute("aria-selected", "true")

    explorer.cell("L3H0").click(modifiers=["Shift"])
    explorer.settled("L3H1 + L3H0")
    assert notebook.value("[s.label() for s in study.selection]") == ["L3H1", "L3H0"]
    figures = explorer.figures()
    together = explorer.share("PIE")
    singles = notebook.value(
        "[100 * float(study.sweep('head', progress=False)['PIE'][3, h] / study.total['TE'])"
        " for h in (1, 0)]"
    )
    assert figures["together"] == pytest.approx(together, abs=0.06)
    assert figures["sum"] == pytest.approx(sum(singles), abs=0.06)
    assert figures["gap"] == pytest.approx(together - sum(singles), abs=0.06)

    explorer.cell("L2 @ John(10)").click()
    explorer.settled("L2 @ John(10)")
    assert notebook.value("study.selection[0].position") == 10
    assert explorer.readout() == pytest.approx(explorer.share("PIE"), abs=0.5)
    corners = [
        number(text)
        for text in explorer.root.locator(".mw-corners td span:last-child").all_inner_texts()
    ]
    expected = notebook.value("[study.last[k] for k in ('Y11', 'Y10', 'Y01', 'Y00')]")
    assert corners == pytest.approx(expected, abs=0.06)


def test_the_oracle_agrees_with_the_page(explorer: Explorer) -> None:
    """The number on screen is that of a plain forward pass with a hook, which knows no engine."""
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    y01 = explorer.notebook.value(ORACLE)
    shown = explorer.root.locator(".mw-corners td").nth(3).locator("span").last.inner_text()
    assert number(shown) == pytest.approx(y01, abs=0.051)


ORACLE = """(lambda: (
  __import__('builtins').exec('''
import torch
def _oracle():
    pair = study.token_pairs[0]
    proj = lm.hf.transformer.h[3].attn.c_proj
    width = slice(lm.d_head, 2 * lm.d_head)
    kept = {}
    def read(module, args):
        kept['z'] = args[0][..., width].clone()
    def write(module, args):
        args[0][..., width] = kept['z']
    with torch.no_grad():
        handle = proj.register_forward_pre_hook(read)
        lm.hf(torch.from_numpy(pair.clean)[None])
        handle.remove()
        handle = proj.register_forward_pre_hook(write)
        logits = lm.hf(torch.from_numpy(pair.corrupt)[None]).logits[0, -1]
        handle.remove()
    return float(logits[pair.answer] - logits[pair.wrong])
''', globals()), _oracle())[1])()"""


def test_directions_by_buttons_and_keys(explorer: Explorer) -> None:
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    explorer.page.keyboard.press("2")
    assert explorer.readout() == pytest.approx(explorer.share("TIE"), abs=0.5)
    expect(explorer.root.get_by_role("button", name="Break (TIE)")).to_have_attribute(
        "aria-pressed", "true"
    )
    explorer.root.get_by_role("button", name="Difference (INT)").click()
    assert explorer.readout() == pytest.approx(explorer.share("INT"), abs=0.5)
    assert explorer.notebook.value("explorer.direction") == "difference"
    explorer.notebook.execute("explorer.direction = 'restore'")
    expect(explorer.root.get_by_role("button", name="Restore (PIE)")).to_have_attribute(
        "aria-pressed", "true"
    )


def test_the_keyboard_does_it_all_and_harms_no_cell(explorer: Explorer) -> None:
    notebook, press = explorer.notebook, explorer.page.keyboard.press
    cells = notebook.n_cells()
    explorer.cell("L0H0").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        press(key)
    expect(explorer.cell("L3H1")).to_be_focused()
    assert explorer.readout() == pytest.approx(
        notebook.value("100 * float(study.grids['head']['PIE'][3, 1] / study.total['TE'])"), abs=0.5
    )
    press("Enter")
    explorer.settled("L3H1")
    press("ArrowLeft")
    press("x")
    explorer.settled("L3H1 + L3H0")
    press("u")
    explorer.settled("L3H1")
    assert notebook.value("[s.label() for s in study.selection]") == ["L3H1"]
    press("Shift+U")
    explorer.settled("L3H1 + L3H0")
    for key in ("d", "d", "a", "b", "m", "z", "Delete"):
        press(key)
    press("Escape")
    expect(explorer.root.locator("[aria-selected=true]")).to_have_count(0)
    assert notebook.value("len(study.selection)") == 0
    assert notebook.n_cells() == cells
    press("?")
    expect(explorer.page.get_by_role("dialog", name="Keys")).to_be_visible()
    press("Escape")
    expect(explorer.page.get_by_role("dialog", name="Keys")).to_be_hidden()


def test_hover_reads_without_the_kernel(explorer: Explorer) -> None:
    explorer.page.evaluate(
        """(selector) => { window.__sent = 0; const send = WebSocket.prototype.send;
        WebSocket.prototype.send = function (...all) {
          window.__sent += 1; return send.apply(this, all); }; }""",
        EXPLORER,
    )
    explorer.cell("L0H1").hover()
    expect(explorer.root.locator(".mw-sentence")).to_contain_text("Patching L0H1")
    explorer.cell("L1H0").hover()
    expect(explorer.root.locator(".mw-sentence")).to_contain_text("Patching L1H0")
    assert explorer.page.evaluate("window.__sent") == 0


def test_a_sweep_is_cancelled_and_what_was_run_stays(notebook: Notebook) -> None:
    notebook.open_cells(
        [
            START.format(n=256),
            "study.engine.budget = 40_000_000\nexplorer = mw.Explorer(study)\nexplorer",
        ]
    )
    notebook.run_all()
    explorer = Explorer(notebook)
    explorer.root.get_by_role("button", name=re.compile(r"^Run \d+ sites · \d+ passes")).click()
    bar = explorer.root.get_by_role("progressbar", name="Sweep")
    expect(bar).to_be_visible()
    explorer.root.get_by_role("button", name="Cancel").click()
    expect(bar).to_be_hidden()
    expect(explorer.root).to_contain_text("Cancelled after")
    # A mean over the pairs that were reached would not be the mean that was asked for.
    not_run = notebook.value(
        "int((study.grids['residual@position'].status == 0).sum())"
        " if 'residual@position' in study.grids else (lm.n_layers + 1) * len(study.token_pairs[0])"
    )
    assert not_run > 0
    hatched = explorer.root.locator(".mw-panel-tokens .mw-cell[data-state=none]")
    expect(hatched).to_have_count(not_run)
    # The kernel is free again: a click is answered.
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    assert explorer.readout() == pytest.approx(explorer.share("PIE"), abs=0.5)


def test_linked_views_follow_each_other(notebook: Notebook) -> None:
    notebook.open_cells(
        [
            START.format(n=8),
            "mw.HeadGrid(study)",
            "mw.TokenHeatmap(study)",
        ]
    )
    notebook.run_all()
    heads = Explorer(notebook, ".mw[aria-label='Head grid']")
    tokens = Explorer(notebook, ".mw[aria-label='Token heatmap']")
    heads.cell("L3H1").click()
    expect(heads.cell("L3H1")).to_have_attribute("aria-selected", "true")
    expect(tokens.root.locator(".mw-strip")).to_contain_text("L3H1")
    tokens.cell("L2 @ S2").click(modifiers=["Shift"])
    expect(heads.root.locator(".mw-strip")).to_contain_text("L2 @ S2")
    assert notebook.value("[s.label() for s in study.selection]") == ["L3H1", "L2 @ 10"]
    expect(heads.cell("L3H1")).to_have_attribute("aria-selected", "true")
    for view in (heads, tokens):
        assert notebook.accessibility_violations(view.selector) == []


def test_a_restarted_kernel_leaves_the_page_readable(explorer: Explorer) -> None:
    explorer.page.evaluate(SESSION + ".session.kernel.restart()")
    expect(explorer.root.locator(".mw-kernel")).to_have_text("disconnected, still readable")
    explorer.cell("L0H1").hover()
    expect(explorer.root.locator(".mw-sentence")).to_contain_text("Patching L0H1")


def test_a_click_on_a_kernel_that_is_gone_says_so(explorer: Explorer) -> None:
    explorer.page.evaluate(SESSION + ".shutdown()")
    explorer.cell("L3H1").click()
    expect(explorer.root.locator(".mw-kernel")).to_have_text("disconnected, still readable")
    expect(explorer.root.locator("[data-pending]")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_names_and_widths(explorer: Explorer, dark: bool) -> None:
    notebook = explorer.notebook
    notebook.set_dark(dark)
    for mediator, by in (("mlp_out", None), ("residual", "position")):
        notebook.execute(f"_ = study.sweep({mediator!r}, by={by!r}, progress=False)")
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    explorer.cell("L3H0").click(modifiers=["Shift"])
    explorer.settled("L3H1 + L3H0")
    for width in (480, 768, 900):
        notebook.set_width(width, height=1500)
        notebook.page.mouse.move(1, 1)
        notebook.page.wait_for_timeout(600)
        assert clipped(explorer) == []
        assert notebook.accessibility_violations(EXPLORER) == []
        theme = "dark" if dark else "light"
        notebook.picture(f"explorer-{theme}-{width}", explorer.root)
    assert unnamed(explorer) == []


HOSTILE = """
import dataclasses
pair = study.token_pairs[0]
bad = '<img src=x onerror="window.__hurt = 1">'
tokens = tuple(bad if i == 3 else t for i, t in enumerate(pair.clean_tokens))
study.token_pairs[0] = dataclasses.replace(pair, clean_tokens=tokens)
mw.Explorer(study)
"""


def test_hostile_tokens_are_text(notebook: Notebook) -> None:
    notebook.open_cells([START.format(n=1), HOSTILE])
    notebook.run_all()
    explorer = Explorer(notebook)
    expect(explorer.root.locator(".mw-prompts")).to_contain_text("<img src=x onerror=")
    assert explorer.root.locator("img").count() == 0
    assert explorer.page.evaluate("window.__hurt") is None
