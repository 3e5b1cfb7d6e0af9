"""Versions are pinned, files are known by their hashes, and licences are those that may ship."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import licences
import lock
import pytest
import setup

from tests.release.closure import needed
from tests.release.conftest import ROOT

JS = json.loads((ROOT / "js" / "package-lock.json").read_text())
PINS = lock.pins(lock.CONSTRAINTS.read_text())


def installed_by_the_set_up() -> dict[str, str]:
    """What .venv has of what the set-up installs; tools that somebody added are left out."""
    found = needed([f"mediawidget[{','.join(lock.EXTRAS)}]", *lock.TOOLS])
    return {name: told.version for name, told in found.items() if name != "mediawidget"}


def test_whatever_the_set_up_installs_is_pinned_and_is_that_version() -> None:
    found = installed_by_the_set_up()
    plain = {
        name: version.partition("+")[0]
        for name, version in found.items()
        if name == "torch" or not lock.OF_TORCH.fullmatch(name)
    }
    assert len(plain) > 150
    assert {name: PINS.get(name) for name in plain} == plain


def test_the_lock_has_what_is_pinned() -> None:
    assert not lock.problems(), "run: python scripts/lock.py"


def test_every_file_is_known_by_its_hash_and_by_no_address() -> None:
    text = lock.LOCK.read_text()
    locked = lock.blocks(text)
    assert set(locked) == set(lock.pins(text))
    for name, block in locked.items():
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\n", block), name
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text


def test_a_lock_out_of_step_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("a==1 \\\n    --hash=sha256:0\nb==2 \\\n    --hash=sha256:0\n")
    (tmp_path / "pins").write_text("# torch\nA==1.5\nc_d==3\ntorch==2\n")
    monkeypatch.setattr(lock, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(lock, "CONSTRAINTS", tmp_path / "pins")
    assert lock.problems() == [
        "a is pinned to 1.5, locked to 1",
        "b is locked, not pinned",
        "c-d is pinned, not locked",
    ]


def a_wheel(folder: Path) -> Path:
    path = folder / "little-1-py3-none-any.whl"
    told = "little-1.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("little.py", "")
        wheel.writestr(f"{told}/METADATA", "Metadata-Version: 2.1\nName: little\nVersion: 1\n")
        wheel.writestr(f"{told}/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        wheel.writestr(f"{told}/RECORD", "")
    return path


@pytest.mark.parametrize("tampered", [False, True])
def test_the_set_up_takes_no_file_of_another_hash(
    tampered: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    digest = hashlib.sha256(a_wheel(tmp_path).read_bytes()).hexdigest()
    if tampered:
        with zipfile.ZipFile(a_wheel(tmp_path), "a") as wheel:
            wheel.writestr("more.py", "")
    (tmp_path / "lock").write_text(f"little==1 \\\n    --hash=sha256:{digest}\n")
    monkeypatch.setattr(lock, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(setup, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "LOG", tmp_path / "log")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_TARGET", str(tmp_path / "target"))
    if tampered:
        with pytest.raises(setup.SetupError, match="DO NOT MATCH THE HASHES"):
            setup.run_locked("little", lock.usual())
    else:
        setup.run_locked("little", lock.usual())
        assert (tmp_path / "target" / "little.py").is_file()


def test_every_package_of_npm_is_known_by_its_hash() -> None:
    packages = {name: told for name, told in JS["packages"].items() if name}
    assert len(packages) > 50
    assert not [name for name, told in packages.items() if "integrity" not in told]
    assert not [name for name, told in packages.items() if "resolved" in told]


def test_no_address_of_an_index_is_in_the_repository() -> None:
    found = subprocess.run(
        ["git", "grep", "-nIE", "(index-url|registry|find-links)[ =:\"']+(https?|file)://"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not found.stdout


def test_the_page_of_licences_is_up_to_date() -> None:
    assert licences.PAGE.read_text() == licences.page(), "run: python scripts/licences.py"


def test_whatever_npm_brings_into_a_bundle_is_listed_with_its_licence(tmp_path: Path) -> None:
    """None is in ours today: the reading is tried on two, of which one leaves no byte."""
    for name in ("@scope/used", "unused"):
        folder = tmp_path / "node_modules" / name
        folder.mkdir(parents=True)
        (folder / "package.json").write_text(
            json.dumps({"name": name, "version": "1.2.3", "license": "GPL-3.0-only"})
        )
        (folder / "LICENSE.md").write_text("the words")
    inputs = {
        "src/a.ts": {"bytesInOutput": 9},
        "node_modules/@scope/used/deep/a.js": {"bytesInOutput": 5},
        "node_modules/unused/b.js": {"bytesInOutput": 0},
    }
    (found,) = licences.packages_of({"a.js": {"inputs": inputs}}, tmp_path)
    assert found == ("@scope/used", "1.2.3", "GPL-3.0-only", "the words")


def test_a_licence_that_is_not_permissive_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = licences.Bundled("bad", "1", "GPL-3.0-only", "")
    monkeypatch.setattr(licences, "bundled", lambda: [bad])
    with pytest.raises(SystemExit, match="bad is under GPL"):
        licences.page()


def test_data_of_which_nothing_is_said_stops_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(licences, "DATA", licences.DATA[1:])
    with pytest.raises(SystemExit, match="nothing is said of mediawidget/models/teaching"):
        licences.data_files()


def test_the_front_end_has_no_font_and_fetches_nothing() -> None:
    styles = list((ROOT / "js" / "src").rglob("*.css"))
    assert styles
    for path in styles:
        assert not re.search(r"@font-face|@import|url\(\s*['\"]?(?!#)", path.read_text()), path
