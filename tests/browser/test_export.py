"""A page that stands alone, opened from a file with the network off; and exports from the page."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

import mediawidget as mw
from mediawidget.widgets.drawing.text import in_cell, percent, raw
from tests.browser.explorers import START, Explorer
from tests.browser.notebook import PATIENCE, PICTURES, Notebook

PAIR = mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer=" Mary",
    wrong=" John",
)
REFUSED = "Not computed in this export."


@pytest.fixture(scope="module")
def study() -> mw.Study:
    """Heads were run, MLPs were not; the history has a head, and two heads together."""
    study = mw.Study(mw.load(), PAIR)
    study.sweep("head", progress=False)
    study.intervene(mw.Site("head", 3, head=1))
    study.intervene([mw.Site("head", 3, head=1), mw.Site("head", 3, head=0)])
    return study


@pytest.fixture(scope="module")
def file(study: mw.Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three views of the study on one page."""
    path = tmp_path_factory.mktemp("page") / "study.html"
    views = mw.Explorer(study), mw.HeadGrid(study), mw.MediationDiagram(study)
    return mw.export_html(path, *views, title="Heads </script> of a study")


@pytest.fixture(params=["light", "dark"])
def alone(browser: Browser, file: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened from the file without a network; it may ask for nothing else."""
    context = browser.new_context(
        viewport={"width": 1000, "height": 900}, color_scheme=request.param, offline=True
    )
    page = context.new_page()
    misdeeds: list[str] = []
    page.on("request", lambda it: misdeeds.append(it.url) if it.url != file.as_uri() else None)
    page.on("pageerror", lambda error: misdeeds.append(str(error)))
    page.on("console", lambda it: misdeeds.append(it.text) if it.type != "log" else None)
    page.goto(file.as_uri())
    page.locator(".mw[aria-label='Explorer'] .mw-cell").first.wait_for()
    yield page
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"export-{request.param}.png", full_page=True)
    context.close()
    assert misdeeds == []


def view(page: Page, name: str) -> Locator:
    return page.locator(f".mw[aria-label='{name}']")


def cell(of: Locator, label: str) -> Locator:
    """A cell by its site's label, with which its accessible name begins or in which it stands."""
    return of.locator(f".mw-panel-head [role=gridcell][aria-label*='{label}']").first


def share(study: mw.Study, layer: int, head: int, key: str = "PIE") -> float:
    """A head's effect in percent, from the float32 that the page reads."""
    effect = study.grids["head"].cell(layer, head)
    return float(np.float32(100 * effect[key] / effect["TE"]))


def test_what_was_computed_answers(alone: Page, study: mw.Study) -> None:
    explorer, grid = view(alone, "Explorer"), view(alone, "Head grid")
    readout = explorer.locator(".mw-readout")
    joint = study.last
    assert joint is not None
    expect(readout).to_have_text(f"{percent(100 * joint['PIE'] / joint['TE'])}%")
    # Pointing moves the needle and the figure.
    needle = explorer.locator(".mw-needle:visible").first
    before = needle.evaluate("el => el.style.width")
    cell(explorer, "L0H1").hover()
    expect(readout).to_have_text(f"{percent(share(study, 0, 1))}%")
    assert needle.evaluate("el => el.style.width") != before
    # A click on a cell that was run is Python's number, in every view of the study.
    cell(explorer, "L2H0").click()
    expect(cell(explorer, "L2H0")).to_have_attribute("aria-selected", "true")
    expect(cell(grid, "L2H0")).to_have_attribute("aria-selected", "true")
    expect(cell(explorer, "L2H0")).to_have_text(in_cell(share(study, 2, 0), share=True))
    for name in ("Explorer", "Head grid"):
        expect(view(alone, name).locator(".mw-readout")).to_have_text(
            f"{percent(share(study, 2, 0))}%"
        )
    y10 = raw(float(study.grids["head"].cell(2, 0)["Y10"]))
    expect(view(alone, "Mediation diagram")).to_contain_text(y10)
    # Direction and unit.
    explorer.get_by_role("button", name="Break (TIE)").click()
    expect(readout).to_have_text(f"{percent(share(study, 2, 0, 'TIE'))}%")
    explorer.get_by_label("Show", exact=True).select_option("raw")
    expect(readout).to_have_text(raw(float(study.grids["head"].cell(2, 0)["TIE"])))


def test_the_history_answers(alone: Page, study: mw.Study) -> None:
    explorer = view(alone, "Explorer")
    readout = explorer.locator(".mw-readout")
    explorer.get_by_role("button", name="Undo").click()
    expect(readout).to_have_text(f"{percent(share(study, 3, 1))}%")
    expect(explorer.locator(".mw-next")).to_contain_text("Mary")
    # Two heads together were run, so that adding the second one is known.
    cell(explorer, "L3H0").click(modifiers=["Shift"])
    joint = study.last
    assert joint is not None
    expect(readout).to_have_text(f"{percent(100 * joint['PIE'] / joint['TE'])}%")


def test_what_was_not_computed_says_so(alone: Page) -> None:
    explorer = view(alone, "Explorer")
    readout = explorer.locator(".mw-readout")
    before = readout.inner_text()
    mlp = explorer.locator(".mw-panel-mlp_out [role=gridcell]").nth(2)
    mlp.hover()
    words = "mlp2 was not run. Not computed in this export; a notebook runs it: 1 pass."
    expect(explorer.locator(".mw-sentence")).to_have_text(words)
    expect(mlp).to_have_attribute("aria-label", words)
    mlp.click()
    error = explorer.locator(".mw-error")
    expect(error).to_contain_text(REFUSED)
    alone.mouse.move(5, 5)
    alone.evaluate("document.activeElement.blur()")
    expect(readout).to_have_text(before)
    expect(mlp).to_have_attribute("aria-selected", "false")
    error.get_by_role("button").click()
    expect(error).to_be_hidden()
    cell(explorer, "L5H3").click(modifiers=["Shift"])
    expect(error).to_contain_text(REFUSED)
    expect(cell(explorer, "L5H3")).to_have_attribute("aria-selected", "false")


def test_pairs_of_a_game_answer(browser: Browser, study: mw.Study, tmp_path: Path) -> None:
    heads = [mw.Site("head", layer, head=head) for layer, head in ((2, 0), (3, 0), (3, 1))]
    game = mw.interactions(study, heads, order=2, progress=False)
    path = tmp_path / "pairs.html"
    mw.export_html(path, mw.InteractionGrid(game), mw.MediationDiagram(study))
    page = browser.new_page()
    page.goto(path.as_uri())
    view(page, "Interaction grid").locator("[role=gridcell]").nth(1).click()
    together = game.group((0, 1))
    expect(view(page, "Mediation diagram")).to_contain_text("L2H0 + L3H0")
    expect(view(page, "Mediation diagram")).to_contain_text(raw(float(together["Y01"])))
    assert page.locator(".mw-error:visible").count() == 0
    page.close()


def test_features_that_were_run_answer(browser: Browser, tmp_path: Path) -> None:
    study = mw.Study(mw.load(), PAIR)
    grid = mw.FeatureGrid(study)
    effect = grid.run(progress=False)
    path = mw.export_html(tmp_path / "features.html", grid, mw.MediationDiagram(study))
    page = browser.new_page()
    page.goto(path.as_uri())
    root = view(page, "Feature grid")
    status, rows = np.asarray(effect.status), grid.drawn
    exact = [tuple(at) for at in np.argwhere(status == mw.Status.EXACT)]
    assert len(exact) > 3
    columns = len(grid.features["columns"])
    for row, column in exact[:: max(1, len(exact) // 4)]:
        one = root.locator("[role=gridcell]").nth(int(row) * columns + int(column))
        pie = float(np.asarray(effect["PIE"])[row, column])
        y01 = raw(float(np.asarray(effect["Y01"])[row, column]))
        one.hover()
        expect(root.locator(".mw-sentence")).to_contain_text(f"to {y01}")
        one.click()
        expect(one).to_have_attribute("aria-selected", "true")
        expect(one).to_have_text(in_cell(100 * pie / float(study.total["TE"]), share=True))
        expect(view(page, "Mediation diagram")).to_contain_text(y01)
        assert root.locator(".mw-error:visible").count() == 0
    assert len(rows) == status.shape[0]
    expect(root).not_to_contain_text("press Enter")
    root.get_by_role("button", name="Ablate").click()
    expect(root.locator(".mw-error")).to_contain_text(REFUSED)
    page.close()


def test_features_that_were_not_run_say_so(browser: Browser, tmp_path: Path) -> None:
    study = mw.Study(mw.load(), PAIR)
    path = mw.export_html(tmp_path / "features.html", mw.FeatureGrid(study))
    page = browser.new_page()
    page.goto(path.as_uri())
    root = view(page, "Feature grid")
    one = root.locator("[role=gridcell][data-state=none]").first
    one.click()
    expect(root.locator(".mw-error")).to_contain_text(REFUSED)
    expect(one).to_have_attribute("aria-selected", "false")
    page.close()


def test_an_editor_shows_the_pair_that_stands_in_it(browser: Browser, tmp_path: Path) -> None:
    study = mw.Study(mw.load(), PAIR)
    path = mw.export_html(tmp_path / "pair.html", mw.PromptEditor(study))
    page = browser.new_page()
    page.goto(path.as_uri())
    root = view(page, "Prompt editor")
    expect(root.locator("textarea").first).to_have_value(PAIR.clean)
    expect(root).to_contain_text("the model after clean:")
    assert root.locator(".mw-error:visible").count() == 0
    root.get_by_role("button", name="Swap").click()
    expect(root.locator(".mw-error")).to_contain_text(REFUSED)
    page.close()


def test_the_page_says_what_it_is_of(alone: Page, study: mw.Study) -> None:
    expect(alone.locator("h1")).to_have_text("Heads </script> of a study")
    footer = alone.locator("footer")
    for words in (study.lm.name, "logit(Mary)", "patch", f"mediawidget {mw.__version__}", "Sally"):
        present = words != "Sally"
        assert (words in footer.inner_text()) is present
    meta = alone.locator("meta[name='mediawidget:edit']")
    assert "other prompt" in (meta.get_attribute("content") or "")
    dark = alone.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    theme = "dark" if dark else "light"
    expect(view(alone, "Explorer")).to_have_attribute("data-theme", theme)


def test_the_live_page_saves_every_form(notebook: Notebook, tmp_path: Path) -> None:
    notebook.open_cells([START.format(n=1), "explorer = mw.Explorer(study)\nexplorer"])
    notebook.run_all()
    explorer = Explorer(notebook)
    explorer.cell("L3H1").click()
    explorer.settled("L3H1")
    page = notebook.page
    saved = {}
    for form in ("PNG", "SVG", "CSV", "JSON", "HTML"):
        page.get_by_role("button", name="Export", exact=True).click()
        with page.expect_download(timeout=PATIENCE) as waiting:
            page.get_by_role("menuitem", name=f"({form})").click()
        path = tmp_path / waiting.value.suggested_filename
        waiting.value.save_as(path)
        assert path.suffix == f".{form.lower()}"
        saved[form] = path.read_bytes()
    assert saved["PNG"].startswith(b"\x89PNG")
    assert int.from_bytes(saved["PNG"][16:20], "big") == 2 * 768
    ET.fromstring(saved["SVG"])
    table = pd.read_csv(StringIO(saved["CSV"].decode()), comment="#")
    pie = notebook.value("study.last['PIE']")
    assert table[table["site"] == "L3H1"]["PIE"].tolist() == pytest.approx([pie, pie])
    assert json.loads(saved["JSON"])["model"] == "teaching model"
    assert b"mediawidgetViews" in saved["HTML"]
    # The picture's sentence is the page's.
    sentence = page.locator(".mw-sentence").first.inner_text()
    told = " ".join("".join(t.itertext()) for t in ET.fromstring(saved["SVG"]).iter() if t.text)
    assert " ".join(sentence.split()) in " ".join(told.split())
    notebook.picture("export-menu")
