"""Links lead somewhere; what is outside is https, on a host that everybody can reach."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.documents.pages import LINKED, ROOT, Said, anchors, links, name

#: Hosts that nobody else can reach, and shelves of packages, which differ from place to place.
PRIVATE = re.compile(
    r"(^|\.)(localhost|local|internal|intranet|lan|corp|home|test|invalid|pypi\.org|npmjs\.\w+"
    r"|pythonhosted\.org|anaconda\.org|jsdelivr\.net|unpkg\.com)$"
)


def broken(link: Said) -> str:
    """Why a link leads nowhere, or nothing."""
    parts = urlsplit(link.text)
    if parts.scheme or parts.netloc:
        return _outside(link.text)
    path = (link.path.parent / unquote(parts.path)).resolve() if parts.path else link.path
    if not path.exists():
        return "there is no such file"
    if not path.is_relative_to(ROOT):
        return "this is not in the repository"
    if parts.fragment and path.suffix == ".md":
        site = (ROOT / "docs") in path.parents and (ROOT / "docs") in link.path.parents
        if parts.fragment not in anchors(path, site=site) and not _documented(parts.fragment):
            return "there is no such heading"
    return ""


def _documented(anchor: str) -> bool:
    """Whether it is the anchor that the reference gives a public name."""
    module, _, thing = anchor.rpartition(".")
    return anchor.startswith("mediawidget.") and thing in dir(pkgutil.resolve_name(module))


def _outside(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme == "mailto":
        return ""
    if parts.scheme != "https":
        return "it is not https"
    if (
        parts.username
        or parts.port
        or not re.fullmatch(r"[\w-]+(\.[\w-]+)*\.[a-z]{2,}", parts.netloc)
    ):
        return "this is no public host"
    return "this host is not for everybody" if PRIVATE.search(parts.netloc) else ""


@pytest.mark.parametrize("path", LINKED, ids=name)
def test_its_links_lead_somewhere(path: Path) -> None:
    told = [f"{link}: {why}" for link in links(path) if (why := broken(link))]
    assert not told, "\n".join(told)


def test_links_are_found() -> None:
    assert "LICENSE" not in {link.text for link in links(ROOT / "CONTRIBUTING.md")}
    found = {link.text for link in links(ROOT / "README.md")}
    assert any(target.startswith("docs/") for target in found)
    assert any(target.startswith("examples/") for target in found)


PAGE = """# One & two

## A `code` head, twice
## A `code` head, twice
### Named {#by-hand}

[here](#HERE) ![picture](there.png)

!!! note

    In a box: [out](https://example.org/x).

| table |
| --- |
| [cell](page.md) |
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "page.md"
    path.write_text(PAGE, encoding="utf-8")
    return path


def test_links_in_boxes_tables_and_pictures_are_found(page: Path) -> None:
    found = {link.text for link in links(page)}
    assert found == {"#HERE", "there.png", "https://example.org/x", "page.md"}


def test_headings_have_the_anchors_that_sites_give_them(page: Path) -> None:
    assert anchors(page, site=False) >= {"one--two", "a-code-head-twice", "a-code-head-twice-1"}
    assert anchors(page, site=True) >= {"one-two", "a-code-head-twice_1", "by-hand"}


@pytest.mark.parametrize(
    "target",
    [
        "NOTHING.md",
        "#no-such-heading",
        "CONTRIBUTING.md#no-such-heading",
        "../outside.md",
        "http://example.org",
        "https://localhost/x",
        "https://127.0.0.1/x",
        "https://example.org:8080/x",
        "https://shelf.internal/x",
        "https://pypi.org/project/x",
        "ftp://example.org",
    ],
)
def test_a_link_that_leads_nowhere_is_told(target: str) -> None:
    assert broken(Said(ROOT / "README.md", 1, target))


@pytest.mark.parametrize(
    "target",
    [
        "CONTRIBUTING.md",
        "CONTRIBUTING.md#set-up",
        "docs",
        "https://ndif.us",
        "https://doi.org/10.1/x",
    ],
)
def test_a_link_that_leads_somewhere_is_let_be(target: str) -> None:
    assert not broken(Said(ROOT / "README.md", 1, target))
