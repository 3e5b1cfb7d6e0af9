"""Only a browser that the tests can use counts as a Chromium."""

import sys
from pathlib import Path

import chromium
import pytest

BROWSER = 'echo "Chromium 140.0.7339.80 built on Debian"'
# What Ubuntu's package of that name puts on the PATH, and what a snap says of itself.
STUB = 'echo "requires the chromium snap to be installed: snap install chromium" >&2; exit 10'
SNAP = 'echo "Chromium 140.0.7339.80 snap"'


def program(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No browser anywhere; programs put into this folder are on the PATH."""
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "none"))
    monkeypatch.setattr(chromium, "MACOS", str(tmp_path / "{0}"))
    return tmp_path


def test_the_named_one_comes_first(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(nowhere / "chromium", BROWSER)
    named = program(nowhere / "elsewhere" / "mine", BROWSER)
    monkeypatch.setenv("CHROMIUM", str(named))
    assert chromium.find() == named


def test_a_named_one_that_does_not_start_is_refused(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(nowhere / "chromium", BROWSER)
    monkeypatch.setenv("CHROMIUM", str(nowhere / "missing"))
    with pytest.raises(chromium.ChromiumError, match="missing does not start"):
        chromium.find()


def test_the_path_is_searched(nowhere: Path) -> None:
    expected = program(nowhere / "google-chrome", 'echo "Google Chrome 140.0.7339.80"')
    assert chromium.find() == expected


@pytest.mark.parametrize("script", [STUB, SNAP, "exit 1", "echo hello"])
def test_a_stub_is_passed_over(nowhere: Path, script: str) -> None:
    program(nowhere / "chromium", script)
    expected = program(nowhere / "chromium-browser", BROWSER)
    assert chromium.find() == expected


def test_a_program_below_snap_is_passed_over(nowhere: Path) -> None:
    inside = program(nowhere / "snap" / "bin" / "chromium", BROWSER)
    (nowhere / "chromium").symlink_to(inside)
    with pytest.raises(chromium.ChromiumError):
        chromium.find()


@pytest.mark.parametrize(
    ("debian", "command"),
    [(True, "apt-get install chromium"), (False, f"{sys.executable} -m playwright install")],
)
def test_where_there_is_none_the_command_is_said(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch, debian: bool, command: str
) -> None:
    assert nowhere.is_dir()
    monkeypatch.setattr(chromium, "_is_debian", lambda: debian)
    with pytest.raises(chromium.ChromiumError, match=command):
        chromium.find()
