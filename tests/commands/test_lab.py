"""The notebook is copied to where it can be saved, and JupyterLab gets the right flags."""

import os
from pathlib import Path

import pytest

from mediawidget import MediationError
from mediawidget.__main__ import main
from mediawidget.commands import lab


def test_the_notebook_is_copied_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    copy = lab.copy_notebook()
    assert copy == tmp_path / lab.NOTEBOOK
    assert copy.read_bytes() == lab.shipped_notebook().read_bytes()
    copy.write_text("mine")
    assert lab.copy_notebook().read_text() == "mine"
    assert "there already" in capsys.readouterr().out


def test_jupyterlab_starts_on_the_notebook_and_serves_the_folder_it_was_called_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    below = lab.lab_command(tmp_path / "a b" / "n.ipynb", None, None, browser=True)
    assert f"--ServerApp.root_dir={tmp_path}" in below
    assert "--LabApp.default_url=/lab/tree/a%20b/n.ipynb" in below
    elsewhere = lab.lab_command(Path("/else/where/n.ipynb"), None, None, browser=True)
    assert "--ServerApp.root_dir=/else/where" in elsewhere
    assert "--LabApp.default_url=/lab/tree/n.ipynb" in elsewhere


def test_the_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    plain = lab.lab_command(Path("/n.ipynb"), None, None, browser=True)
    assert not [flag for flag in plain if flag.startswith(("--port", "--Identity", "--allow"))]
    assert "--no-browser" not in plain

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    asked = lab.lab_command(Path("/n.ipynb"), 9000, "", browser=False)
    expected = {"--allow-root", "--port=9000", "--IdentityProvider.token=", "--no-browser"}
    assert expected <= set(asked)


def test_no_browser_is_started_without_a_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert not lab.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert lab.has_display()


def test_a_missing_jupyterlab_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name else name)
    assert main(["open"]) == 1
    assert 'pip install "mediawidget[lab]"' in capsys.readouterr().err


def test_a_missing_notebook_is_said(tmp_path: Path) -> None:
    with pytest.raises(MediationError, match="no such notebook"):
        lab.main(tmp_path / "missing.ipynb")
