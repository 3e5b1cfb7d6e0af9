"""The page says the ranges that are declared, and the trying-out of them finds what it should."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import pytest
import support

from tests.release.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_page_says_what_is_declared_and_pinned() -> None:
    text = support.PAGE.read_text()
    assert support.declared(text) == text, "run: python scripts/support.py --declared"
    assert "| torch | >=" in text


def test_every_declared_python_is_tried() -> None:
    classified = re.findall(r"Python :: (3\.\d+)", "\n".join(PROJECT["classifiers"]))
    assert tuple(classified) == support.PYTHONS
    assert PROJECT["requires-python"] == f">={support.PYTHONS[0]}"


def test_the_page_has_a_row_that_passed_for_every_declared_python() -> None:
    rows = [line for line in support.PAGE.read_text().splitlines() if line.startswith("| 3.")]
    passed = {support._key(line)[0] for line in rows if re.search(r"\| \d+ passed \|", line)}
    assert passed == set(support.PYTHONS)
    assert not [line for line in rows if "failed" in line or "error" in line]


def test_what_is_run_is_there() -> None:
    assert not [name for name in support.SELECTION if not (ROOT / name).exists()]


def test_a_row_takes_the_place_of_its_own_combination_alone() -> None:
    page = f"before\n{support.BEGIN}\n{support.END}\nafter\n"
    versions = tuple("1" for _ in support.NAMED)
    old = support.Row("3.12.1", "lowest", versions, "1 failed, 9 passed", "2026-01-01")
    other = support.Row("3.11.7", "newest", versions, "10 passed", "2026-01-01")
    new = support.Row("3.12.4", "lowest", versions, "10 passed", "2026-02-01")
    text = support.written(support.written(page, [old, other]), [new])
    assert text.startswith("before\n")
    assert text.endswith("\nafter\n")
    lines = [line for line in text.splitlines() if line.startswith("| 3.")]
    assert lines == [other.line(), new.line()]


def test_a_python_that_does_not_start_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shim = tmp_path / "python3.12"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert support.found_pythons() == {}
    version = ".".join(map(str, sys.version_info[:2]))
    real = tmp_path / "versions" / f"{version}.9" / "bin" / "python"
    real.parent.mkdir(parents=True)
    real.symlink_to(sys.executable)
    assert support.found_pythons() == {version: real}
