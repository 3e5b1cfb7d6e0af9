"""Where a file cannot be written this is said in words, alike for all that is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import mediawidget as mw
from mediawidget import effect_files
from mediawidget.effect_files import writing
from tests.features.made import made

Saved = Callable[[Path], Any]


@pytest.fixture(scope="module")
def saves() -> dict[str, Saved]:
    """What is saved, as it goes into a folder."""
    lm = mw.load()
    study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
    view, effect = mw.HeadGrid(study), study.sweep("head", layers=[1], progress=False)
    lens = mw.lenses.TunedLens(torch.zeros(2, 3, 3), torch.zeros(2, 3))

    def circuit(at: Path) -> Path:
        mw.Circuit([mw.Site("head", 0, head=0)]).save(at / "circuit.json")
        return at

    return {
        "The study": lambda at: study.save(at / "study.json"),
        "The effect": lambda at: effect.save(at / "effect.json"),
        "The effect ": lambda at: effect.save(at / "effect.npz"),
        "The lens": lambda at: lens.save(at / "lens.safetensors"),
        "The autoencoder": lambda at: mw.features.save(made("relu", 4), at / "sae"),
        "The circuit": circuit,
        "The export": lambda at: mw.export_html(at / "view.html", view),
        "The export ": lambda at: view.export(at / "view.csv"),
        "The export  ": lambda at: view.snapshot(at / "view.svg"),
    }


NAMES = (
    *("The study", "The effect", "The effect ", "The lens", "The autoencoder"),
    *("The export", "The export ", "The export  ", "The circuit"),
)


@pytest.mark.parametrize("name", NAMES)
def test_a_place_that_cannot_be_written_is_said_in_words(
    saves: dict[str, Saved], tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").touch()
    places = [tmp_path / "file"]
    # An autoencoder makes its folder, as SAELens does.
    places += [] if name == "The autoencoder" else [tmp_path / "none"]
    for place in places:
        with pytest.raises(mw.MediationError) as error:
            saves[name](place)
        assert error.value.message == f"{name.strip()} cannot be written there."
        assert str(place) in str(error.value.value)
        assert "that can be written to" in error.value.expected
        assert "(" in error.value.fix
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]
    assert saves[name](tmp_path) is not None


def test_a_folder_in_a_files_place_is_refused(tmp_path: Path) -> None:
    lens = mw.lenses.TunedLens(torch.zeros(2, 3, 3), torch.zeros(2, 3))
    with pytest.raises(mw.MediationError, match="The lens cannot be written there"):
        lens.save(tmp_path)


def test_only_what_comes_of_the_place_is_said_so() -> None:
    with pytest.raises(ZeroDivisionError), writing(Path("a"), "The study", "study.save('a')"):
        raise ZeroDivisionError
    assert effect_files.as_path("a") == Path("a")
