"""The page says the ranges that are declared, and the trying-out of them finds what it should."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from itertools import chain
from pathlib import Path

import pytest
import support
from packaging.requirements import Requirement
from packaging.version import Version

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


def test_the_page_has_a_row_that_passed_for_every_combination() -> None:
    rows = [line for line in support.PAGE.read_text().splitlines() if line.startswith("| 3.")]
    passed = {support._key(line) for line in rows if re.search(r"\| \d+ passed \|", line)}
    assert passed == {(python, end) for python in support.PYTHONS for end in support.ENDS}
    assert len(rows) == len(passed)


def test_the_lowest_versions_are_the_declared_bounds() -> None:
    asked = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    bounds: dict[str, Version | None] = {}
    for requirement in map(Requirement, asked):
        least = [one.version for one in requirement.specifier if one.operator == ">="]
        bounds.setdefault(requirement.name, Version(least[0]) if least else None)
    rows = [line for line in support.PAGE.read_text().splitlines() if "| lowest |" in line]
    assert rows
    for line in rows:
        cells = [cell.strip() for cell in line.split("|")[3:]]
        for name, version in zip(support.NAMED, cells, strict=False):
            assert Version(version) == bounds[name], f"{name} in {line}"


def test_what_is_run_is_there() -> None:
    assert not [name for name in support.SELECTION if not (ROOT / name).exists()]


def test_the_page_names_the_files_that_are_run() -> None:
    part = support.PAGE.read_text().partition(support.SELECTED)[2].partition(support.END)[0]
    assert tuple(re.findall(r"- `(.*)`", part)) == support.SELECTION


@pytest.mark.parametrize(
    ("said", "status", "outcome", "clean"),
    [
        ("9 passed, 3 deselected, 2 warnings in 1.00s", 0, "9 passed", True),
        ("1 failed, 9 passed in 1.00s", 1, "1 failed, 9 passed", False),
        ("9 passed, 1 skipped in 1.00s", 0, "9 passed, 1 skipped", False),
        ("9 passed, 1 error in 1.00s", 1, "9 passed, 1 error", False),
        ("9 passed in 1.00s", 3, "9 passed, pytest ended with 3", False),
        ("3 deselected in 1.00s", 5, "pytest ended with 5", False),
        ("", 0, "no test ran", False),
        ("0 passed", 0, "0 passed", False),
    ],
)
def test_only_all_passed_is_clean(said: str, status: int, outcome: str, clean: bool) -> None:
    assert support.outcome(f"....\n{said}" if said else "", status) == outcome
    assert _row(outcome=outcome).clean is clean


def test_combinations_are_all_or_those_asked_for() -> None:
    every = [(each, end) for each in ("3.11", "3.13") for end in ("lowest", "newest")]
    assert support.combinations([], ["3.11", "3.13"]) == every
    assert support.combinations(["3.13-lowest"], ["3.11", "3.13"]) == [("3.13", "lowest")]
    with pytest.raises(SystemExit, match=r"no 3\.12-lowest; on this machine: 3\.11-lowest"):
        support.combinations(["3.12-lowest", "3.11-newest"], ["3.11", "3.13"])
    with pytest.raises(SystemExit, match="none of Python"):
        support.combinations([], [])


def test_a_failure_is_a_row_and_the_status(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One environment fails its tests, one cannot be made, one is clean: real runs of pytest."""
    page = tmp_path / "support.md"
    page.write_text(support.PAGE.read_text())
    good, bad = tmp_path / "test_good.py", tmp_path / "test_bad.py"
    good.write_text("def test_it():\n    assert True\n")
    bad.write_text(good.read_text() + "def test_other():\n    assert False\n")
    monkeypatch.setattr(support, "PAGE", page)
    version = ".".join(map(str, sys.version_info[:2]))
    monkeypatch.setattr(support, "found_pythons", lambda: {version: Path(sys.executable)})
    monkeypatch.setattr(support, "make", lambda *_: Path(sys.executable))

    def status(selection: Path) -> int:
        monkeypatch.setattr(support, "SELECTION", (str(selection),))
        monkeypatch.setattr(sys, "argv", ["support.py", f"{version}-newest"])
        return support.main()

    assert status(bad) == 1
    assert "| 1 failed, 1 passed |" in page.read_text()
    assert "test_other" in capfd.readouterr().out
    assert status(good) == 0
    assert "| 1 passed |" in page.read_text()
    assert "failed" not in page.read_text().partition(support.BEGIN)[2].partition(support.END)[0]

    def no_make(*_: object) -> Path:
        raise subprocess.CalledProcessError(1, ["uv", "pip", "install"])

    monkeypatch.setattr(support, "make", no_make)
    assert status(good) == 1
    assert "| did not install |" in page.read_text()


def test_a_run_that_hangs_ends_in_a_row(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "test_slow.py"
    slow.write_text("import time\n\ndef test_it():\n    time.sleep(600)\n")
    monkeypatch.setattr(support, "SELECTION", (str(slow),))
    monkeypatch.setattr(support, "LIMIT", 3)
    done = support.tested(Path(sys.executable), "newest")
    assert done.outcome.startswith("did not end in")
    assert not done.clean


def _row(outcome: str) -> support.Row:
    return support.Row("3.12.1", "lowest", tuple("1" for _ in support.NAMED), outcome, "2026-01-01")


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
