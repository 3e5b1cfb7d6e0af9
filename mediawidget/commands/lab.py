"""Open the notebook in JupyterLab."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from ..errors import MediationError

NOTEBOOK = "01_click_to_patch.ipynb"
# A wheel carries the notebook inside the package; a checkout has it beside the package.
PLACES = (Path(__file__).parents[1] / "examples", Path(__file__).parents[2] / "examples")


def main(
    notebook: Path | None = None,
    *,
    port: int | None = None,
    token: str | None = None,
    browser: bool = True,
) -> int:
    """Open a notebook, by default a copy of the shipped one in a writable folder.

    Args:
        notebook: opened where it is; None copies the shipped one.
        port: None leaves it to JupyterLab (8888, or the next free one).
        token: the password of the server; "" asks for none, None leaves it to JupyterLab.
        browser: False prints the address only; so does a machine without a display.

    Raises:
        MediationError: JupyterLab is not installed, or there is no such notebook.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise MediationError(
            "JupyterLab is not installed in this environment.",
            value=sys.executable,
            expected="jupyterlab beside mediawidget",
            fix=f'{sys.executable} -m pip install "mediawidget[lab]"',
        )
    path = copy_notebook() if notebook is None else notebook
    if not path.is_file():
        raise MediationError(
            "There is no such notebook.",
            value=path,
            expected="a file that ends in .ipynb",
            fix="python -m mediawidget opens a copy of the shipped one",
        )
    command = lab_command(path.resolve(), port, token, browser=browser and has_display())
    print(f"Opening {path} in JupyterLab; Ctrl-C here ends it.", flush=True)
    if os.name == "posix":
        # JupyterLab takes this process's place, so that Ctrl-C and signals reach it directly.
        os.execv(command[0], command)
    return subprocess.run(command, check=False).returncode


def shipped_notebook() -> Path:
    """Where the shipped notebook is."""
    for place in PLACES:
        if (place / NOTEBOOK).is_file():
            return place / NOTEBOOK
    raise MediationError(
        "The notebook is not in this installation.",
        value=NOTEBOOK,
        expected=f"in {PLACES[0]} or {PLACES[1]}",
        fix="install mediawidget from a wheel, or run from a checkout",
    )


def copy_notebook() -> Path:
    """Copy the shipped notebook to where it can be saved; keep an earlier copy as it is."""
    source = shipped_notebook()
    folder = next((f for f in (Path.cwd(), Path.home()) if os.access(f, os.W_OK)), None)
    if folder is None:
        raise MediationError(
            "There is nowhere to copy the notebook to.",
            value=Path.cwd(),
            expected="a folder that you may write to",
            fix="change to such a folder and run this again",
        )
    copy = folder / NOTEBOOK
    if copy.exists():
        print(f"{copy} is there already and is opened as it is.")
    else:
        shutil.copyfile(source, copy)
        print(f"Copied the notebook to {copy}.")
    return copy


def lab_command(path: Path, port: int | None, token: str | None, *, browser: bool) -> list[str]:
    """Return the command that starts JupyterLab on a notebook, given by its full path."""
    here = Path.cwd()
    root = here if path.is_relative_to(here) else path.parent
    # As the start page rather than as a file, so that the printed address leads there too.
    page = quote(path.relative_to(root).as_posix())
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={root}", f"--LabApp.default_url=/lab/tree/{page}"]
    # Nothing here needs the news or the look for updates, and both leave the machine.
    command += ["--LabApp.news_url=None"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    if port is not None:
        command.append(f"--port={port}")
    if token is not None:
        command.append(f"--IdentityProvider.token={token}")
    if not browser:
        command.append("--no-browser")
    return command


def has_display() -> bool:
    """Whether a browser could show itself; it does not as root (Chromium refuses to start)."""
    if sys.platform in ("darwin", "win32"):
        return True
    shown = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return shown and os.geteuid() != 0
