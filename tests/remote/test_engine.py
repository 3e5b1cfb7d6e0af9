"""The engine's sweeps on a server: the numbers of a run here, for every mediator and edit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.mediators import MEDIATORS
from tests.remote.sandbox import Sandbox

pytestmark = pytest.mark.remote

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
    mw.PromptPair("toad wasp flint newt yak", "toad lime flint newt yak", "dust", "bee"),
]
TOLERANCE = 1e-9
EDITS = {
    "patch": mw.Patch(),
    "zero": mw.Zero(),
    "mean": mw.Mean(),
    "scale": mw.Scale(0.5),
    "noise": mw.Noise(sigma=2.0, samples=2),
    "resample": mw.Resample(seed=1),
}


def studies(sandbox: Sandbox, pairs: list[mw.PromptPair]) -> tuple[mw.Study, mw.Study]:
    """The same question here and on the server."""
    here, there = (mw.load(sandbox.hf, tokenizer=sandbox.tokenizer) for _ in range(2))
    there.traced, there.backend = sandbox.model, sandbox.backend
    return mw.Study(here, mw.Contrast(pairs)), mw.Study(there, mw.Contrast(pairs))


def assert_same(here: mw.Effect, there: mw.Effect) -> None:
    """Bit for bit where no value is there, and to rounding where one is."""
    np.testing.assert_array_equal(here.status, there.status)
    np.testing.assert_allclose(there.edited, here.edited, rtol=0, atol=TOLERANCE)
    assert np.nanstd(here.edited) > 1e-3, "no edit did a thing"


@pytest.mark.parametrize("mediator", list(MEDIATORS))
def test_every_mediator_patched(sandbox: Sandbox, mediator: str) -> None:
    here, there = studies(sandbox, PAIRS[:1])
    jobs = sandbox.jobs
    assert_same(here.sweep(mediator), there.sweep(mediator))
    assert sandbox.jobs > jobs


@pytest.mark.parametrize("edit", list(EDITS))
@pytest.mark.parametrize("mediator", ["residual", "head"])
def test_every_edit(sandbox: Sandbox, mediator: str, edit: str) -> None:
    here, there = studies(sandbox, PAIRS)
    asked: dict[str, Any] = {"edit": EDITS[edit]}
    assert_same(here.sweep(mediator, **asked), there.sweep(mediator, **asked))


def test_edits_of_one_site_and_of_several_layers(sandbox: Sandbox) -> None:
    here, there = studies(sandbox, PAIRS[:2])
    width = sandbox.hf.config.hidden_size
    question: dict[mw.Site, mw.Edit] = {
        mw.Site("residual", 1, position=2): mw.Steer(np.linspace(-1, 1, width), scale=3.0),
        mw.Site("head", 2, head=1): mw.Patch(),
        mw.Site("mlp_out", 3): mw.Zero(),
        mw.Site("residual_mid", 4, position=4): mw.Scale(2.0),
    }
    one, other = here.intervene(question), there.intervene(question)
    np.testing.assert_allclose(other.edited, one.edited, rtol=0, atol=TOLERANCE)
    assert not np.allclose(one.edited, here.total.edited)
