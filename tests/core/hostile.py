"""Hostile values, and what may come of them: an answer, or an error that helps."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.effects import Status
from tests.asking import pair
from tests.engine.cases import lm_of
from tests.small_models import WORDS

FEW = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
POINTS = np.random.default_rng(0).normal(size=(10, 3)) + np.arange(10)[:, None] % 2
HEAD = mw.Site("head", 1, head=1)


@lru_cache
def study_of(n: int = 2) -> mw.Study:
    """Nothing that a test asks of it changes it, but its grids."""
    others = (pair(), pair(corrupt="ant bee owl dog eel"), pair(corrupt="ant bee cat dog owl"))
    return mw.Study(lm_of("gpt2"), others[:n])


@lru_cache
def effect_of(kind: str) -> mw.Effect:
    if kind == "total":
        return study_of(3).total
    if kind == "many":
        return study_of(3).sweep("head", layers=[1], progress=False)
    edit = mw.Zero() if kind == "zero" else mw.Patch()
    return study_of().sweep("head", edit=edit, progress=False)


@lru_cache
def teaching() -> mw.LM:
    return mw.load()


def fresh() -> mw.Study:
    return mw.Study(study_of().lm, study_of().contrast)


@lru_cache
def walked() -> mw.Study:
    """A study of three pairs with two interventions."""
    study = mw.Study(study_of().lm, study_of(3).contrast)
    study.intervene(HEAD)
    study.intervene(mw.Site("mlp_out", 2))
    return study


@lru_cache
def saved() -> Path:
    """Where it is saved, for as long as the tests run."""
    return walked().save(Path(tempfile.mkdtemp()) / "study.json")


class Unhelpful:
    """Has every attribute, and refuses to be asked for any."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __repr__(self) -> str:
        return "Unhelpful()"


# --- what may be given --------------------------------------------------------------------------

numbers = st.one_of(
    st.integers(),
    st.sampled_from([10**400, -(10**30), 2**63, 2**31, -1, 0, 1, 23, 24]),
    st.floats(),
    st.complex_numbers(),
    st.sampled_from([np.int64(1), np.float32(1.5), np.bool_(1), np.uint8(255)]),
)
texts = st.one_of(
    st.text(max_size=8),
    st.sampled_from([*WORDS[:3], "head", "position", "clean", "corrupt", "PIE", " ", "\0", "é\n"]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts, st.binary(max_size=4))
arrays = st.sampled_from(
    [
        *(np.array(3), np.arange(3), np.zeros((2, 2)), np.array([]), np.array(["a"], dtype=object)),
        *(torch.zeros(2), torch.tensor(1), torch.zeros(0), np.full((2, 5, 8), np.nan)),
    ]
)
objects = st.sampled_from(
    [
        *(mw.Patch, mw.Patch(), HEAD, mw.Run("clean"), mw.LogitDiff(), mw.LogitDiff, Unhelpful()),
        *(object(), range(3), slice(1), lambda *_: 0, print, int, ..., NotImplemented),
        *(ValueError("x"), mw, mw.Readout(), {1, 2}, frozenset(), iter([1])),
    ]
)
simple = st.one_of(scalars, arrays, objects)
hashable = scalars
hostile = st.one_of(
    simple,
    st.lists(scalars, max_size=3),
    st.lists(scalars, max_size=2).map(tuple),
    st.dictionaries(hashable, simple, max_size=2),
    st.just([[1]]),
)
jsons = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def answers(ask: Callable[[Any], Any], value: Any) -> Any:
    """What it answers; None where it is refused as it should be."""
    try:
        found = ask(value)
    except mw.MediationError as error:
        helpful(error)
        return None
    sound(found)
    return found


def helpful(error: mw.MediationError) -> None:
    """Every part of it says something, and is read by who reads the message."""
    parts = (error.message, str(error.value), error.expected, error.fix)
    assert all(part in str(error) for part in parts)
    assert all(part.strip() for part in (error.message, error.expected, error.fix))


def sound(found: object) -> None:
    """An effect whose cells are finite where they say that they were run."""
    if isinstance(found, mw.Effect):
        ran = np.isin(found.status, [Status.EXACT, Status.ESTIMATE, Status.IMPLIED_ZERO])
        assert np.isfinite(found.edited[:, :, ran]).all()
        assert np.isnan(found.edited[:, :, ~ran]).all()
        assert np.isfinite(found.bases).all()
