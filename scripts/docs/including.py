"""Documents of the repository in the site, and links from the site into the repository.

``<!-- include: benchmarks/RESULTS.md -->`` puts a document into a page, its headings one level
down. A link of any page to a file outside docs/ (a notebook, a source) leads to a copy of it under
``files/``, or to the page that includes it whole, so that the same link works in the repository, on
a server and on a disk. A link to a notebook leads to its page (notebooks.py).
"""

from __future__ import annotations

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

LOG = logging.getLogger("mkdocs.hooks.including")
ROOT = Path(__file__).resolve().parent.parent.parent

# Documents of the repository that a page includes whole: a link to one leads to that page.
_PAGES = {"CHANGELOG.md": "changelog.md", "examples/course/README.md": "course.md"}

_INCLUDE = re.compile(r"^<!-- include: (?P<path>\S+) -->$", re.MULTILINE)
_HEADING = re.compile(r"^(#{1,5} )", re.MULTILINE)
_FENCE = re.compile(r"^(?P<fence>```+|~~~+).*?^(?P=fence)[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?P<text>\[(?:[^\[\]]|\[[^\]]*\])*\])\((?P<target>[^)\s]+)\)")
_FOREIGN = re.compile(r"^([a-z][a-z0-9+.-]*:|#|/)", re.IGNORECASE)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Called by MkDocs with each page's Markdown."""
    folder = posixpath.dirname(page.file.src_uri)
    home = _home(page.file.src_uri)
    text = _outside_code(markdown, lambda part: _linked(part, home, folder, files, config))
    return _INCLUDE.sub(lambda found: _included(found["path"], folder, files, config), text)


def _home(uri: str) -> str:
    """The folder from which the links of a page lead: of its source, here or in a notebook."""
    folder = posixpath.dirname(uri)
    written = (ROOT / "docs" / uri).is_file()
    return f"docs/{folder}" if written else f"examples{folder.removeprefix('notebooks')}"


def _included(path: str, folder: str, files: Any, config: Any) -> str:
    source = ROOT / path
    if not source.is_file():
        LOG.warning("There is no %s to include.", path)
        return ""
    text = source.read_text(encoding="utf-8")
    home = posixpath.dirname(path)

    def changed(part: str) -> str:
        return _linked(_HEADING.sub(r"#\1", part), home, folder, files, config)

    return _outside_code(text, changed)


def _linked(text: str, home: str, folder: str, files: Any, config: Any) -> str:
    """The text with links that are relative to `home` made to lead from the page's `folder`."""

    def changed(found: re.Match[str]) -> str:
        target = found["target"]
        if _FOREIGN.match(target):
            return found[0]
        path, hash_, anchor = target.partition("#")
        where = posixpath.normpath(posixpath.join(home, path))
        if where in _PAGES and not hash_:
            uri = _PAGES[where]
        elif where.startswith("docs/"):
            uri = where.removeprefix("docs/")
        elif (ROOT / where).is_file():
            uri = _copied(where, files, config)
        elif (ROOT / where).is_dir():
            return found["text"][1:-1]
        else:
            return found[0]  # MkDocs says that it leads nowhere
        return f"{found['text']}({posixpath.relpath(uri, folder or '.')}{hash_}{anchor})"

    return _LINK.sub(changed, text)


def _copied(where: str, files: Any, config: Any) -> str:
    """The place in the site of a file of the repository, which is put there, or its page."""
    # As notebooks.py names them.
    page = f"notebooks/{where.removeprefix('examples/').removesuffix('.ipynb')}.md"
    if files.get_file_from_path(page) is not None:
        return page
    uri = f"files/{where}"
    if uri.endswith(".md"):
        uri += ".txt"  # not a page of the site
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / where)))
    return uri


def _outside_code(text: str, change: Any) -> str:
    """The text, changed where it is not code."""
    parts, at = [], 0
    for found in _spans(text):
        parts += [change(text[at : found[0]]), text[found[0] : found[1]]]
        at = found[1]
    return "".join([*parts, change(text[at:])])


def _spans(text: str) -> list[tuple[int, int]]:
    """Where fenced blocks stand."""
    return [found.span() for found in _FENCE.finditer(text)]
