"""The documentation site, opened from the disk without a network: search, themes, live views."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect

from tests.browser.notebook import PICTURES
from tests.documents.site import build

DARK = "rgb(20, 23, 26)"
LIGHT = "rgb(255, 255, 255)"
HERE = ("file:", "data:", "blob:", "about:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = build(tmp_path_factory.mktemp("site"))
    assert built.status == 0, built.said
    return built.folder


@pytest.fixture(params=["light", "dark"])
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page without a network; at its end it has complained of nothing and asked nobody."""
    context = browser.new_context(
        viewport={"width": 1280, "height": 900}, color_scheme=request.param, offline=True
    )
    page = context.new_page()
    misdeeds: list[str] = []
    page.on("request", lambda it: None if it.url.startswith(HERE) else misdeeds.append(it.url))
    page.on("pageerror", lambda error: misdeeds.append(str(error)))
    page.on("console", lambda it: misdeeds.append(it.text) if it.type == "error" else None)
    yield page
    PICTURES.mkdir(exist_ok=True)
    page.screenshot(path=PICTURES / f"site-{request.node.name}.png".replace("/", "_"))
    context.close()
    assert misdeeds == []


def example(page: Page, name: str) -> FrameLocator:
    """The live view of an example, which is loaded when it is scrolled to."""
    frame = page.locator(f"iframe[src^='gallery/{name}.']:visible")
    frame.scroll_into_view_if_needed()
    return frame.content_frame


def test_search_finds_without_a_server(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").click()
    page.get_by_role("textbox", name="Search").press_sequentially("dose_curve")
    found = page.locator(".md-search-result__item a[href*='#mediawidget.dose_curve']").first
    expect(found).to_contain_text("dose_curve", timeout=20_000)
    found.click()
    expect(page.locator('[id="mediawidget.dose_curve"]')).to_be_attached()
    assert page.url.startswith((site / "reference").as_uri())


def test_a_view_has_the_colours_of_its_page(page: Page, site: Path) -> None:
    page.goto((site / "index.html").as_uri())
    body = page.locator(".view iframe:visible").content_frame.locator("body")
    dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for colour in (DARK, LIGHT) if dark else (LIGHT, DARK):
        expect(page.locator("body")).to_have_css("background-color", colour)
        expect(body).to_have_css("background-color", colour)
        page.locator(".md-header label[for^=__palette]:visible").click()


#: Per example: what is clicked, and the button that is pressed by it.
BUTTONS = {
    "attention": "Corrupt",
    "circuit": "Inspect",
    "diagram": "PIE + TDE",
    "features": "Break",
    "gates": "OR",
    "interactions": "Break",
    "lens": "Corrupt",
    "explorer": "Break (TIE)",
    "heads": "Difference (INT)",
    "tokens": "Break (TIE)",
}
#: Cells that were run, by how their accessible names begin.
CELLS = {
    "explorer": "L2H0:",
    "heads": "L2H0:",
    "interactions": "L0H1 + L3H0:",
    "tokens": "L2 @ John",
    "trace": "L2 @ last subject",
}


def test_every_example_answers(page: Page, site: Path) -> None:
    page.goto((site / "gallery.html").as_uri())
    names = {path.name.split(".")[0] for path in (site / "gallery").glob("*.html")}
    assert names == set(BUTTONS) | set(CELLS)
    for name, words in BUTTONS.items():
        button = example(page, name).get_by_role("button", name=words, exact=True).first
        expect(button).to_have_attribute("aria-pressed", "false")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "true")


def test_what_was_run_can_be_clicked(page: Page, site: Path) -> None:
    page.goto((site / "gallery.html").as_uri())
    for name, label in CELLS.items():
        view = example(page, name)
        cell = view.locator(f"[role=gridcell][aria-label^='{label}']").last
        expect(cell).to_have_attribute("aria-selected", "false")
        cell.click()
        expect(cell).to_have_attribute("aria-selected", "true")
        expect(view.locator(".mw-error:visible")).to_have_count(0)


@pytest.mark.parametrize("width", [360, 400, 1280])
def test_a_frame_is_as_tall_as_its_view(page: Page, site: Path, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto((site / "gallery.html").as_uri())
    for name in set(BUTTONS) | set(CELLS):
        whole = example(page, name).locator("html")
        expect(whole.locator(".mw").first).to_be_visible()
        fits = "e => e.scrollHeight - innerHeight <= 1 && innerHeight - e.offsetHeight <= 1"
        for _ in range(50):
            if whole.evaluate(fits):
                break
            page.wait_for_timeout(100)
        assert whole.evaluate(fits), name


def test_a_notebook_is_read_in_the_site(page: Page, site: Path) -> None:
    page.goto((site / "course.html").as_uri())
    page.get_by_role("link", name="05_the_ioi_circuit").click()
    expect(page.locator("h1")).to_contain_text("5 The IOI circuit")
    folded = page.locator("details.folded").first
    expect(folded.locator("pre")).not_to_be_visible()
    folded.locator("summary").click()
    expect(folded.locator("pre")).to_be_visible()


def test_on_a_telephone_a_row_of_sentences_is_a_card(page: Page, site: Path) -> None:
    page.goto((site / "methods" / "index.html").as_uri())
    cell = page.locator("table[data-cards] tbody tr").first.locator("td").nth(1)
    first = page.locator("table[data-cards] tbody tr").first.locator("td").first
    above = "e => e.getBoundingClientRect().top"
    assert cell.evaluate(above) == first.evaluate(above)
    page.set_viewport_size({"width": 375, "height": 800})
    assert cell.evaluate(above) > first.evaluate(above)
    around = (
        "e => { const r = e.parentElement.closest('div'); return r.scrollWidth - r.clientWidth; }"
    )
    assert page.locator("table[data-cards]").first.evaluate(around) <= 0


def test_formulas_have_their_font(page: Page, site: Path) -> None:
    page.goto((site / "concepts" / "effects.html").as_uri())
    page.evaluate("document.fonts.ready.then(() => null)")
    families = """[...document.fonts].map(f => `${f.family.replaceAll('"', "")} ${f.status}`)"""
    assert page.evaluate(families) == ["STIX Two Math loaded"]


def test_a_formula_is_drawn_and_nothing_is_cut_off(page: Page, site: Path) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    for path in sorted(site.rglob("*.html")):
        # A server shows 404.html at any depth, so what it loads begins at the root.
        if path.relative_to(site).parts[0] in ("gallery", "files", "404.html"):
            continue
        page.goto(path.as_uri())
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 390, f"{path.name}: {wide} px"
    page.goto((site / "concepts" / "effects.html").as_uri())
    box = page.locator("math").first.bounding_box()
    assert box is not None
    assert box["height"] > 8
