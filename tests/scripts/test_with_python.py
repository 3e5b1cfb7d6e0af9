"""with_python.sh takes a Python that is new enough, or says what to do."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "with_python.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without .venv, and a PATH in bin/ with the shell's tools alone."""
    (tmp_path / "scripts").mkdir()
    shutil.copyfile(SCRIPT, tmp_path / "scripts" / SCRIPT.name)
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname", "cat"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    return tmp_path


def install(path: Path, *, starts: bool) -> None:
    """A `python` that is this test's, or one that is too old."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n' if starts else "#!/bin/sh\nexit 1\n")
    path.chmod(0o755)


def run(checkout: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", checkout / "scripts" / SCRIPT.name, "-c", "print('ran', 6 * 7)"],
        env={"PATH": str(checkout / "bin"), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_python_that_is_new_enough_runs(checkout: Path) -> None:
    install(checkout / "bin" / "python3", starts=False)
    install(checkout / "bin" / "python3.12", starts=True)
    assert run(checkout).stdout == "ran 42\n"


def test_the_one_of_venv_comes_first(checkout: Path) -> None:
    install(checkout / ".venv" / "bin" / "python", starts=True)
    assert run(checkout).stdout == "ran 42\n"


def test_a_venv_that_is_broken_is_passed_over(checkout: Path) -> None:
    install(checkout / ".venv" / "bin" / "python", starts=False)
    install(checkout / "bin" / "python3", starts=True)
    assert run(checkout).stdout == "ran 42\n"


def test_where_there_is_none_it_says_what_is_needed(checkout: Path) -> None:
    install(checkout / "bin" / "python3", starts=False)
    answer = run(checkout)
    assert answer.returncode == 1
    assert "needs Python 3.11 or newer" in answer.stderr


def test_a_named_python_that_does_not_start_is_an_error(checkout: Path) -> None:
    install(checkout / "bin" / "python3", starts=True)
    answer = run(checkout, PYTHON="python9")
    assert answer.returncode == 1
    assert "PYTHON=python9 does not start" in answer.stderr
