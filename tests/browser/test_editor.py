"""The prompt editor in JupyterLab: what is typed is read by the model, and applied to the study."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, Locator, expect

from tests.browser.notebook import Notebook

START = """
import mediawidget as mw
lm = mw.load()
study = mw.Study(lm, mw.PromptPair(
    clean="When Mary and John went to the store, John gave a book to",
    corrupt="When Mary and John went to the store, Mary gave a book to",
    answer="Mary", wrong="John"))
mw.PromptEditor(study)
"""
CLEAN = "When Daniel and Robert went to the station, Robert gave a drink to"
CORRUPT = "When Daniel and Robert went to the station, Daniel gave a drink to"
TEXTS = "[study.contrast[0].clean, study.contrast[0].corrupt, study.contrast[0].answer]"


@pytest.fixture
def editor(notebook: Notebook) -> Locator:
    notebook.open_cells([START])
    notebook.run_all()
    root = notebook.page.locator(".mw[aria-label='Prompt editor']").first
    expect(root.get_by_label("Clean prompt")).to_have_value(re.compile("^When Mary"))
    return root


def field(editor: Locator, name: str) -> Locator:
    return editor.get_by_label(name, exact=True)


def said(editor: Locator, name: str) -> Locator:
    return editor.locator(f".mw-edit-{name} .mw-said")


def test_tokens_align_as_one_types_and_apply_changes_the_study(
    editor: Locator, notebook: Notebook
) -> None:
    expect(said(editor, "corrupt")).to_have_text("1 token differs, of 15")
    expect(editor.locator(".mw-edit-clean .mw-differs")).to_have_count(1)
    field(editor, "Clean prompt").fill(CLEAN)
    expect(said(editor, "corrupt")).to_contain_text("tokens differ")
    field(editor, "Corrupt prompt").fill(CORRUPT)
    expect(said(editor, "corrupt")).to_have_text("1 token differs, of 15")
    pick = editor.locator(".mw-edit-answer .mw-pick").first
    expect(pick).to_contain_text("Daniel")
    pick.click()
    expect(field(editor, "Answer")).to_have_value("Daniel")
    editor.locator(".mw-edit-wrong .mw-pick").first.click()
    editor.get_by_role("button", name="Apply").click()
    expect(editor.get_by_text("as it is in the study")).to_be_visible()
    assert notebook.value(TEXTS) == [CLEAN, CORRUPT, "Daniel"]
    top = notebook.value(
        f"__import__('mediawidget.drafts').drafts.next_tokens(lm, {CLEAN!r})[0][1]"
    )
    assert f"{100 * top:.0f}%" in pick.inner_text()


def test_every_mistake_stands_beside_its_field_and_changes_nothing(
    editor: Locator, notebook: Notebook
) -> None:
    before = notebook.value(TEXTS)
    field(editor, "Corrupt prompt").fill("When Mary and Zork went to the store")
    expect(said(editor, "corrupt")).to_contain_text("Zork")
    field(editor, "Answer").fill("")
    expect(said(editor, "answer")).to_contain_text("missing")
    field(editor, "Wrong answer").fill("<img src=x onerror=window.__hurt=1>")
    expect(said(editor, "wrong")).to_contain_text("<img src=x")
    expect(editor.get_by_role("button", name="Apply")).to_be_disabled()
    notebook.page.keyboard.press("Enter")
    assert notebook.value(TEXTS) == before
    assert editor.locator("img").count() == 0
    editor.get_by_role("button", name="Revert").click()
    expect(said(editor, "corrupt")).to_have_text("1 token differs, of 15")


def test_unequal_lengths_and_answers_of_several_tokens_are_said(editor: Locator) -> None:
    field(editor, "Corrupt prompt").fill("When Mary went to the store, Mary gave a book to")
    expect(said(editor, "corrupt")).to_contain_text("15 against 13 tokens")
    expect(editor.locator(".mw-edit-corrupt .mw-gap")).to_have_count(2)
    field(editor, "Wrong answer").fill("John Mary")
    expect(said(editor, "wrong")).to_contain_text("2 tokens, read one after the other")
    expect(editor.get_by_role("button", name="Apply")).to_be_enabled()


def test_a_task_and_a_file_are_loaded_and_swap_exchanges(
    editor: Locator, notebook: Notebook
) -> None:
    field(editor, "Number of pairs").fill("5")
    editor.get_by_label("Task").select_option("ioi")
    editor.get_by_role("button", name="Load task").click()
    expect(editor.get_by_role("button", name="Apply to pair 1 of 5")).to_be_visible()
    assert notebook.value("[len(study.contrast), study.contrast.name]") == [5, "IOI, swap"]
    first = notebook.value("study.contrast[0].clean")
    editor.get_by_role("button", name="Swap").click()
    expect(field(editor, "Corrupt prompt")).to_have_value(first)
    table = f'clean,corrupt,answer,wrong\n"{CLEAN}","{CORRUPT}",Daniel,Robert\n'
    chosen: FilePayload = {"name": "mine.csv", "mimeType": "text/csv", "buffer": table.encode()}
    editor.locator("input[type=file]").set_input_files(chosen)
    expect(field(editor, "Clean prompt")).to_have_value(CLEAN)
    assert notebook.value("study.contrast.name") == "mine"
    table = "clean,corrupt\na,b\n"
    bad: FilePayload = {"name": "bad.csv", "mimeType": "text/csv", "buffer": table.encode()}
    editor.locator("input[type=file]").set_input_files(bad)
    expect(editor.get_by_role("alert")).to_contain_text("lacks 'answer'")
    assert notebook.value("study.contrast.name") == "mine"


@pytest.mark.parametrize("dark", [False, True])
def test_a_load_asks_before_edits_are_lost_and_is_undone(
    editor: Locator, notebook: Notebook, dark: bool
) -> None:
    notebook.set_dark(dark)
    before = notebook.value(TEXTS)
    field(editor, "Clean prompt").fill(CLEAN)
    load = editor.get_by_role("button", name="Load task")
    load.click()
    asked = editor.get_by_role("group", name="Edits are not applied")
    for width in (480, 768):
        notebook.set_width(width)
        notebook.picture(f"editor-asks-{'dark' if dark else 'light'}-{width}", editor)
        assert not editor.evaluate("(el) => el.scrollWidth > el.clientWidth + 1")
    found = notebook.accessibility_violations(".mw[aria-label='Prompt editor']")
    assert not found, "\n".join(found)
    notebook.page.keyboard.press("Enter")  # the focus is on the one that loses nothing
    expect(asked).to_be_hidden()
    expect(field(editor, "Clean prompt")).to_have_value(CLEAN)
    assert notebook.value(TEXTS) == before
    load.click()
    editor.get_by_role("button", name="Load, and lose them").click()
    undo = editor.get_by_role("button", name="Prompts before")
    expect(undo).to_be_visible()
    assert notebook.value("len(study.contrast)") == 16
    undo.click()
    expect(undo).to_be_hidden()
    assert notebook.value(TEXTS) == before


def test_the_explorers_prompts_fold_out(notebook: Notebook) -> None:
    notebook.open_cells([START.replace("PromptEditor", "Explorer")])
    notebook.run_all()
    root = notebook.page.locator(".mw[aria-label='Explorer']").first
    before = notebook.value(TEXTS)
    root.get_by_role("button", name="Edit the prompts").click()
    expect(field(root, "Clean prompt")).to_be_focused()
    field(root, "Clean prompt").fill(CLEAN)
    field(root, "Corrupt prompt").fill(CORRUPT)
    field(root, "Answer").fill("Daniel")
    field(root, "Wrong answer").fill("Robert")
    root.get_by_role("button", name="Apply").click()
    expect(root.locator(".mw-prompts")).to_contain_text("Daniel")
    assert notebook.value(TEXTS) == [CLEAN, CORRUPT, "Daniel"]
    expect(root.locator(".mw-metric")).to_contain_text("logit(Daniel)")
    root.get_by_role("button", name="Prompts before").click()
    expect(root.locator(".mw-prompts")).not_to_contain_text("Daniel")
    expect(field(root, "Clean prompt")).to_have_value(before[0])
    assert notebook.value(TEXTS) == before
    notebook.page.keyboard.press("Tab")
    root.get_by_role("button", name="Edit the prompts").click()
    expect(root.locator(".mw-editor")).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True])
def test_pictures_of_the_editor(editor: Locator, notebook: Notebook, dark: bool) -> None:
    notebook.set_dark(dark)
    field(editor, "Wrong answer").fill("Johnny")
    expect(said(editor, "wrong")).not_to_be_empty()
    for width in (480, 768):
        notebook.set_width(width)
        notebook.picture(f"editor-{'dark' if dark else 'light'}-{width}", editor)
        clipped = editor.evaluate("(el) => el.scrollWidth > el.clientWidth + 1")
        assert not clipped
    found = notebook.accessibility_violations(".mw[aria-label='Prompt editor']")
    assert not found, "\n".join(found)
