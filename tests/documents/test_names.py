"""What holds code that is not run to the package can fail."""

from __future__ import annotations

from pathlib import Path

import pytest

import mediawidget as mw
from tests.documents.names import unknown, unknown_in
from tests.documents.pages import Said


def said(text: str, head: str = "") -> Said:
    return Said(Path(__file__), 1, text, head)


@pytest.mark.parametrize(
    "source",
    [
        "mw.Sudy(lm, pair)",
        "mw.serach.eap(study)",
        "mw.search.eap(study, step=20)",
        "mw.search.eap()",
        "study.swep('head')",
        "study.sweep('head', windows=3)",
        "study = mw.Study(lm, pair)\nstudy.sweep('head').tops(5)",
        "lm = mw.load('a/b', remot=True)",
        "lm = mw.load('a/b')\nlm.layers",
        "mw.Study.open('x.json', lm)",
        "grid = mw.HeadGrid(study)\ngrid.snap()",
        "[mw.Site('head', layers=1) for layer in range(3)]",
        "def page(n):\n    return mw.tasks.ioi(lm, pairs=n)",
    ],
)
def test_a_wrong_name_or_keyword_in_a_block_is_told(source: str) -> None:
    assert unknown_in(source, {})


@pytest.mark.parametrize(
    "source",
    [
        "study = mw.Study(lm, pair, metric=mw.LogitDiff())\nstudy.sweep('head').top(5)",
        "lm = mw.load('meta-llama/Llama-3.1-70B', remote=True)\nlm.n_layers, lm.remote.traffic",
        "mw.search.eap(study, steps=20)",
        "mw.tasks.ioi(lm, **options)",
        "lm = other(thing)\nlm.whatever(1)",
        "[lm.whatever for lm in models]",
        "study.save('x.json')\nmw.Study.load('x.json', lm)",
    ],
)
def test_a_right_block_is_let_be(source: str) -> None:
    assert unknown_in(source, {}) == []


@pytest.mark.parametrize(
    "text", ["mw.search.epa", "study.swep()", "mw.search.eap(setps=)", "mw.search.", "effect.q()"]
)
def test_a_wrong_name_in_a_line_is_told(text: str) -> None:
    assert unknown(said(text), {})


@pytest.mark.parametrize(
    "text", ["mw.search.eap(steps=)", "lm.whatever(", "x.y", "study.history", "mw.…", "eap"]
)
def test_what_is_right_or_not_ours_is_let_be(text: str) -> None:
    assert not unknown(said(text), {})


def test_names_in_a_column_are_of_what_its_head_says() -> None:
    assert not unknown(said("eap", "in `mw.search`"), {})
    assert unknown(said("epa", "in `mw.search`"), {})


def test_what_the_page_made_is_looked_at() -> None:
    site = mw.Site("head", layer=3, head=1)
    assert not unknown(said("site.layer"), {"site": site})
    assert unknown(said("site.layers"), {"site": site})
    assert unknown_in("site.layers", {"site": site})
