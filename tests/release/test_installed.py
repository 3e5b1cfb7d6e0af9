"""What a user has after `pip install`: without extras, and with the one for JupyterLab."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.release.closure import environment, needed

pytestmark = pytest.mark.slow

#: No file of the project is near, and no variable of the tests' own.
CLEAN = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "HOME": ""}

STUDY = """
import mediawidget as mw
lm = mw.load()
study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
effect = study.sweep("head")
assert effect.status.size == 24 and all(check.ok is not False for check in effect.checks)
"""


def run(python: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(python), *arguments],
        cwd=folder,
        env={**CLEAN, "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def well(answer: subprocess.CompletedProcess[str]) -> str:
    assert answer.returncode == 0, answer.stdout + answer.stderr
    return answer.stdout


def names(requirements: Iterable[str]) -> set[str]:
    return set(needed(requirements))


def test_no_extra_is_in_the_environment_without_extras(core: Path, tmp_path: Path) -> None:
    code = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    found = set(well(run(core, tmp_path, "-c", code)).split())
    assert {"mediawidget", "torch", "nnsight", "anywidget"} <= found
    assert not found & {"jupyterlab", "ipykernel", "scikit-learn", "pytest", "vl-convert-python"}


def test_it_is_the_wheel_that_runs(core: Path, tmp_path: Path) -> None:
    said = well(run(core, tmp_path, "-c", "import mediawidget as m; print(m.__file__)"))
    assert Path(said.strip()).is_relative_to(core.parents[1])


def test_a_study_and_a_view_run_without_extras(core: Path, tmp_path: Path) -> None:
    more = "view = mw.Explorer(study); mw.export_html('a.html', view); view.snapshot('a.svg')"
    well(run(core, tmp_path, "-c", STUDY + more))
    assert (tmp_path / "a.svg").stat().st_size > 10_000
    assert "<script" in (tmp_path / "a.html").read_text()


def test_every_name_is_found_without_extras(core: Path, tmp_path: Path) -> None:
    code = """
import mediawidget as mw
for name in mw.__all__:
    part = getattr(mw, name)
    for inner in getattr(part, "__all__", ()):
        getattr(part, inner)
"""
    well(run(core, tmp_path, "-c", code))


@pytest.mark.parametrize(
    ("code", "extra"),
    [
        ("study.sweep('head'); mw.HeadGrid(study).snapshot('a.png')", "png"),
        ("mw.erasure.leace(study, mw.Site('residual', 3, position='END'))", "probes"),
        ("mw.directions.probe(study, mw.Site('residual', 3, position='END'))", "probes"),
    ],
)
def test_a_missing_extra_is_named_with_the_command(
    core: Path, tmp_path: Path, code: str, extra: str
) -> None:
    answer = run(core, tmp_path, "-c", STUDY + code)
    assert answer.returncode == 1
    assert "MediationError" in answer.stderr
    assert f"mediawidget[{extra}]" in answer.stderr


@pytest.mark.parametrize("command", [["open"], ["slides", "n.ipynb"]])
def test_a_command_without_its_extra_says_which(
    core: Path, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "n.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4}')
    answer = run(core, tmp_path, "-m", "mediawidget", *command)
    assert answer.returncode == 1
    assert "mediawidget[lab]" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_the_self_check_and_the_first_study_pass_without_extras(core: Path, tmp_path: Path) -> None:
    assert "Self-check passed." in well(run(core, tmp_path, "-m", "mediawidget", "--check"))
    assert "total effect" in well(run(core, tmp_path, "-m", "mediawidget", "study"))


def test_the_course_is_copied_out_of_a_wheel(core: Path, tmp_path: Path) -> None:
    well(run(core, tmp_path, "-m", "mediawidget", "course", "unit"))
    assert (tmp_path / "unit" / "00_reading_the_screen.ipynb").is_file()
    assert (tmp_path / "unit" / "messy" / "model.safetensors").is_file()


def test_with_lab_the_self_check_finds_jupyterlab_and_anywidget_in_it(
    lab: Path, tmp_path: Path
) -> None:
    said = well(run(lab, tmp_path, "-m", "mediawidget", "--check"))
    assert "jupyterlab    not installed" not in said
    assert "anywidget is known to JupyterLab" in said


def test_what_is_not_declared_is_missing_in_such_an_environment(tmp_path: Path) -> None:
    """The measure can fail: without torch's requirement there is no torch."""
    python = environment(tmp_path / "env", ["numpy"])
    assert run(python, tmp_path, "-c", "import numpy").returncode == 0
    answer = run(python, tmp_path, "-c", "import torch")
    assert "No module named 'torch'" in answer.stderr
    assert names(["numpy"]) < names(["pandas"])
