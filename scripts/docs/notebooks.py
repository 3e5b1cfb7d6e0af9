"""The notebooks as pages of the site: their text and code, and the file to download.

``examples/course/05_the_ioi_circuit.ipynb`` becomes ``notebooks/course/05_the_ioi_circuit.html``,
written by nbconvert as Markdown, so that the site's own colours, contents and search are its. A
cell that the notebook folds is folded here too, and is not searched: it is how a question computes
its answer.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import DictLoader
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "examples"

_CELLS = r"""{% extends 'markdown/index.md.j2' %}
{% block input %}
{% if cell.metadata.get('jupyter', {}).get('source_hidden') %}
<details class="folded" data-search-exclude markdown>
<summary>{{ cell.source | folded }}</summary>

{{ cell.source | fenced }}

</details>
{% elif cell.source.strip() %}
{{ cell.source | fenced }}
{% endif %}
{% endblock input %}
"""
_CARD = re.compile(r"""lesson\.(?:number|choice|pick|text|do)\(\s*["']([\w-]+)["']""")
_TITLE = re.compile(r"\A# .+\n")
_HEAD = """---
search:
  boost: 0.5
---
{title}
[Download the notebook]({file}){{ download=\"\" }} to run it: its views appear in JupyterLab.
{rest}"""


def notebooks() -> list[Path]:
    """Those that have a page: a teacher's copies, with solutions, have none."""
    return sorted([*EXAMPLES.glob("*.ipynb"), *EXAMPLES.glob("course/*.ipynb")])


def page_of(path: str) -> str:
    """The page of a notebook, both from the top: of the site's sources, of the repository."""
    return "notebooks/" + path.removeprefix("examples/").removesuffix(".ipynb") + ".md"


def on_files(files: Files, *, config: Any) -> Files:
    """Called by MkDocs once it knows its sources: the notebooks' pages and files join them."""
    for path in notebooks():
        name = path.relative_to(ROOT).as_posix()
        content = markdown(path)
        files.append(File.generated(config, f"files/{name}", abs_src_path=str(path)))
        files.append(File.generated(config, page_of(name), content=content))
    return files


def markdown(path: Path) -> str:
    """The page: the title, where the file is, and all cells.

    Raises:
        PluginError: the notebook does not begin with a title.
    """
    name = path.relative_to(ROOT).as_posix()
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    text, _ = _exporter().from_notebook_node(notebook)
    text = text.lstrip()
    title = _TITLE.match(text)
    if title is None:
        raise PluginError(f"{name} does not begin with a title.")
    file = posixpath.relpath(f"files/{name}", posixpath.dirname(page_of(name)))
    return _HEAD.format(title=title[0], file=file, rest=text[title.end() :])


def _exporter() -> Any:
    exporter: Any = MarkdownExporter(  # type: ignore[no-untyped-call]
        extra_loaders=[DictLoader({"cells.md.j2": _CELLS})], template_file="cells.md.j2"
    )
    # A picture stays in the page.
    exporter.register_preprocessor(
        "nbconvert.preprocessors.ExtractOutputPreprocessor", enabled=False
    )
    exporter.register_filter("fenced", _fenced)
    exporter.register_filter("folded", _folded)
    return exporter


def _fenced(source: str) -> str:
    """Code between more backticks than it has itself."""
    longest = max((len(ticks) for ticks in re.findall(r"`{3,}", source)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}python\n{source.strip()}\n{fence}"


def _folded(source: str) -> str:
    """What a folded cell is."""
    asked = ", ".join(_CARD.findall(source))
    return f"A question, {asked}: how its answer is computed" if asked else "Code, folded"
