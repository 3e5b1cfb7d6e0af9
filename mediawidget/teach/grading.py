"""Grading: the teacher's notebook runs once, and judges every student's file of answers.

A student owns the kernel: a file of answers can be written by hand, times and all, and one that
lists runs whose numbers come back shows that somebody ran them, not who. So a grade from here is
credit for work, not proof of it.
"""

from __future__ import annotations

import copy
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import MediationError, require
from .judging import COLUMNS

TIMEOUT = 600
"""Seconds that a cell of the teacher's notebook may take."""
FIRST = "from mediawidget.teach.judging import InKernel\n_judge = InKernel(get_ipython(), {!r})"
LAST = "_judge.tell({!r})"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def grade(teacher: str | Path, answers: Sequence[str | Path] | str | Path) -> pd.DataFrame:
    """Judge files of answers by the answers that a teacher's notebook computes.

    The notebook runs in a kernel of its own, in a folder of its own that shows what lies beside
    it. Every student's order of heads is undone before a pick or a run is looked at. What is in the
    files is data: it is never executed.

    Args:
        teacher: the lesson's notebook, which is trusted.
        answers: files that lessons wrote, or folders in which they are looked for; in a folder,
            those of other lessons are passed over.

    Returns:
        A row per file and question, one per file for its runs (kind "runs": do the numbers that
        the student saw come back?), and one for a file that cannot be judged. ``right`` is None
        where nothing was answered or people judge; ``note`` says what is odd. How many files of
        other lessons were passed over is in ``attrs["passed over"]``.

    Raises:
        MediationError: no notebook, one that fails, one without a lesson, or no answers.

    Example:
        >>> mw.teach.grade("teacher/01_one_intervention.ipynb", ["submitted"])  # doctest: +SKIP
    """
    given, found = _paths(answers)
    body = _run(_notebook(Path(teacher)), Path(teacher), [str(path) for path in [*given, *found]])
    over = {row["file"] for row in body["rows"] if row.get("other")} & {str(it) for it in found}
    rows = [row for row in body["rows"] if row["file"] not in over]
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(object)
    table = table.where(table.notna(), None)
    table.attrs["passed over"] = len(over)
    return table


def write_table(table: pd.DataFrame, path: str | Path) -> Path:
    """Write what ``grade`` gave as CSV, with nothing in it that a spreadsheet would execute.

    Raises:
        MediationError: it cannot be written there.
    """
    path = Path(path)
    try:
        table.map(_cell).to_csv(path, index=False, encoding="utf-8")
    except OSError as error:
        raise MediationError(
            "The table cannot be written there.",
            value=f"{path}: {error.strerror or error}",
            expected="a file in a folder that you may write to",
            fix="--csv grades.csv",
        ) from error
    return path


def shown(text: object) -> str:
    """A text from a student's file, without characters that steer a terminal."""
    return "".join(
        c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in str(text)
    )


def _cell(value: Any) -> Any:
    """A value as it may stand in a table that is opened as a spreadsheet."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = shown(value if isinstance(value, str) else json.dumps(value))
    return f"'{text}" if text.startswith(_FORMULA) else text


def _paths(answers: Sequence[str | Path] | str | Path) -> tuple[list[Path], list[Path]]:
    """Files that were named, and files that were found in folders."""
    several = [Path(it) for it in ([answers] if isinstance(answers, str | Path) else answers)]
    given = [path.absolute() for path in several if not path.is_dir()]
    found = [
        path.absolute()
        for folder in several
        if folder.is_dir()
        for path in sorted(folder.rglob("*.json"))
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    require(
        bool(given or found),
        "There is nothing to grade.",
        value=[str(it) for it in several],
        expected="files of answers, or folders with some",
        fix="python -m mediawidget grade teacher/01_one_intervention.ipynb submitted",
    )
    return given, found


def _notebook(path: Path) -> Any:
    try:
        import nbformat
    except ImportError as error:
        raise _no_lab() from error
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise MediationError(
            "The teacher's notebook cannot be read.",
            value=f"{path}: {type(error).__name__}: {error}"[:300],
            expected="a file that ends in .ipynb",
            fix="python -m mediawidget course writes the course's",
        ) from error


def _run(notebook: Any, teacher: Path, paths: list[str]) -> dict[str, Any]:
    """Run the notebook with the grader's cells around it; what these told."""
    with tempfile.TemporaryDirectory() as own:
        asked, told = Path(own) / "asked.json", Path(own) / "told.json"
        asked.write_text(json.dumps(paths), encoding="utf-8")
        place = _show_beside(teacher, Path(own))
        _execute(_with_judge(notebook, str(asked), str(told)), teacher, place)
        body: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    require(
        bool(body["lessons"]),
        "The teacher's notebook has no lesson.",
        value=str(teacher),
        expected="a notebook that makes one: lesson = mw.teach.Lesson(...)",
        fix="the teacher's notebook of the lesson, not another one",
    )
    return body


def _with_judge(notebook: Any, asked: str, told: str) -> Any:
    """The notebook with the grader's first and last cell."""
    run = copy.deepcopy(notebook)
    for cell in run.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            # Its tests are of a student's work, cards too, and nobody answered those here.
            cell.metadata.tags = [*cell.metadata.get("tags", []), "raises-exception"]
    ends = [_code(FIRST.format(asked)), _code(LAST.format(told))]
    run.cells = [ends[0], *run.cells, ends[1]]
    return run


def _code(source: str) -> Any:
    from nbformat.v4 import new_code_cell

    return new_code_cell(source)  # type: ignore[no-untyped-call]


def _execute(notebook: Any, teacher: Path, place: Path) -> None:
    try:
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
    except ImportError as error:
        raise _no_lab() from error
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        resources={"metadata": {"path": str(place)}},
        extra_arguments=["--log-level=40"],
    )
    try:
        client.execute()
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        raise MediationError(
            "The teacher's notebook does not run, so there is nothing to judge by.",
            value=f"{teacher}: {_why(error)}",
            expected="a notebook with its solutions that runs from top to bottom",
            fix="run it in JupyterLab",
        ) from error


def _show_beside(teacher: Path, own: Path) -> Path:
    """A folder in which the notebook finds what lies beside and above it, but no answers."""
    folder = teacher.absolute().parent
    place = own / "course" / folder.name
    place.mkdir(parents=True)
    _show(folder, place)
    _show(folder.parent, place.parent)
    return place


def _show(folder: Path, place: Path) -> None:
    for path in folder.iterdir():
        to = place / path.name
        if path.name == "answers" or path.name.startswith(".") or to.exists():
            continue
        try:
            to.symlink_to(path)
        except OSError:  # a system that lets only administrators link
            if path.is_file():
                shutil.copyfile(path, to)
            else:
                shutil.copytree(path, to)


def _why(error: BaseException) -> str:
    """What stopped a notebook, in a line."""
    if hasattr(error, "ename"):
        return f"{error.ename}: {error.evalue}"[:300]  # type: ignore[attr-defined]
    return f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}"[:300]


def _no_lab() -> MediationError:
    return MediationError(
        "Grading runs a notebook, and what runs notebooks is not installed.",
        value="nbclient",
        expected="nbclient and ipykernel beside mediawidget",
        fix='pip install "mediawidget[lab]"',
    )
