"""A wheel and a source distribution as they would be released, made once a run."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.release.closure import environment

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Wheel:
    """A built wheel, and what it says of itself."""

    path: Path

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.path) as wheel:
            return sorted(wheel.namelist())

    def read(self, ending: str) -> bytes:
        """The one file whose name ends so."""
        (name,) = [name for name in self.names() if name.endswith(ending)]
        with zipfile.ZipFile(self.path) as wheel:
            return wheel.read(name)

    def requirements(self, *extras: str) -> list[str]:
        """What its metadata asks for, without extras and with these."""
        told = message_from_bytes(self.read(".dist-info/METADATA")).get_all("Requires-Dist") or []
        core = [line for line in told if "extra ==" not in line]
        asked = [line for line in told for extra in extras if f"extra == '{extra}'" in line]
        return core + [line.partition(";")[0] for line in asked]


def build(source: Path, targets: list[str], into: Path, **environment: str) -> Path:
    """Build with what is installed here, nothing is fetched; the folder of what was made."""
    options = [word for target in targets for word in ("-t", target)]
    command = [sys.executable, "-m", "hatchling", "build", *options, "-d", str(into)]
    answer = subprocess.run(
        command,
        cwd=source,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return into


def install(wheel: Path, python: Path) -> Path:
    """Install the wheel alone, from nowhere else."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    subprocess.run([*pip, "--no-deps", "--quiet", str(wheel)], check=True)
    return python


def the_wheel(folder: Path) -> Wheel:
    (path,) = folder.glob("*.whl")
    return Wheel(path)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, ["sdist", "wheel"], tmp_path_factory.mktemp("built"))


@pytest.fixture(scope="session")
def wheel(built: Path) -> Wheel:
    return the_wheel(built)


@pytest.fixture(scope="session")
def sdist(built: Path) -> Path:
    (path,) = built.glob("*.tar.gz")
    return path


@pytest.fixture
def unpacked(sdist: Path, tmp_path: Path) -> Path:
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / sdist.name.removesuffix(".tar.gz")


@pytest.fixture(scope="session")
def core(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and no extra."""
    folder = tmp_path_factory.mktemp("core")
    return install(wheel.path, environment(folder / "env", wheel.requirements()))


@pytest.fixture(scope="session")
def lab(wheel: Wheel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with the wheel and the extra `lab`."""
    folder = tmp_path_factory.mktemp("lab")
    return install(wheel.path, environment(folder / "env", wheel.requirements("lab")))
