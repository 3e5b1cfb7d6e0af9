"""A lesson's cards in JupyterLab, with a real kernel: predict, commit, hint, reveal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, WebSocket, expect

import mediawidget as mw
from tests.browser.explorers import EXPLORER, SESSION, START, SUPPRESS, Explorer, clipped, number
from tests.browser.notebook import Notebook

CARD = ".mw[aria-label='Question']"
PROGRESS = ".mw[aria-label='Progress']"
WIDTHS = (480, 768, 900)

LESSON = START.format(n=8) + "\nlesson = mw.teach.Lesson('1 One intervention')"
# Explanations are computed, so that their words stand in no source that the page shows.
PICK = """
card = lesson.pick(
    "best", "One head is set to its value on the clean prompt.\\n\\nWhich one restores most?",
    study, hints=["It reads the last position."], after=lambda: "-".join(["only", "now"]))
card
"""
CHOICE = """
card = lesson.choice(
    "sum", "Do the heads sum to 100%?", ["They do.", "They do not."], lambda: 1,
    hints=["Try two.", "Try all."], after="A relay, not shares.")
card
"""
NUMBER = """
card = lesson.number(
    "total", "How large is the total effect?", lambda: study.total["TE"], unit="logits", within=1)
card
"""
TEXT = """
card = lesson.text("own", "What did your question hide?", least=20, after="Position, for one.")
card
"""
TOUR = """
from mediawidget.teach import Choice, Do, Text
steps = [
    Do(id="click", prompt="Click a head.", study=study, done=lambda it: it.last is not None),
    Choice(id="sign", prompt="Was it blue?", options=["yes", "no"], answer=lambda: "yes"),
    Text(id="why", prompt="Why?"),
]
lesson.tour(steps, mw.Explorer(study))
"""
SHARES = "[[float(x) for x in row] for row in study.grids['head']['PIE'] / study.total['TE']]"
LATER = f"""(code) => {{
  {SESSION}.session.kernel.requestExecute({{ code, store_history: false }});
}}"""


def card_of(notebook: Notebook, *cells: str, selector: str = CARD) -> Explorer:
    """A card, and the lesson behind it in the kernel."""
    notebook.open_cells([LESSON, *cells])
    notebook.run_all()
    view = Explorer(notebook, selector)
    expect(view.root).to_be_visible()
    return view


def press(view: Explorer, name: str) -> None:
    view.root.get_by_role("button", name=re.compile(name)).click()


def cell(root: Locator, label: str) -> Locator:
    return root.get_by_role("gridcell", name=re.compile(rf"^{re.escape(label)}:"))


def assert_drawn_well(view: Explorer, name: str) -> None:
    """Nothing clipped and nothing that axe finds, in both themes at three widths; with pictures."""
    notebook = view.notebook
    for dark in (False, True):
        notebook.set_dark(dark)
        for width in WIDTHS:
            notebook.set_width(width, height=1500)
            notebook.page.mouse.move(1, 1)
            notebook.page.wait_for_timeout(600)
            notebook.picture(f"question-{name}-{'dark' if dark else 'light'}-{width}", view.root)
            assert clipped(view) == []
            assert notebook.accessibility_violations(view.selector) == []
    notebook.set_dark(dark=False)
    focusable = "button, input, textarea, [tabindex]"
    for element in view.root.locator(focusable).all():
        assert element.get_attribute(SUPPRESS) == "true", element.evaluate("el => el.outerHTML")


# --- the kinds ------------------------------------------------------------------------------------


def test_a_cell_is_predicted_then_run_then_all_are_shown(notebook: Notebook) -> None:
    frames: list[bytes] = []

    def listen(socket: WebSocket) -> None:
        def keep(frame: str | bytes) -> None:
            frames.append(frame.encode() if isinstance(frame, str) else frame)

        socket.on("framereceived", keep)

    notebook.page.on("websocket", listen)
    view = card_of(notebook, PICK, "mw.HeadGrid(study)")
    root = view.root
    truth = (b"only-now", b'"best": [', b'"cells": [[')
    expect(root.get_by_role("gridcell")).to_have_count(24)
    expect(root.locator(".mw-cell:not([data-state=none])")).to_have_count(0)
    commit = root.get_by_role("button", name="Commit")
    expect(commit).to_have_attribute("aria-disabled", "true")
    cell(root, "L0H0").click()
    expect(root.locator(".mw-qsaid")).to_have_text("L0H0 picked.")
    commit.click()
    tried = root.get_by_role("region", name="Your guess, run")
    expect(tried).to_be_visible()
    corners = [number(re.sub("^Y..", "", it)) for it in tried.locator("td").all_inner_texts()[1:]]
    wanted = notebook.value("[float(study.last[k]) for k in ('Y11', 'Y10', 'Y01', 'Y00')]")
    assert corners == pytest.approx(wanted, abs=0.06)
    # The linked view shows the guessed head alone.
    heads = Explorer(notebook, ".mw[aria-label='Head grid']")
    expect(heads.cell("L0H0")).to_have_attribute("aria-selected", "true")
    press(view, "Hint, 1 left")
    expect(root.locator(".mw-qhints")).to_have_text("It reads the last position.")
    notebook.picture("question-pick-committed", root)
    assert not [word for word in truth if any(word in frame for frame in frames)]

    press(view, "Reveal")
    verdict = root.locator(".mw-qverdict")
    expect(verdict).to_contain_text("You predicted L0H0, the model says")
    expect(verdict).to_be_focused()
    expect(root.locator(".mw-qanswer")).to_contain_text("only-now")
    assert all(any(word in frame for frame in frames) for word in truth)
    shares = notebook.value(SHARES)
    for layer, row in enumerate(shares):
        for head, share in enumerate(row):
            shown = number(cell(root, f"L{layer}H{head}").inner_text())
            assert shown == pytest.approx(100 * share, abs=0.51)
    best = max((share, f"L{i}H{j}") for i, row in enumerate(shares) for j, share in enumerate(row))
    expect(cell(root, best[1])).to_have_attribute("data-best", "true")
    expect(cell(root, "L0H0")).to_have_attribute("aria-selected", "true")
    assert_drawn_well(view, "pick")


def test_an_option(notebook: Notebook) -> None:
    view = card_of(notebook, CHOICE)
    root = view.root
    root.get_by_text("They do.", exact=True).click()
    press(view, "Hint, 2 left")
    press(view, "Hint, 1 left")
    expect(root.locator(".mw-qhints li")).to_have_text(["Try two.", "Try all."])
    expect(root.get_by_role("radio", name="They do.", exact=True)).to_be_checked()
    assert_drawn_well(view, "choice-open")
    press(view, "Commit")
    press(view, "Reveal")
    expect(root.locator(".mw-qverdict")).to_contain_text("You predicted “They do”, the model says")
    expect(root.locator(".mw-qoption[data-right]")).to_contain_text("They do not.")
    assert notebook.value("[lesson.credit, lesson.score[0]]") == [1, 0]
    assert_drawn_well(view, "choice")


def test_a_number_by_keyboard_alone(notebook: Notebook) -> None:
    view = card_of(notebook, NUMBER)
    root, keyboard = view.root, notebook.page.keyboard
    cells = notebook.n_cells()
    root.get_by_role("textbox").focus()
    keyboard.type("dd 16")
    expect(root.locator(".mw-qsaid")).to_have_text("This is not a number yet.")
    keyboard.press("Control+a")
    keyboard.type("16,2")
    keyboard.press("Enter")
    expect(root.get_by_role("button", name="Reveal")).to_be_focused()
    assert notebook.value("card.lesson.attempts['total'].guess") == 16.2
    keyboard.press("d")
    keyboard.press("d")
    keyboard.press("Enter")
    total = notebook.value("float(study.total['TE'])")
    expect(root.locator(".mw-qverdict")).to_be_focused()
    shown = root.get_by_role("img").get_attribute("aria-label") or ""
    found = re.search(r"the model (\S+)\s", shown)
    assert found is not None
    assert number(found[1]) == pytest.approx(total, abs=0.06)
    keyboard.press("d")
    keyboard.press("d")
    assert notebook.n_cells() == cells
    assert_drawn_well(view, "number")


def test_cells_by_keyboard_alone(notebook: Notebook) -> None:
    view = card_of(notebook, PICK)
    root, keyboard = view.root, notebook.page.keyboard
    cells = notebook.n_cells()
    cell(root, "L0H0").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter", "d", "d"):
        keyboard.press(key)
    expect(cell(root, "L2H1")).to_have_attribute("aria-selected", "true")
    keyboard.press("Tab")
    expect(root.get_by_role("button", name="Commit")).to_be_focused()
    keyboard.press("Space")
    expect(root.get_by_role("button", name="Reveal")).to_be_focused()
    expect(root.get_by_role("status")).to_contain_text("Your guess is kept.")
    assert notebook.value("lesson.attempts['best'].guess") == ["L2H1"]
    assert notebook.n_cells() == cells


def test_a_sentence_is_never_lost(notebook: Notebook) -> None:
    view = card_of(notebook, TEXT, NUMBER.replace("card", "other"))
    root, page = view.root, notebook.page
    field = root.get_by_role("textbox")
    field.click()
    page.keyboard.type("It hid position")
    expect(root.locator(".mw-qsaid")).to_have_text("5 more characters.")
    # Another card's guess redraws this one.
    notebook.execute("other.commit(3.0)")
    expect(root.locator(".mw-qwhere")).to_have_text("1 of 2 answered")
    expect(field).to_have_value("It hid position")
    expect(field).to_be_focused()
    page.keyboard.type(", dd.")
    page.keyboard.press("Control+Enter")
    expect(root.locator(".mw-qkept")).to_have_text("It hid position, dd.")
    press(view, "Reveal")
    expect(root.locator(".mw-qanswer")).to_have_text("Position, for one.")
    assert_drawn_well(view, "text")


# --- the kernel -----------------------------------------------------------------------------------


def test_a_busy_kernel_gets_one_guess(notebook: Notebook) -> None:
    view = card_of(notebook, CHOICE)
    root = view.root
    root.get_by_text("They do not.").click()
    notebook.page.evaluate(LATER, "import time; time.sleep(4)")
    commit = root.get_by_role("button", name="Commit")
    commit.click()
    ring = root.locator(".mw-qring")
    assert ring.is_visible()
    commit.click(force=True)
    expect(root.locator(".mw-qsaid")).to_have_text("Your guess is kept.", timeout=20_000)
    expect(ring).to_be_hidden()
    expect(root.locator(".mw-qcard .mw-qnotice")).to_be_hidden()
    assert notebook.value("lesson.attempts['sum'].guess") == 1


def test_without_a_kernel_the_words_stay(notebook: Notebook) -> None:
    view = card_of(notebook, TEXT)
    root = view.root
    root.get_by_role("textbox").fill("A sentence that nobody hears.")
    notebook.page.evaluate(SESSION + ".shutdown()")
    press(view, "Commit")
    expect(root.locator(".mw-qsaid")).to_contain_text("Committing needs the notebook")
    expect(root.get_by_role("textbox")).to_have_value("A sentence that nobody hears.")
    notebook.picture("question-gone", root)


# --- several --------------------------------------------------------------------------------------


def test_a_tour_goes_with_an_explorer(notebook: Notebook) -> None:
    view = card_of(notebook, TOUR, "lesson.progress")
    root = view.root
    explorer = Explorer(notebook, EXPLORER)
    progress = Explorer(notebook, PROGRESS)
    expect(root.locator(".mw-qwhere")).to_have_text("Question 1 of 3")
    explorer.cell("L3H1").click()
    expect(root.locator(".mw-qsaid")).to_have_text("Done.")
    expect(progress.root.locator(".mw-qfigures")).to_contain_text("1 of 3 answered")
    press(view, "Next")
    root.get_by_text("yes", exact=True).click()
    press(view, "Next")
    expect(root.get_by_role("textbox")).to_be_visible()
    root.get_by_role("button", name="Question 2, Was it blue?: not answered").click()
    # What was chosen and not committed is still there.
    expect(root.get_by_role("radio", name="yes")).to_be_checked()
    press(view, "Commit")
    press(view, "Reveal")
    expect(root.locator(".mw-qverdict")).to_contain_text("As you predicted.")
    expect(progress.root.locator(".mw-qfigures")).to_contain_text("1 of 1 as predicted")
    assert_drawn_well(view, "tour")
    assert_drawn_well(progress, "progress")


# --- a page without a kernel ----------------------------------------------------------------------


def test_an_exported_card_says_what_needs_the_notebook(browser: Browser, tmp_path: Path) -> None:
    study = mw.Study(mw.load(), mw.tasks.ioi(mw.load(), n=2))
    lesson = mw.teach.Lesson("</script><img src=x onerror=alert(1)>")
    pick = lesson.pick("best", "Which <b>one</b>?", study)
    pick.commit("L0H1")
    pick.reveal()
    cards = pick, lesson.choice("sum", "How many?", ["one", "two"], lambda: 0), lesson.progress
    path = mw.export_html(tmp_path / "cards.html", *cards, title="Cards")
    context = browser.new_context(viewport={"width": 1000, "height": 900}, offline=True)
    page = context.new_page()
    misdeeds: list[str] = []
    page.on("pageerror", lambda error: misdeeds.append(str(error)))
    page.on("console", lambda it: misdeeds.append(it.text) if it.type != "log" else None)
    page.goto(path.as_uri())
    done, asked = page.locator(CARD).all()
    expect(done.locator(".mw-qprompt")).to_have_text("Which <b>one</b>?")
    expect(done.locator(".mw-qverdict")).to_contain_text("L0H1")
    expect(done.locator(".mw-cell[data-state=exact]")).to_have_count(24)
    asked.get_by_text("two").click()
    expect(asked.locator(".mw-qsaid")).to_have_text(
        "This is a copy. Committing needs the notebook."
    )
    expect(asked.get_by_role("button", name="Commit")).to_have_attribute("aria-disabled", "true")
    expect(page.locator(PROGRESS)).to_contain_text("1 of 2 answered")
    context.close()
    assert misdeeds == []
