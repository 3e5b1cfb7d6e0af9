"""The history and the code of a selection, on a real page and a real kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.explorers import EXPLORER, START, Explorer, clipped, number, unnamed
from tests.browser.notebook import Notebook

HEADS = ("L3H1", "L3H0", "L2H1")
PIE = "[None if e is None else 100 * e.effect['PIE'] / e.effect['TE'] for e in study.history]"


@pytest.fixture
def explorer(notebook: Notebook) -> Explorer:
    """An Explorer in which three heads were clicked."""
    notebook.open_cells([START.format(n=4), "explorer = mw.Explorer(study)\nexplorer"])
    notebook.run_all()
    found = Explorer(notebook)
    expect(found.root.get_by_role("group", name="History")).to_be_hidden()
    for label in HEADS:
        found.cell(label).click()
        found.settled(label)
    return found


def chips(explorer: Explorer) -> Locator:
    return explorer.root.get_by_role("group", name="Entries").get_by_role("button")


def shown(explorer: Explorer) -> list[float]:
    """The numbers on the chips, but for the beginning, which has none."""
    values = explorer.root.locator(".mw-entryvalue").all_inner_texts()
    return [number(value) for value in values[1:]]


def test_chips_have_the_studys_numbers_and_walk(explorer: Explorer) -> None:
    notebook, page = explorer.notebook, explorer.page
    expect(chips(explorer)).to_have_count(4)
    names = explorer.root.locator(".mw-entry bdi")
    assert names.all_inner_texts() == ["nothing", *HEADS]
    assert shown(explorer) == pytest.approx(notebook.value(PIE)[1:], abs=0.51)
    chips(explorer).nth(1).click()
    explorer.settled("L3H1")
    expect(chips(explorer).nth(1)).to_have_attribute("aria-current", "true")
    assert notebook.value("study.history.cursor") == 1
    page.keyboard.press("]")
    explorer.settled("L3H0")
    page.keyboard.press("[")
    explorer.settled("L3H1")
    page.keyboard.press("[")
    expect(explorer.root.locator(".mw-grid [aria-selected=true]")).to_have_count(0)
    expect(chips(explorer).first).to_have_attribute("aria-current", "true")
    chips(explorer).first.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    explorer.settled("L2H1")
    page.keyboard.press("2")
    broken = notebook.value(PIE.replace("PIE", "TIE"))[1:]
    assert shown(explorer) == pytest.approx(broken, abs=0.51)


def test_an_entry_is_named_here_and_in_python(explorer: Explorer) -> None:
    page, notebook = explorer.page, explorer.notebook
    cells = notebook.n_cells()
    explorer.root.get_by_role("button", name="Rename").click()
    field = explorer.root.get_by_role("textbox", name="Name of the entry")
    expect(field).to_be_focused()
    page.keyboard.type("add a <b>bold</b> name")
    page.keyboard.press("Enter")
    name = explorer.root.locator(".mw-entry bdi")
    expect(name.nth(3)).to_have_text("add a <b>bold</b> name")
    assert notebook.value("study.history.names") == ["", "", "", "add a <b>bold</b> name"]
    notebook.execute("study.history.name(1, 'the mover')")
    expect(name.nth(1)).to_have_text("the mover")
    assert notebook.n_cells() == cells


def test_two_entries_are_compared(explorer: Explorer) -> None:
    chips(explorer).nth(1).click(modifiers=["Shift"])
    line = explorer.root.locator(".mw-entryline")
    expect(line).to_contain_text("L2H1")
    _, _, difference = line.inner_text().rpartition("=")
    apart = explorer.notebook.value("study.compare(3, 1).loc['PIE', 'difference']")
    total = explorer.notebook.value("study.total['TE']")
    assert number(difference) == pytest.approx(100 * apart / total, abs=0.06)
    chips(explorer).nth(0).click(modifiers=["Shift"])
    expect(line).to_contain_text("nothing to compare")


def test_the_code_is_shown_and_copied(explorer: Explorer) -> None:
    page = explorer.page
    explorer.root.get_by_role("button", name="Code", exact=True).click()
    dialog = page.get_by_role("dialog", name="Code")
    expect(dialog).to_be_visible()
    text = dialog.locator("pre").inner_text()
    assert "from nnsight import NNsight" in text
    assert text.strip() == explorer.notebook.value("study.to_code()").strip()
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog).to_contain_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()").strip() == text.strip()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.keyboard.press("c")
    expect(dialog).to_be_visible()


def test_a_saved_study_shows_its_history_after_a_restart(notebook: Notebook) -> None:
    """Another kernel, the same numbers."""
    start = START.format(n=4)
    ask = (
        "\nfor h in (1, 0): study.intervene(mw.Site('head', 3, head=h))"
        "\nstudy.history.name(1, 'mover')\n_ = study.save('mine.json')\n"
        "import json; json.dump([study.last['PIE'], study.undo()], open('pie.json', 'w'))"
    )
    notebook.open_cells([start + ask], name="first.ipynb")
    notebook.run_all()
    back = "import mediawidget as mw\nlm = mw.load()\nstudy = mw.Study.load('mine.json', lm)"
    notebook.open_cells([back, "mw.Explorer(study)"], name="second.ipynb")
    notebook.run_all()
    found = Explorer(notebook)
    found.settled("L3H0")
    expect(found.root.locator(".mw-entry bdi").nth(1)).to_have_text("mover")
    import_pie = "__import__('json').load(open('pie.json'))[0]"
    assert notebook.value(f"study.last['PIE'] == {import_pie}")
    chips(found).nth(1).click()
    found.settled("L3H1")


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_and_widths(explorer: Explorer, dark: bool) -> None:
    notebook = explorer.notebook
    notebook.set_dark(dark)
    explorer.cell("L3H0").click(modifiers=["Shift"])
    explorer.settled("L2H1 + L3H0")
    notebook.execute("study.history.name(2, 'a name that is rather long for a chip of this size')")
    chips(explorer).nth(1).click(modifiers=["Shift"])
    for width in (480, 768):
        notebook.set_width(width, height=1700)
        notebook.page.mouse.move(1, 1)
        notebook.page.wait_for_timeout(500)
        assert clipped(explorer) == []
        expect(explorer.root.locator(".mw-entry[aria-current]")).to_be_in_viewport()
        assert notebook.accessibility_violations(EXPLORER) == []
        theme = "dark" if dark else "light"
        notebook.picture(f"history-{theme}-{width}", explorer.root)
    assert unnamed(explorer) == []
    explorer.root.get_by_role("button", name="Code", exact=True).click()
    expect(notebook.page.get_by_role("dialog", name="Code")).to_be_visible()
    notebook.picture(f"code-{'dark' if dark else 'light'}")


def test_a_name_is_left_by_a_click_and_by_tab(explorer: Explorer) -> None:
    page = explorer.page
    rename = explorer.root.get_by_role("button", name="Rename")
    typed = explorer.root.get_by_role("textbox", name="Sites to select")
    rename.click()
    page.keyboard.type("mover")
    typed.click()
    expect(typed).to_be_focused()
    expect(explorer.root.locator(".mw-entry bdi").nth(3)).to_have_text("mover")
    rename.click()
    page.keyboard.press("Tab")
    expect(rename).to_be_focused()
    expect(chips(explorer)).to_have_count(4)


def test_paper_has_the_history_and_the_name_of_what_is_open(explorer: Explorer) -> None:
    tabs = explorer.root.get_by_role("tab")
    tabs.filter(has_text="Pairs").click()
    mark = explorer.root.locator(".mw-pairmark").first
    expect(mark).to_be_visible()
    explorer.page.emulate_media(media="print")
    expect(chips(explorer).last).to_be_visible()
    expect(tabs.filter(has_text="Pairs")).to_be_visible()
    expect(tabs.filter(has_text="Attention")).to_be_hidden()
    expect(mark).to_have_css("print-color-adjust", "exact")
    explorer.page.emulate_media(media="screen")
