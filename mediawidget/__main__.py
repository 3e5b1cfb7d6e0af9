"""`python -m mediawidget`: open a notebook, run the first study, copy or grade the course."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .errors import MediationError

GRADING = """
Runs the teacher's notebook once, then judges every file of answers by the answers that it
computes, and runs the interventions again that a file lists. Each student's order of heads is
undone first. A student owns the kernel, so a file of answers proves nothing: what counts for a
grade belongs in a talk, or in an exam that you watch.
"""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    it = argparse.ArgumentParser(
        prog="python -m mediawidget",
        description="Without arguments: copy the first notebook here and open it in JupyterLab.",
        parents=[_of_jupyterlab()],
    )
    it.add_argument("--check", action="store_true", help="versions, device and a self-check")
    commands = it.add_subparsers(dest="command", metavar="COMMAND")
    words = "JupyterLab (the default)"
    opened = commands.add_parser("open", help=words, parents=[_of_jupyterlab()])
    opened.add_argument("notebook", nargs="?", type=Path, help="a notebook of yours, in place")
    commands.add_parser("study", help="the first study, in the terminal")
    _add_course(commands)
    _add_grade(commands)
    _add_slides(commands)
    it.set_defaults(notebook=None, port=None, token=None, no_browser=False)
    return it


def _of_jupyterlab() -> argparse.ArgumentParser:
    """Options that may stand before and after `open`: without defaults, so that both count."""
    it = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    it.add_argument("--port", type=int, help="of JupyterLab")
    it.add_argument("--token", help="of JupyterLab; an empty one asks for none")
    it.add_argument("--no-browser", action="store_true", help="print JupyterLab's address only")
    return it


def _add_course(commands: Any) -> None:
    words = "copy the course to a folder: notebooks, solutions and the teacher's guide"
    course = commands.add_parser("course", help=words, description=words)
    course.add_argument("folder", nargs="?", type=Path, help="default: course")


def _add_grade(commands: Any) -> None:
    words = "judge students' files of answers"
    grade = commands.add_parser("grade", help=words, description=GRADING)
    grade.add_argument("teacher", type=Path, help="the teacher's notebook of the lesson")
    grade.add_argument("answers", type=Path, nargs="+", help="files of answers, or folders of them")
    grade.add_argument("--csv", type=Path, help="where the table goes")


def _add_slides(commands: Any) -> None:
    words = "run a notebook and write it as slides, one HTML file whose views are live"
    slides = commands.add_parser("slides", help=words, description=words)
    slides.add_argument("notebook", type=Path, help="a file that ends in .ipynb")
    slides.add_argument("out", nargs="?", type=Path, help="default: beside it, ending in .html")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    asked = parser().parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        sys.stdout.reconfigure(errors="replace")
    try:
        return _run(asked)
    except MediationError as error:
        print(error, file=sys.stderr)
        return 1


def _run(asked: argparse.Namespace) -> int:
    if asked.check:
        from .commands import check

        return check.main()
    if asked.command == "study":
        from .commands import study

        return study.main()
    if asked.command == "course":
        from .commands import course

        return course.main(asked.folder)
    if asked.command == "grade":
        from .commands import grade

        return grade.main(asked.teacher, asked.answers, csv=asked.csv)
    if asked.command == "slides":
        from .commands import slides

        return slides.main(asked.notebook, asked.out)
    from .commands import lab

    return lab.main(
        asked.notebook, port=asked.port, token=asked.token, browser=not asked.no_browser
    )


if __name__ == "__main__":
    sys.exit(main())
