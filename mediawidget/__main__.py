"""`python -m mediawidget`: open the notebook, run the first study, or check the installation."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from .errors import MediationError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    it = argparse.ArgumentParser(
        prog="python -m mediawidget",
        description="Without arguments: copy the first notebook here and open it in JupyterLab.",
    )
    it.add_argument(
        "command",
        nargs="?",
        choices=("open", "study"),
        default="open",
        help="open: JupyterLab (the default); study: the first study, in the terminal",
    )
    it.add_argument("notebook", nargs="?", type=Path, help="open: a notebook of yours, in place")
    it.add_argument("--check", action="store_true", help="versions, device and a self-check")
    it.add_argument("--port", type=int, help="of JupyterLab")
    it.add_argument("--token", help="of JupyterLab; an empty one asks for none")
    it.add_argument("--no-browser", action="store_true", help="print JupyterLab's address only")
    return it


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
    from .commands import lab

    return lab.main(
        asked.notebook, port=asked.port, token=asked.token, browser=not asked.no_browser
    )


if __name__ == "__main__":
    sys.exit(main())
