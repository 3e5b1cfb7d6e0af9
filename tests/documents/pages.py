"""What the documents hold: their blocks of code, code in the text, links and headings."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from sybil import Document, Region
from sybil.evaluators.doctest import DocTestEvaluator
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.abstract import AbstractCodeBlockParser
from sybil.parsers.abstract.doctest import DocTestStringParser
from sybil.parsers.markdown.lexers import DirectiveInHTMLCommentLexer, RawFencedCodeBlockLexer

ROOT = Path(__file__).parents[2]
#: What is run, block by block.
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
#: Whose links are followed too.
LINKED = [
    *(*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"),
    ROOT / "examples" / "course" / "README.md",
    *sorted((ROOT / "benchmarks").glob("*.md")),
]
NOT_RUN = re.compile(r"<!--+\s*not run:\s*((?:(?!-->).)*?)\s*--+>\s*\Z", re.DOTALL)
#: Another file, put in its place when the site is built.
INCLUDED = re.compile(r"<!-- include: (\S+) -->")
#: The head of a box or a tab of the site; what belongs to it is indented by four.
BOX = re.compile(r"^(?:!!!|\?\?\?\+?|===) ")


def name(path: Path) -> str:
    """Where a page is, from the top: `docs/guides/which-heads.md`."""
    return path.relative_to(ROOT).as_posix()


# ---- Blocks


@dataclass(frozen=True)
class Block:
    """A fenced block: the language, the text, and why it is not run (empty: it is)."""

    path: Path
    line: int
    language: str
    source: str
    reason: str = ""

    @property
    def is_python(self) -> bool:
        return self.language in {"python", "py", "python3", "pycon"}

    def __str__(self) -> str:
        return f"{name(self.path)}:{self.line}"


FENCES = RawFencedCodeBlockLexer(re.compile(r"[ \t]*(?P<language>[\w+-]*)[^\n]*\n"))
HIDDEN = DirectiveInHTMLCommentLexer("invisible-code-block", "python")


def blocks(path: Path) -> Iterator[Block]:
    """All fenced blocks of a page, of any language, from top to bottom."""
    document = Document(path.read_text(encoding="utf-8"), str(path))
    for region in FENCES(document):
        yield _block(document, region)


def _block(document: Document, region: Region) -> Block:
    said = NOT_RUN.search(document.text[: region.start])
    if said is not None and not said[1]:
        raise AssertionError(f"{document.path}: a block is not run for no reason")
    line = document.text.count("\n", 0, region.start) + 1
    source = str(region.lexemes["source"])
    language = str(region.lexemes["language"])
    return Block(Path(document.path), line, language, source, said[1] if said else "")


class PythonBlocks(AbstractCodeBlockParser):
    """Finds what is run: Python blocks that are not marked, and hidden ones."""

    def __init__(self) -> None:
        super().__init__([FENCES, HIDDEN], "python", PythonEvaluator())
        self._typed = DocTestStringParser(DocTestEvaluator())

    def __call__(self, document: Document) -> Iterable[Region]:
        for region in self.lexers(document):
            if "language" in region.lexemes:
                block = _block(document, region)
                if not block.is_python or block.reason:
                    continue
            region.parsed = region.lexemes["source"]
            region.evaluator = self._evaluator
            if region.parsed.lstrip().startswith(">>>"):
                for typed in self._typed(region.parsed, document.path):
                    typed.adjust(region, region.parsed)
                    yield typed
            else:
                yield region


# ---- Text


@dataclass(frozen=True)
class Said:
    """A piece of the text: code in a line, the target of a link, or a heading."""

    path: Path
    line: int
    text: str
    #: Of code in a table: the head of its column.
    head: str = ""

    def __str__(self) -> str:
        return f"{name(self.path)}:{self.line}: {self.text}"


def _tokens(text: str) -> list[Token]:
    return MarkdownIt("commonmark", {"html": True}).enable("table").parse(_flat(text))


def _flat(text: str) -> str:
    """The text with boxes and tabs taken apart, line for line."""
    lines: list[str] = []
    depth = 0
    for line in text.splitlines():
        bare = line
        while depth and bare.strip() and not line.startswith("    " * depth):
            depth -= 1
        bare = line[4 * depth :]
        if BOX.match(bare):
            depth += 1
            lines.append("")
        else:
            lines.append(bare)
    return "\n".join(lines)


def _inline(path: Path) -> Iterator[tuple[int, str, Token]]:
    """Each piece of text, its line, and the head of its column if it is in a table."""
    heads: list[str] = []
    column, in_head, line = 0, False, 1
    for token in _tokens(path.read_text(encoding="utf-8")):
        if token.map is not None:
            line = token.map[0] + 1
        match token.type:
            case "thead_open":
                heads, in_head = [], True
            case "thead_close":
                in_head = False
            case "tr_open":
                column = 0
            case "table_close":
                heads = []
            case "th_close" | "td_close":
                column += 1
            case "inline":
                if in_head:
                    heads.append(token.content)
                in_cell = not in_head and column < len(heads)
                yield line, heads[column] if in_cell else "", token


def codes(path: Path) -> Iterator[Said]:
    """Code within the text."""
    for line, head, token in _inline(path):
        for child in token.children or ():
            if child.type == "code_inline":
                yield Said(path, line, child.content, head)


def links(path: Path) -> Iterator[Said]:
    """Where links and pictures lead."""
    for line, _, token in _inline(path):
        for child in token.children or ():
            target: Any = {"link_open": "href", "image": "src"}.get(child.type)
            if target is not None:
                yield Said(path, line, str(child.attrs[target]))


def anchors(path: Path, *, site: bool) -> set[str]:
    """The anchors of a page, as the site makes them or as GitHub does."""
    found: dict[str, int] = {}
    page = path.read_text(encoding="utf-8")
    text = INCLUDED.sub(lambda told: (ROOT / told[1]).read_text(encoding="utf-8"), page)
    tokens = _tokens(text)
    for opened, said in pairwise(tokens):
        if opened.type != "heading_open":
            continue
        named = re.search(r"\{[^}]*#([\w-]+)[^}]*\}\s*$", said.content)
        children = said.children or ()
        words = "".join(one.content for one in children if one.type in {"text", "code_inline"})
        slug = named[1] if named and site else (_site if site else _github)(words)
        again = found.get(slug, 0)
        found[slug] = again + 1
        if again:
            found[f"{slug}_{again}" if site else f"{slug}-{again}"] = 1
    explicit = re.findall(r"<\w+[^>]*\s(?:id|name)=\"([^\"]+)\"", text)
    return {*found, *explicit}


def _github(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def _site(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
