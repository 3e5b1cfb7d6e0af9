"""The guide for those who run a class or a server: what it names is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import mediawidget as mw

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "remote.md"
COURSE = ROOT / "examples" / "course" / "README.md"


def section(path: Path) -> str:
    """What a file says of servers."""
    text = path.read_text(encoding="utf-8")
    found = re.search(r"^(#+) [^\n]*(fits no laptop|do not fit)\n(.*?)(?=^\1 )", text, re.M | re.S)
    return found[3] if found else text


@pytest.mark.parametrize("path", [GUIDE, COURSE], ids=lambda path: path.parent.name)
def test_its_links_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", section(path))
    assert targets
    for target in targets:
        assert target.startswith("https://") or (path.parent / target).exists(), target


@pytest.mark.parametrize("path", [GUIDE, COURSE], ids=lambda path: path.parent.name)
def test_the_functions_it_names_exist(path: Path) -> None:
    names = set(re.findall(r"\bmw((?:\.\w+)+)", section(path)))
    assert len(names) > 1
    for name in names:
        thing = mw
        for part in name.strip(".").split("."):
            thing = getattr(thing, part)


def test_what_it_says_does_not_work_is_what_is_refused() -> None:
    from tests.remoting.test_refusals import ANSWERED, REFUSED

    guide = GUIDE.read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| not on a server \|.*?\n\n", guide, flags=re.M | re.S)
    rows = re.findall(r"^\| (`.*?) \| (.*?) \|$", table, flags=re.M)
    assert len(rows) > 5
    for refused, instead in rows:
        for name in re.findall(r"`(?:study\.|mw\.)?([\w.]+)`", refused):
            assert any(one.split(".")[-1] == name.split(".")[-1] for one in REFUSED), name
        said = re.findall(r"`(?:study\.|mw\.)?([\w.]+)`", instead)
        assert [one for one in said if one in ANSWERED or one == "save"] == said
