"""The documentation site: built without a warning, whole, and without anything from elsewhere."""

from __future__ import annotations

import importlib.util
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
    for path in site.folder.rglob("*.html"):
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


def test_an_example_of_a_docstring_is_code() -> None:
    readable = hook("docstrings").readable
    text = "One line.\n\n>>> a = 1\n>>> a\n1\n\nArgs:\n    b, c: two.\n\nExample:\n    >>> f(1)\n"
    said = readable(text)
    assert "```pycon\n>>> a = 1\n>>> a\n1\n```" in said
    assert "    b: two.\n    c: two.\n" in said
    assert "Examples:\n    >>> f(1)" in said


def test_the_gallery_shows_every_example() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    for path in hook("gallery").examples():
        assert f"<!-- example: {path.stem}, " in text
        assert f'mw.export_html("{path.stem}.html", ' in path.read_text(encoding="utf-8")
