"""A loopback is closed and another opened, as a kernel is restarted: what is kept is of use."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.loading import TEACHING_MODEL
from mediawidget.remote import Loopback
from tests.small_models import random_model, tokenizer_of

SITE = mw.Site("head", 3, head=1)


def random_lm(seed: int = 0, dtype: torch.dtype = torch.float32) -> mw.LM:
    return mw.load(random_model("gpt2", dtype, seed=seed), tokenizer=tokenizer_of("gpt2"))


def name_of(lm: mw.LM) -> str:
    with Loopback(lm) as server:
        return mw.load(server.model, remote=server).name


def test_a_study_that_was_saved_goes_on_in_the_next_session(tmp_path: Path) -> None:
    with Loopback(mw.load()) as first:
        lm = mw.load(first.model, remote=first)
        study = mw.Study(lm, mw.tasks.ioi(lm, n=1))
        known = study.intervene(SITE)
        study.save(tmp_path / "study.json")
        assert lm.name == first.name == "loopback/teaching"
        assert mw.HeadGrid(study).view["model"]["name"] == "loopback/teaching"
    saved = json.loads((tmp_path / "study.json").read_text())
    assert saved["study"]["model"]["name"] == "loopback/teaching"
    assert "/tmp" not in json.dumps(saved["study"]["model"])
    with Loopback(mw.load()) as second:
        assert second.host != first.host
        lm = mw.load(second.model, remote=second)
        again = mw.Study.load(tmp_path / "study.json", lm)
        assert again.last is not None
        np.testing.assert_array_equal(again.last.edited, known.edited)
        asked = len(second.jobs)
        # It goes on: the numbers are those of the model that is there now.
        np.testing.assert_array_equal(again.intervene(SITE).edited, known.edited)
        assert len(second.jobs) > asked


def test_what_was_answered_in_one_session_is_not_asked_in_the_next(tmp_path: Path) -> None:
    found = []
    for _ in range(2):
        with Loopback(mw.load()) as server:
            lm = mw.load(server.model, remote=server, cache=tmp_path)
            found.append(mw.Study(lm, mw.tasks.ioi(lm, n=1)).intervene(SITE).edited)
            asked = len(server.jobs)
    assert asked == 0
    assert found[0].tobytes() == found[1].tobytes()


def test_other_weights_are_another_model(tmp_path: Path) -> None:
    """Of the same class and config: neither answers nor studies are taken for theirs."""
    lms = random_lm(), random_lm(seed=1)
    names = set()
    for i, here in enumerate(lms):
        with Loopback(here) as server:
            lm = mw.load(server.model, remote=server, cache=tmp_path / "answers")
            names.add(lm.name)
            study = mw.Study(lm, mw.PromptPair("ant bee cat dog", "ant owl cat dog", "fox", "gnu"))
            study.intervene(SITE)
            assert server.jobs
            if i == 0:
                study.save(tmp_path / "study.json")
            else:
                with pytest.raises(MediationError, match="another model"):
                    mw.Study.load(tmp_path / "study.json", lm)
    assert len(names) == 2


def test_a_name_says_which_weights_and_settings_it_is_of() -> None:
    name = name_of(random_lm())
    assert name.startswith("loopback/GPT2LMHeadModel-")
    assert name_of(random_lm()) == name
    other = random_lm()
    other.hf.config.layer_norm_epsilon = 1e-3  # type: ignore[union-attr]
    half = mw.load(TEACHING_MODEL, dtype=torch.bfloat16)
    edited = mw.load()
    with torch.no_grad():
        next(edited.hf.parameters()).add_(1)
    names = {name, *map(name_of, (other, random_lm(dtype=torch.float64), half, edited))}
    assert len(names) == 5
    assert "loopback/teaching" not in names


def test_two_of_one_name_are_told_apart_by_their_weights() -> None:
    """A client of one that is gone asks the next: it is refused unless that has the same."""
    edited = mw.load()
    with Loopback(mw.load()) as first, Loopback(edited) as same:
        assert (first.name, first.revision) == (same.name, same.revision)
        with torch.no_grad():
            next(edited.hf.parameters()).add_(1)
        with Loopback(edited) as other:
            where = mw.remote.Server(other.host, other.key)
            lm = mw.load(first.model, remote=where)
            with pytest.raises(mw.remote.ServerError, match="cannot load this model"):
                mw.Study(lm, mw.tasks.ioi(lm, n=1)).intervene(SITE)


def test_weights_that_change_under_an_open_loopback_are_not_taken_for_those_it_is_named_by(
    tmp_path: Path,
) -> None:
    """Else their answers would be kept under the name of the others, for every later session."""
    here = mw.load()
    with Loopback(here) as server:
        lm = mw.load(server.model, remote=server, cache=tmp_path)
        study = mw.Study(lm, mw.tasks.ioi(lm, n=1))
        assert np.isfinite(study.intervene(SITE).edited).all()
        with torch.no_grad():
            next(here.hf.parameters()).mul_(2)
        with pytest.raises(mw.remote.ServerError, match="were changed after the loopback"):
            study.intervene(mw.Site("head", 2, head=0))
        assert np.isfinite(study.intervene(SITE).edited).all(), "which was answered before"
