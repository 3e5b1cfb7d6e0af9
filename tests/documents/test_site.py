"""The documentation site: built without a warning, whole, and without anything from elsewhere."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from bs4 import BeautifulSoup

import mediawidget as mw
from tests.documents.site import ROOT, Built, broken, build, foreign

MODULES = [name for name in mw.__all__ if isinstance(getattr(mw, name), ModuleType)]
#: What is plugged in: documented, though `mw` does not name the modules.
PLUGS = ["mediators", "edits"]
#: These keep their names in the pages of `mw`.
ELSEWHERE = {"edits": set(mw.__all__), "mediators": set()}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("site"))


def hook(name: str) -> ModuleType:
    """One of scripts/docs, which MkDocs loads by their paths too."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# --- the whole site ------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_is_built_without_a_warning(site: Built) -> None:
    assert site.status == 0, site.said
    assert "WARNING" not in site.said
    assert (site.folder / "index.html").is_file()


@pytest.mark.slow
def test_no_file_asks_another_host(site: Built) -> None:
    assert foreign(site.folder) == []


@pytest.mark.slow
def test_no_page_has_what_the_theme_would_fetch_a_script_for(site: Built) -> None:
    pages = list(site.folder.rglob("*.html"))
    assert len(pages) > 40
    for path in pages:
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        assert soup.select(".mermaid, .arithmatex") == [], path


@pytest.mark.slow
def test_every_link_leads_somewhere(site: Built) -> None:
    # A server shows 404.html at any depth, so its links begin at the root.
    assert broken(site.folder, leave_out=["404.html"]) == []


@pytest.mark.slow
def test_every_public_name_is_in_the_reference(site: Built) -> None:
    there: set[str] = set()
    for path in (site.folder / "reference").glob("*.html"):
        soup = BeautifulSoup(path.read_text("utf-8"), "html.parser")
        there |= {str(tag["id"]) for tag in soup.find_all(id=True)}
    wanted = {f"mediawidget.{name}" for name in mw.__all__ if name not in MODULES}
    for module in (*MODULES, *PLUGS):
        names = set(importlib.import_module(f"mediawidget.{module}").__all__)
        wanted |= {f"mediawidget.{module}.{name}" for name in names - ELSEWHERE.get(module, set())}
    assert len(wanted) > 200
    assert sorted(wanted - there) == []


@pytest.mark.slow
def test_every_page_is_reached_from_the_home_page(site: Built) -> None:
    soup = BeautifulSoup((site.folder / "index.html").read_text("utf-8"), "html.parser")
    named = {str(tag["href"]).partition("#")[0] for tag in soup.select("nav a[href]")}
    pages = {path.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for path in _sources()}
    assert sorted(pages - {"index.html"} - named) == []


@pytest.mark.slow
def test_every_notebook_has_a_page_with_all_that_is_in_it(site: Built) -> None:
    found = hook("notebooks").notebooks()
    assert len(found) > 20
    for path in found:
        name = path.relative_to(ROOT)
        page = (site.folder / "notebooks" / name.relative_to("examples")).with_suffix(".html")
        soup = BeautifulSoup(page.read_text("utf-8"), "html.parser").select_one(".md-content")
        assert soup is not None
        (download,) = soup.find_all("a", string="Download the notebook")
        assert (page.parent / str(download["href"])).resolve().read_bytes() == path.read_bytes()
        cells = json.loads(path.read_text("utf-8"))["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code" and cell["source"]]
        shown = [one.get_text().strip() for one in soup.select(".highlight pre")]
        assert {"".join(cell["source"]).strip() for cell in code} <= set(shown), name
        folded = [cell for cell in code if cell["metadata"].get("jupyter", {}).get("source_hidden")]
        assert len(soup.select("details.folded > summary")) == len(folded), name
        # A list is one here and in Jupyter, whose Markdown needs no empty line before it.
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
        assert len(soup.find_all("li")) == len(re.findall(r"^ *(?:[-*]|\d+\.) ", text, re.M)), name
        assert len(soup.find_all("table")) == len(re.findall(r"^\|[ |:-]+\|$", text, re.M)), name


@pytest.mark.slow
def test_what_a_folded_cell_says_is_not_searched(site: Built) -> None:
    text = (site.folder / "search" / "search_index.json").read_text("utf-8")
    assert "Ask two people how important a head is" in text
    assert "Breaking is not restoring backwards: it starts" not in text
    assert len(text) < 2_000_000


@pytest.mark.slow
def test_every_sign_of_a_formula_is_in_the_font_that_comes_along(site: Built) -> None:
    css = (ROOT / "docs" / "assets" / "site.css").read_text("utf-8")
    (ranges,) = re.findall(r"unicode-range:([^;]+);", css)
    signs: set[str] = set()
    for path in site.folder.rglob("*.html"):
        for formula in re.findall(r"<math.*?</math>", path.read_text("utf-8"), re.DOTALL):
            signs |= set(BeautifulSoup(formula, "html.parser").get_text())
    assert "∑" in signs
    assert {sign for sign in signs if not sign.isspace() and not _within(sign, ranges)} == set()


def _within(sign: str, ranges: str) -> bool:
    ends = [part.strip().removeprefix("U+").split("-") for part in ranges.split(",")]
    return any(int(end[0], 16) <= ord(sign) <= int(end[-1], 16) for end in ends)


def test_what_the_site_has_from_others_is_on_the_page_of_licences() -> None:
    page = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
    others = list((ROOT / "docs" / "assets").glob("*.txt"))
    assert len(others) == 2
    for licence in others:
        (file,) = {*licence.parent.glob(f"{licence.stem}.*")} - {licence}
        assert f"`assets/{file.name}`" in page


def _sources() -> list[Path]:
    return sorted((ROOT / "docs").rglob("*.md"))


# --- that these could fail -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://host.example/x.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//host.example/x.css">'),
        ("a.html", '<img srcset="b.png 1x, https://host.example/b.png 2x">'),
        ("a.html", "<style>@import 'https://host.example/x.css'</style>"),
        ("a.html", '<p style="background: url(https://host.example/b.png)">'),
        ("a.css", "@font-face{src:url(https://host.example/f.woff2)}"),
        ("a.js", 'fetch("https://host.example/data")'),
        ("a.svg", '<svg><image href="http://host.example/b.png"/></svg>'),
    ],
)
def test_what_is_fetched_from_elsewhere_is_seen(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    assert len(foreign(tmp_path)) == 1
    assert "host.example" in foreign(tmp_path)[0]


def test_links_of_a_reader_and_files_beside_are_no_fetches(tmp_path: Path) -> None:
    text = (
        '<a href="https://host.example/paper">paper</a><script src="b.js"></script><img src="#x">'
    )
    (tmp_path / "a.html").write_text(text)
    assert foreign(tmp_path) == []


def test_links_that_lead_nowhere_are_seen(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<a href="b.html#here">1</a><a href="b.html#gone">2</a><a href="c.html">3</a><a href="#x">4'
        '</a><a href="https://host.example/">5</a><img src="b.html">'
    )
    (tmp_path / "b.html").write_text('<h2 id="here">here</h2>')
    said = broken(tmp_path)
    assert [line.split(": ")[1] for line in said] == ["b.html#gone", "c.html", "#x"]


# --- what is done while it is built --------------------------------------------------------------


def test_formulas_become_mathml() -> None:
    mathml = hook("mathml")
    inline = mathml.with_mathml(r'<span class="arithmatex">\(Y_{11} &lt; 2\)</span>', "a.md")
    assert "<msub>" in inline
    assert 'display="inline"' in inline
    assert "arithmatex" not in inline
    block = mathml.with_mathml('<div class="arithmatex">\\[a = b\\]</div>', "a.md")
    assert 'display="block"' in block
    lines = r"\begin{aligned} a &= b \\ c &= d \end{aligned}"
    assert mathml.mathml(lines, block=True).count("<mtr>") == 2


@pytest.mark.parametrize("tex", [r"\unheardof{a}", r"\frac{a}{", "a_", "a & b"])
def test_what_is_no_formula_is_said(tex: str) -> None:
    mathml = hook("mathml")
    with pytest.raises(mathml.FormulaError):
        mathml.mathml(tex, block=False)


def test_a_table_of_sentences_becomes_cards_and_one_of_numbers_does_not() -> None:
    carded = hook("tables").carded
    head = "<thead><tr><th>site</th><th>a</th><th>b</th></tr></thead>"
    row = "<tr><td>{0}</td><td>{0}</td><td></td></tr>"
    table = f"<table>{head}<tbody>{row}</tbody></table>"
    assert carded(table.format("1.23")) == table.format("1.23")
    cards = carded(table.format("more than a line of a telephone can hold"))
    assert '<td data-head="a" role="cell">' in cards
    assert cards.startswith('<table data-cards="" role="table">')


def test_a_folded_cell_and_one_with_a_fence_in_it_are_written() -> None:
    notebooks = hook("notebooks")
    assert notebooks._folded('lesson.pick(\n    "which", ...)').startswith("A question, which:")
    assert notebooks._folded("x = 1") == "Code, folded"
    assert notebooks._fenced('x = """\n```\n"""').startswith("````python\n")
    page = notebooks.page_of("examples/course/pre_test.ipynb")
    assert page == "notebooks/course/pre_test.md"


def test_a_page_that_is_exported_otherwise_is_told() -> None:
    gallery = hook("gallery")
    with pytest.raises(gallery.PluginError, match="0 times, not once"):
        gallery.in_look("<html><body></body></html>", "dark")


def test_an_example_of_a_docstring_is_code() -> None:
    readable = hook("docstrings").readable
    text = "One line.\n\n>>> a = 1\n>>> a\n1\n\nArgs:\n    b, c: two.\n\nExample:\n    >>> f(1)\n"
    said = readable(text)
    assert "```pycon\n>>> a = 1\n>>> a\n1\n```" in said
    assert "    b: two.\n    c: two.\n" in said
    assert "Examples:\n    >>> f(1)" in said


def test_the_gallery_shows_every_example() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    examples = list(hook("gallery").examples())
    assert len(examples) > 5
    for path in examples:
        assert f"<!-- example: {path.stem}, " in text
        assert f'mw.export_html("{path.stem}.html", ' in path.read_text(encoding="utf-8")
