"""What the set-up relies on: pins for all we name, and stamps that notice a change."""

import tomllib
from itertools import chain
from pathlib import Path

import pytest
import setup
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
NAMED = [*PROJECT["dependencies"], *chain(*EXTRAS.values())]


@pytest.mark.parametrize("requirement", NAMED)
def test_what_is_named_is_pinned_within_its_range(requirement: str) -> None:
    named = Requirement(requirement)
    assert named.specifier.contains(setup._pin(named.name))


def test_a_package_without_a_pin_is_an_error() -> None:
    with pytest.raises(setup.SetupError, match="no version of nonsense"):
        setup._pin("nonsense")


def test_torch_is_pinned_without_a_build() -> None:
    assert "+" not in setup._pin("torch")


def test_a_stamp_holds_until_an_input_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "VENV", tmp_path)
    stamp = setup.Stamp("step", {"pins": "a", "python": "3.11"})
    assert not stamp.holds()
    stamp.set()
    assert setup.Stamp("step", {"pins": "a", "python": "3.11"}).holds()
    assert not setup.Stamp("step", {"pins": "b", "python": "3.11"}).holds()
    assert not setup.Stamp("other", {"pins": "a", "python": "3.11"}).holds()


def test_an_unknown_build_of_torch_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setenv("TORCH", "metal")
    with pytest.raises(setup.SetupError, match="TORCH=metal is not known"):
        setup.install_torch()
