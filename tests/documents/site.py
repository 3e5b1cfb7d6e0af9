"""The documentation site as a reader gets it: built as by `make docs`, and what is in its pages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent.parent

#: What a browser fetches by itself; where a reader goes on a click (`a`) is none of it.
LOADS = {
    "audio": ("src",),
    "embed": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
_IN_STYLE = re.compile(r"@import\s+(?:url\()?['\"]?([^'\")\s;]+)|url\(\s*['\"]?([^'\")]+)", re.I)
_IN_SCRIPT = re.compile(
    r"(?:\bfetch|\bimport|\bimportScripts|\bnew (?:Worker|WebSocket|EventSource))"
    r"\(\s*['\"`]([^'\"`]+)"
)


class Built(NamedTuple):
    """A build: its folder, its exit status and what it said."""

    folder: Path
    status: int
    said: str


def build(folder: Path) -> Built:
    """Build the site there, as `make docs` does."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    return Built(folder, done.returncode, done.stdout + done.stderr)


def is_foreign(address: str) -> bool:
    """Whether an address names a host, or a scheme that reaches one."""
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme not in ("", "data", "blob", "about", "javascript")


def fetched(path: Path) -> Iterator[str]:
    """The addresses that a file makes a browser fetch."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        yield from _addresses(_IN_STYLE, text)
    elif path.suffix == ".js":
        yield from _addresses(_IN_SCRIPT, text)
    else:
        yield from _of_markup(BeautifulSoup(text, "html.parser"))


def _of_markup(soup: BeautifulSoup) -> Iterator[str]:
    for attribute, value in _values(soup, LOADS):
        if attribute == "srcset":
            yield from (one.split()[0] for one in value.split(",") if one.strip())
        else:
            yield value
    styles = [tag.get_text() for tag in soup.find_all("style")]
    for style in [*styles, *(str(tag["style"]) for tag in soup.find_all(style=True))]:
        yield from _addresses(_IN_STYLE, style)
    for script in soup.find_all("script"):
        yield from _addresses(_IN_SCRIPT, script.get_text())


def _values(soup: BeautifulSoup, of: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
    """What these attributes of these elements hold."""
    for name, attributes in of.items():
        for tag in soup.find_all(name):
            held = ((attribute, str(tag.get(attribute) or "")) for attribute in attributes)
            yield from ((attribute, value) for attribute, value in held if value)


def _addresses(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for found in pattern.finditer(text):
        yield next(filter(None, found.groups()))


def foreign(folder: Path) -> list[str]:
    """What the files of a folder would fetch from elsewhere."""
    return [
        f"{path.relative_to(folder)}: {address}"
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".html", ".svg", ".css", ".js")
        for address in fetched(path)
        if is_foreign(address)
    ]


def broken(folder: Path, leave_out: Iterable[str] = ()) -> list[str]:
    """Links within a folder of pages that lead to no file, or to no place in one."""
    pages = {path: BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in _pages(folder)}
    places = {path: _places(soup) for path, soup in pages.items()}
    wrong = []
    for path, soup in pages.items():
        if path.name in leave_out:
            continue
        for address in _links(soup):
            parts = urlsplit(address)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.is_file():
                wrong.append(f"{path.relative_to(folder)}: {address}: no such file")
            elif parts.fragment and target in places:
                fragment = unquote(parts.fragment)
                if fragment not in places[target]:
                    wrong.append(f"{path.relative_to(folder)}: {address}: no such place")
    return wrong


def _pages(folder: Path) -> list[Path]:
    return sorted(folder.resolve().rglob("*.html"))


def _places(soup: BeautifulSoup) -> set[str]:
    named = {str(tag["id"]) for tag in soup.find_all(id=True)}
    # Where Material's own links lead: the top of the page, and its menus.
    return named | {str(tag["name"]) for tag in soup.find_all("a", attrs={"name": True})}


def _links(soup: BeautifulSoup) -> Iterator[str]:
    for attribute, value in _values(soup, {**LOADS, "a": ("href",)}):
        if attribute != "srcset" and not is_foreign(value) and not urlsplit(value).scheme:
            yield value
