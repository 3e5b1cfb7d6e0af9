"""The harness runs what it should, and what is wrong on a page fails."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from tests.documents import pages
from tests.documents.pages import blocks, codes
from tests.documents.test_pages import run

FENCE = "```"


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(pages, "ROOT", tmp_path)

    def write(*parts: str) -> Path:
        path = tmp_path / "page.md"
        path.write_text("\n\n".join(parts).replace("~~~", FENCE), encoding="utf-8")
        return path

    return write


def test_blocks_share_a_namespace_from_top_to_bottom(page: Any) -> None:
    path = page("~~~python\na = 1\n~~~", "text", "~~~python\nb = a + 1\n~~~")
    assert run(path)["b"] == 2


@pytest.mark.parametrize(
    "block",
    [
        "~~~python\n1 / 0\n~~~",
        "~~~py\n1 / 0\n~~~",
        '~~~python title="file.py"\n1 / 0\n~~~',
        "!!! note\n\n    ~~~python\n    1 / 0\n    ~~~",
        "- in a list\n\n    ~~~python\n    1 / 0\n    ~~~",
        "<!--- invisible-code-block: python\n1 / 0\n--->",
        "<!--- invisible-code-block: python\n1 / 0\n-->",
        "~~~pycon\n>>> 1 / 0\n0\n~~~",
        "~~~pycon\n>>> 1 + 1\n3\n~~~",
    ],
)
def test_what_is_wrong_in_a_block_fails(page: Any, block: str) -> None:
    with pytest.raises((ZeroDivisionError, AssertionError)):
        run(page(block))


def test_what_is_marked_is_not_run(page: Any) -> None:
    path = page("<!--- not run: it needs a key -->", "~~~python\n1 / 0\n~~~")
    run(path)
    assert [block.reason for block in blocks(path)] == ["it needs a key"]


def test_a_mark_is_for_the_block_behind_it_alone(page: Any) -> None:
    marked = page(
        "<!--- not run: it needs a key -->",
        "~~~python\n1 / 0\n~~~",
        "<!--- invisible-code-block: python\na = 1\n-->",
        "~~~python\n1 / 0\n~~~",
    )
    assert [block.reason for block in blocks(marked)] == ["it needs a key", ""]
    with pytest.raises(ZeroDivisionError):
        run(marked)


def test_a_mark_without_a_reason_fails(page: Any) -> None:
    with pytest.raises(AssertionError, match="for no reason"):
        run(page("<!--- not run: -->", "~~~python\n1 / 0\n~~~"))


def test_other_languages_are_not_run(page: Any) -> None:
    path = page("~~~console\nmake demo\n~~~", "~~~\n1 / 0\n~~~")
    run(path)
    assert [block.language for block in blocks(path)] == ["console", ""]


def test_code_in_a_table_knows_the_head_of_its_column(page: Any) -> None:
    path = page("| in `mw.search` | is |\n| --- | --- |\n| `eap` | `fast` |")
    assert [(said.text, said.head) for said in codes(path)] == [
        ("mw.search", ""),
        ("eap", "in `mw.search`"),
        ("fast", "is"),
    ]


def test_a_page_starts_in_an_empty_folder(elsewhere: Path) -> None:
    assert Path.cwd() == elsewhere
    assert not list(elsewhere.iterdir())


def test_a_page_reaches_nobody() -> None:
    with socket.socket() as outside, pytest.raises(ConnectionRefusedError, match="asked for"):
        outside.connect(("192.0.2.1", 443))


def test_what_a_page_registers_is_known_there() -> None:
    from mediawidget.mediators import MEDIATORS, Mediator, register

    register(Mediator("of_a_page", "Of a page", "attn_z"))
    assert "of_a_page" in MEDIATORS


def test_and_not_after_it() -> None:
    from mediawidget.mediators import MEDIATORS

    assert "of_a_page" not in MEDIATORS
