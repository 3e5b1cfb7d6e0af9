"""A notebook as slides: one file, its views live, no kernel and no network.

Every markdown cell begins a slide, with the code and the outputs that follow it. The page scrolls
from slide to slide, so that Space and the page keys turn them and all other keys are the views'.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

from ..errors import MediationError
from ..widgets._page import Page
from ..widgets.exports.facts import VERSION
from ..widgets.exports.page import document, facts_of, place_of
from .card import Card

WIDGET = "application/vnd.jupyter.widget-view+json"
CHART = "application/vnd.vegalite"

_STYLE = """
body{max-width:none;padding:0;scroll-snap-type:y proximity}
.slide{box-sizing:border-box;min-height:100vh;margin:0 auto;padding:24px 16px;max-width:960px;
scroll-snap-align:start;border-bottom:1px solid rgba(128,128,128,.3);font-size:16px}
.slide h1{font-size:28px}.slide h2{font-size:22px}
.slide section,.slide .out{font-size:13px;margin:12px 0;overflow-x:auto}
.slide pre{overflow-x:auto;white-space:pre-wrap;font-size:13px}
.slide details{color:#586069}
.slide nav{display:flex;justify-content:space-between;font-size:12px;opacity:.7}
.slide nav a{color:inherit}
footer{max-width:960px;margin:0 auto;padding:0 16px}
@media (prefers-color-scheme:dark){.slide details{color:#a2abb5}}
@media print{.slide{break-after:page;min-height:0}.slide nav{display:none}}
"""
_COMMAND = "python -m mediawidget slides lesson.ipynb lesson.html"


@dataclass
class _Slide:
    """What stands on one slide, as HTML with places for views."""

    parts: list[str] = field(default_factory=list)


def slides(notebook: str | Path, out: str | Path, *, title: str = "") -> Path:
    """Run a notebook and write it as slides whose views are live.

    The notebook runs in this process, in its own folder. A card that nobody answered says that it
    needs the notebook.

    Args:
        notebook: a .ipynb file.
        out: where the page goes, a path that ends in .html.
        title: of the page; default the notebook's name.

    Returns:
        The path.

    Raises:
        MediationError: no such notebook, another ending, a cell that fails, the extra "lab" is not
            installed, or this is called from a notebook, whose names it would overwrite.

    Example:
        >>> mw.teach.slides("lesson.ipynb", "lesson.html")  # doctest: +SKIP
    """
    source, target = Path(notebook), Path(out).absolute()
    _refuse(source, target)
    cells = _cells(source)
    views: list[Page] = []
    made: list[_Slide] = []
    with _in_folder(source.parent), _shell() as run:
        for number, cell in enumerate(cells):
            if cell.cell_type == "markdown" or not made:
                made.append(_Slide())
            if cell.cell_type == "markdown":
                made[-1].parts.append(_markdown(cell.source))
            elif cell.cell_type == "code":
                made[-1].parts.append(_code(cell))
                made[-1].parts.extend(_drawn(output, views) for output in run(cell.source, number))
    facts = facts_of(views[0]) if views else {"version": VERSION}
    page = document(views, title or source.stem, _body(made), facts, _STYLE)
    try:
        target.write_text(page, encoding="utf-8", newline="")
    except OSError as error:
        raise MediationError(
            "The slides cannot be written there.",
            value=f"{target}: {error.strerror or error}",
            expected="a path in a folder that you may write to",
            fix=_COMMAND,
        ) from error
    return Path(out)


def _refuse(source: Path, target: Path) -> None:
    if not source.is_file() or source.suffix != ".ipynb" or target.suffix != ".html":
        raise MediationError(
            "Slides are made from a notebook.",
            value=f"{source} to {target.name}",
            expected="a file that ends in .ipynb, and a path that ends in .html",
            fix=_COMMAND,
        )
    missing = [name for name in ("mistune", "nbformat") if not importlib.util.find_spec(name)]
    if missing:
        raise MediationError(
            "Slides need what JupyterLab brings along.",
            value=", ".join(missing) + " is not installed",
            expected="the extra 'lab'",
            fix='pip install "mediawidget[lab]"',
        )

    from IPython import get_ipython

    if get_ipython() is not None:
        raise MediationError(
            "Slides are made outside of a notebook: running one would overwrite your names.",
            value="a running kernel",
            expected="a terminal",
            fix=f"!{sys.executable} -m mediawidget slides {source} {target.name}",
        )


def _cells(source: Path) -> list[Any]:
    import nbformat

    try:
        return list(nbformat.read(source, as_version=4).cells)  # type: ignore[no-untyped-call]
    except Exception as error:
        raise MediationError(
            "This is no notebook.",
            value=f"{source}: {type(error).__name__}: {error}"[:300],
            expected="a notebook as Jupyter writes it",
            fix="open it in JupyterLab and save it",
        ) from error


@contextmanager
def _in_folder(folder: Path) -> Iterator[None]:
    """Where a notebook's relative paths begin."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _shell() -> Iterator[Callable[[str, int], Sequence[Any]]]:
    """What runs a cell and gives its outputs, what it printed first."""
    from IPython.core.displayhook import CapturingDisplayHook
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    shell = InteractiveShell.instance()
    values = CapturingDisplayHook(shell)  # type: ignore[no-untyped-call]
    shell.display_trap.hook = values

    def run(code: str, number: int) -> Sequence[Any]:
        values.outputs = []
        with capture_output() as caught:
            ran = shell.run_cell(code, store_history=False)  # type: ignore[no-untyped-call]
        error = ran.error_before_exec or ran.error_in_exec
        if error is not None:
            raise MediationError(
                "A cell of the notebook failed.",
                value=f"cell {number}: {type(error).__name__}: {error}"[:300],
                expected="a notebook that runs from top to bottom",
                fix="run it in JupyterLab first",
            ) from error
        said = [{"text/plain": caught.stdout}] if caught.stdout.strip() else []
        shown = [output.data for output in caught.outputs]
        return [*said, *shown, *(value["data"] for value in values.outputs)]

    try:
        yield run
    finally:
        InteractiveShell.clear_instance()


def _drawn(data: dict[str, Any], views: list[Page]) -> str:
    """An output as HTML: a live view where it is one of ours, a chart, a table, or text."""
    drawn = _views_of(data.get(WIDGET, {}).get("model_id", ""))
    if drawn:
        views.extend(drawn)
        return "".join(map(place_of, range(len(views) - len(drawn), len(views))))
    chart = next((data[key] for key in data if key.startswith(CHART)), None)
    if chart is not None and importlib.util.find_spec("vl_convert"):
        import vl_convert

        return f'<div class="out">{vl_convert.vegalite_to_svg(chart)}</div>'
    if "text/html" in data and chart is None:
        return f'<div class="out">{data["text/html"]}</div>'
    if "text/markdown" in data:
        return _markdown(data["text/markdown"])
    return f"<pre>{escape(str(data.get('text/plain', '')))}</pre>"


def _views_of(model: str) -> list[Page]:
    """The view that an output shows, and what stands below a card."""
    from ipywidgets.widgets.widget import _instances

    view = _instances.get(model)
    below = view.below if isinstance(view, Card) else None
    return [it for it in (view, below) if isinstance(it, Page)]


def _markdown(text: str) -> str:
    import mistune

    html = mistune.create_markdown(escape=True, plugins=["table"])(text)
    return str(html)


def _code(cell: Any) -> str:
    """A cell's code, folded; nothing where the notebook hides it."""
    if cell.metadata.get("jupyter", {}).get("source_hidden") or not cell.source.strip():
        return ""
    return f"<details><summary>code</summary><pre>{escape(cell.source)}</pre></details>"


def _body(made: Sequence[_Slide]) -> str:
    pages = []
    for at, slide in enumerate(made, start=1):
        back = f'<a href="#slide-{at - 1}">back</a>' if at > 1 else "<span></span>"
        on = f'<a href="#slide-{at + 1}">next</a>' if at < len(made) else "<span></span>"
        nav = f"<nav>{back}<span>{at} / {len(made)}</span>{on}</nav>"
        pages.append(f'<div class="slide" id="slide-{at}">{"".join(slide.parts)}{nav}</div>')
    return f"<main>{''.join(pages)}</main>"
