"""Every Python block of README.md and docs runs: top to bottom, one namespace a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sybil import Sybil

from tests.documents.names import unknown, unknown_in
from tests.documents.not_run import NOT_RUN
from tests.documents.pages import PAGES, PythonBlocks, blocks, codes, name

SYBIL = Sybil([PythonBlocks()], pattern="*.md")


def run(path: Path) -> dict[str, Any]:
    """Run a page; return the names that it leaves."""
    document = SYBIL.parse(path)
    # Classes and functions of a page say where they are from, as those of a notebook do.
    document.namespace["__name__"] = "__main__"
    for example in document.examples():
        example.evaluate()
    return document.namespace


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=name)
def test_it_runs(path: Path) -> None:
    namespace = run(path)
    wrong = [f"{said}: {why}" for said in codes(path) if (why := unknown(said, namespace))]
    for block in blocks(path):
        if block.is_python and block.reason:
            wrong += [f"{block}: {why}" for why in unknown_in(block.source, namespace)]
    assert not wrong, "\n".join(wrong)


def test_what_is_not_run_is_listed() -> None:
    found: dict[str, int] = {}
    for path in PAGES:
        marked = [block for block in blocks(path) if block.is_python and block.reason]
        if marked:
            found[name(path)] = len(marked)
    assert found == NOT_RUN
