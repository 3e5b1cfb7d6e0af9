"""A JupyterLab of our own: nothing of the user's, nothing from the network."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

FLAGS = (
    "--allow-root",
    "--no-browser",
    "--ip=127.0.0.1",
    "--IdentityProvider.token=",
    "--ServerApp.password=",
    "--ServerApp.disable_check_xsrf=True",
    "--ServerApp.port_retries=0",
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
)
SETTINGS: dict[str, dict[str, object]] = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
    # Cells out of sight stay in the page, so that a test finds them.
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}
SECONDS_TO_START = 90


@dataclass(frozen=True)
class Server:
    """A running JupyterLab: its address, and the folder whose notebooks it opens."""

    url: str
    folder: Path
    home: Path

    def forget_theme(self) -> None:
        """Go back to the light theme: JupyterLab keeps the last one chosen."""
        name = "@jupyterlab/apputils-extension/themes.jupyterlab-settings"
        (self.home / "settings" / name).unlink(missing_ok=True)


def serve(home: Path) -> Iterator[Server]:
    """Start JupyterLab with all its folders under ``home``; end it when resumed."""
    folder = home / "notebooks"
    folder.mkdir(parents=True)
    port = _free_port()
    server = Server(f"http://127.0.0.1:{port}", folder, home)
    command = [sys.executable, "-m", "jupyterlab", *FLAGS]
    command += [f"--port={port}", f"--ServerApp.root_dir={folder}"]
    log_file = home / "server.log"
    with log_file.open("w") as log:
        process = subprocess.Popen(
            command,
            env=_environment(home),
            cwd=folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_until_ready(server.url, process, log_file)
            yield server
        finally:
            _end(process)


def _environment(home: Path) -> dict[str, str]:
    settings = home / "settings"
    for plugin, values in SETTINGS.items():
        file = settings / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("JUPYTER")}
    return {
        **inherited,
        "JUPYTER_CONFIG_DIR": str(home / "config"),
        "JUPYTER_DATA_DIR": str(home / "data"),
        "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(settings),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IPYTHONDIR": str(home / "ipython"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/api/status", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the server and its kernels, which share its session and nobody else's."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, how)
        except ProcessLookupError:
            return
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            continue
