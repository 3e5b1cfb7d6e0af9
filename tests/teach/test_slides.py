"""A notebook as slides: live views in one file, nothing fetched, errors in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

CELLS = (
    ("markdown", "# One <script>alert(1)</script>\n\n| a | b |\n|---|---|\n| 1 | 2 |"),
    ("code", "import mediawidget as mw\nlesson = mw.teach.Lesson('Slides')\nprint('said')"),
    ("code", "lesson.choice('c', 'Which?', ['a', 'b'], lambda: 1, after='SECRET' + 'LY')"),
    ("markdown", "## Two"),
    ("code", "mw.GatePlayground('OR')"),
    ("code", "1 < 2, '<b>bold</b>'"),
    ("code", "lesson.report()"),
)


def notebook(path: Path, *cells: tuple[str, str], hidden: bool = False) -> Path:
    made = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    for kind, source in cells:
        cell = getattr(nbformat.v4, f"new_{kind}_cell")(source)
        if hidden:
            cell.metadata["jupyter"] = {"source_hidden": True}
        made.cells.append(cell)
    nbformat.write(made, path)  # type: ignore[no-untyped-call]
    return path


def slides(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mediawidget", "slides", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_slide_is_a_markdown_cell_with_what_follows_it(tmp_path: Path) -> None:
    run = slides(notebook(tmp_path / "one.ipynb", *CELLS))
    assert run.returncode == 0, run.stderr
    page = (tmp_path / "one.html").read_text()
    first, second = page.split('<div class="slide"')[1:]
    assert "<h1>One" in first
    assert "<table>" in first
    assert "said" in first
    assert 'id="view-0"' in first
    assert 'id="view-1"' in second
    assert "lambda: 1" in first  # the code, folded
    assert "<script>alert" not in page
    assert "&lt;b&gt;bold" in second
    assert "SECRETLY" not in page
    assert "default-src 'none'" in page
    assert 'src="http' not in page


@pytest.mark.slow
def test_hidden_code_stays_hidden_and_a_failing_cell_is_named(tmp_path: Path) -> None:
    cells = (("markdown", "# One"), ("code", "x = 'in no slide'"))
    path = notebook(tmp_path / "two.ipynb", *cells, hidden=True)
    assert slides(path, tmp_path / "out.html").returncode == 0
    assert "in no slide" not in (tmp_path / "out.html").read_text()
    failing = notebook(tmp_path / "three.ipynb", *cells, ("code", "1 / 0"))
    run = slides(failing)
    assert run.returncode == 1
    assert "cell 2: ZeroDivisionError" in run.stderr
    assert not (tmp_path / "three.html").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["no.ipynb", "text.ipynb", "page.md"])
def test_what_is_no_notebook_is_refused(name: str, tmp_path: Path) -> None:
    if name != "no.ipynb":
        (tmp_path / name).write_text("no notebook")
    run = slides(tmp_path / name)
    assert run.returncode == 1
    assert "notebook" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.slow
def test_slides_that_cannot_be_written_say_so(tmp_path: Path) -> None:
    run = slides(
        notebook(tmp_path / "one.ipynb", ("markdown", "# One")), tmp_path / "no" / "a.html"
    )
    assert run.returncode == 1
    assert "cannot be written there" in run.stderr
    assert "Traceback" not in run.stderr
