"""Hostile arguments of lenses: a right answer, or an error that names the value and the fix."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import lenses
from tests.core.hostile import HEAD, study_of
from tests.hostile_arguments import Call, assert_all_asked, assert_helped, few

TRAINING: dict[str, Any] = {"steps": 1, "rate": 0.003, "seed": 0}
READING: dict[str, Any] = {"position": None, "runs": ("clean",), "layers": [1], "lens": None}


def study() -> mw.Study:
    return study_of(3)


@lru_cache
def lens() -> lenses.TunedLens:
    return lenses.tuned_lens(study().lm, study().contrast, steps=1)


@lru_cache
def saved() -> Path:
    return lens().save(Path(tempfile.mkdtemp()) / "lens.safetensors")


def written(path: Any) -> Any:
    """Not to a text, for that is a file here."""
    return None if isinstance(path, str | bytes) else lens().save(path)


def trained(lm: Any, prompts: Any, steps: Any, rate: Any, seed: Any) -> Any:
    return lenses.tuned_lens(lm, prompts, steps=steps, rate=rate, seed=seed)


def telling(told: Any) -> Any:
    """To no function of anything else, for what that raises is its own."""
    told = None if callable(told) else told
    return lenses.tuned_lens(study().lm, study().contrast, steps=1, told=told)


CALLS: dict[str, Callable[[], Call]] = {
    "kl_to_final": lambda: (
        lenses.kl_to_final,
        {"lm": study().lm, "prompts": study().contrast, "lens": lens()},
    ),
    "logit_lens": lambda: (lenses.logit_lens, {"study": study(), **READING}),
    "logit_lens of a run": lambda: (
        lambda run: lenses.logit_lens(study(), runs=["clean", run]),
        {"run": "corrupt"},
    ),
    "tuned_lens": lambda: (
        few(trained, "steps"),
        {"lm": study().lm, "prompts": study().contrast, **TRAINING},
    ),
    "tuned_lens of a prompt": lambda: (
        lambda prompt: lenses.tuned_lens(study().lm, ["ant bee", prompt], steps=1),
        {"prompt": "ant bee cat"},
    ),
    "tuned_lens that tells": lambda: (telling, {"told": None}),
    "LensReading.to_dataframe": lambda: (
        lenses.logit_lens(study(), layers=[1]).to_dataframe,
        {"level": 0.95},
    ),
    "TunedLens": lambda: (
        lambda weight, bias: lenses.logit_lens(study(), lens=lenses.TunedLens(weight, bias)),
        {"weight": lens().weight, "bias": lens().bias},
    ),
    "TunedLens.load": lambda: (lenses.TunedLens.load, {"path": saved()}),
    "TunedLens.moved": lambda: (
        lens().moved,
        {"layer": 1, "stream": torch.zeros(study().lm.d_model, dtype=study().lm.dtype)},
    ),
    "TunedLens.save": lambda: (written, {"path": saved()}),
}

MADE = {
    "LensReading": "made by logit_lens",
    "TunedLens.refuse_other": "what the functions ask of a lens, of a model that they have",
}
"""What nobody makes or asks by hand, and why it is not asked."""


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    assert_helped(CALLS[name]())


def test_nothing_public_is_left_out() -> None:
    assert_all_asked(lenses, CALLS, MADE)


VALID: dict[str, Callable[[], Any]] = {
    "layers of numpy": lambda: lenses.logit_lens(study(), layers=np.arange(2)),  # type: ignore[arg-type]
    "a range of layers": lambda: lenses.logit_lens(study(), layers=range(2)),
    "one text": lambda: lenses.kl_to_final(study().lm, "ant bee cat"),
    "a run": lambda: lenses.logit_lens(study(), runs=[mw.Run("clean", {HEAD: mw.Zero()})]),
}


@pytest.mark.parametrize("name", VALID)
def test_what_is_known_to_be_valid(name: str) -> None:
    assert VALID[name]() is not None
