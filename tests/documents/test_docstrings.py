"""Every example in a docstring runs, with the names that the reference's front page makes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents.docstrings import Names, Written, codes, run, skipped, written
from tests.documents.names import unknown, unknown_in
from tests.documents.not_run import SKIPPED
from tests.documents.pages import ROOT

WRITTEN = list(written())


@pytest.fixture(scope="module")
def names() -> Iterator[Names]:
    made = Names()
    yield made
    made.close()


@pytest.mark.parametrize("test", WRITTEN, ids=lambda test: test.name)
def test_it_runs(test: Written, names: Names) -> None:
    given = names.of(test)
    failed = run(test, given)
    assert not failed, "\n".join(map(str, failed))
    assert not unknown_in(skipped(test), given)


def test_all_that_is_written_is_found() -> None:
    found = sum(len(re.findall(r"^\s*>>> ", one.text, re.MULTILINE)) for one in WRITTEN)
    files = (ROOT / "mediawidget").rglob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert found == len(re.findall(r"^\W*>>> ", text, re.MULTILINE)) > 200


def test_what_is_skipped_is_listed() -> None:
    marked = {one.name: skipped(one).count("+SKIP") for one in WRITTEN}
    assert {name: n for name, n in marked.items() if n} == SKIPPED


def test_code_in_a_line_names_what_exists() -> None:
    said = list(codes())
    wrong = [f"{one}: {why}" for one in said if (why := unknown(one, {}))]
    assert not wrong, "\n".join(wrong)
    assert len(said) > 60


# ---- The test can fail


def docstring(text: str, *, public: bool = True) -> Written:
    return Written("made.up", "mediawidget.sites", Path(__file__), 0, text, public)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (">>> 1 + 1\n3", "Expected"),
        (">>> mw.Site('head', 3, head=1).label()\n'L3H2'", "Got"),
        (">>> x = 1\n1", "Got nothing"),
        (">>> mw.PromptPair(1, 'b', answer='c', wrong='d')", "MediationError"),
        (">>> Site('head', 3, head=1)", "NameError"),
        (">>> pair.answer\n'John'\n", "Got"),
    ],
)
def test_a_wrong_output_and_an_error_are_told(text: str, why: str, names: Names) -> None:
    test = docstring(text)
    (failed,) = run(test, names.of(test))
    assert why in str(failed)
    assert f"{Path(__file__)}:1 (made.up)" in str(failed)


def test_what_comes_after_an_error_is_run_too(names: Names) -> None:
    test = docstring(">>> 1 / 0\n>>> 2\n3\n>>> 4\n4")
    assert [one.source for one in run(test, names.of(test))] == ["1 / 0\n", "2\n"]


@pytest.mark.parametrize(
    "text",
    [
        ">>> 1 + 1",
        ">>> print('shown')",
        ">>> pair.answer\n'Mary'",
        ">>> np.ones(2)\narray([1., 1.])",
        ">>> study.total\nEffect(...; n=8; ...)",
        ">>> 1 / 0  # doctest: +SKIP",
    ],
)
def test_what_is_right_or_not_shown_is_let_be(text: str, names: Names) -> None:
    test = docstring(text)
    assert not run(test, names.of(test))


def test_what_the_reference_does_not_show_sees_its_module(names: Names) -> None:
    test = docstring(">>> Site('head', 3, head=1).label()\n'L3H1'", public=False)
    assert not run(test, names.of(test))


def test_a_name_is_made_only_if_it_is_asked_for() -> None:
    made = Names()
    assert "study" not in made.of(docstring(">>> pair.answer"))
    assert not made.shared
    given = made.of(docstring(">>> study.total"))
    assert {"study", "lm", "mw"} <= given.keys()
    again = made.of(docstring(">>> study.total"))
    assert again["lm"] is given["lm"] is made.shared["lm"]
    assert again["study"] is not given["study"]


def test_a_wrong_name_in_a_line_is_told(tmp_path: Path) -> None:
    written = tmp_path / "one.py"
    written.write_text('def f():\n    """Such as\n\n    ``mw.Sudy(lm)`` and ``mw.load()``."""\n')
    first, second = codes(tmp_path)
    assert (first.line, first.text) == (4, "mw.Sudy(lm)")
    assert unknown(first, {})
    assert not unknown(second, {})


def test_a_skipped_example_with_a_wrong_keyword_is_told() -> None:
    test = docstring(">>> mw.load('a/b', remot=True)  # doctest: +SKIP")
    assert unknown_in(skipped(test), {})
