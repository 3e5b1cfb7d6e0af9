"""Plain passes on a server: the numbers of the same pass with the weights here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import drafts
from mediawidget.lens import logit_lens
from mediawidget.mediators import MEDIATORS, mediator_named
from mediawidget.plain import plain_run
from tests.remote.sandbox import Sandbox
from tests.remote.test_engine import PAIRS, studies

pytestmark = pytest.mark.remote
SAME: dict[str, Any] = {"rtol": 0, "atol": 1e-9}
HEAD = mw.Site("head", 2, head=1)


def assert_same(sandbox: Sandbox, run: mw.Run, metric: mw.Metric | None = None) -> None:
    here, there = (mw.Study(study.lm, PAIRS, metric).engine for study in studies(sandbox, PAIRS))
    jobs, own = sandbox.jobs, plain_run(here, run)
    np.testing.assert_allclose(plain_run(there, run), own, **SAME)
    assert sandbox.jobs == jobs + 1
    assert not np.allclose(own, plain_run(here, mw.Run(run.base)))


@pytest.mark.parametrize("mediator", [m for m in MEDIATORS if m != "edge"])
def test_every_mediator_patched(sandbox: Sandbox, mediator: str) -> None:
    kind = mediator_named(mediator)
    if not studies(sandbox, PAIRS)[0].lm.has(kind):
        return
    site = mw.Site(mediator, 2, **({kind.index: 1} if kind.index else {}))
    assert_same(sandbox, mw.Run("corrupt", {site: mw.Patch()}))


@pytest.mark.parametrize(
    "edit", [mw.Zero(), mw.Mean(), mw.Noise(sigma=2.0), mw.Resample(seed=1)], ids=repr
)
def test_every_edit(sandbox: Sandbox, edit: mw.Edit) -> None:
    assert_same(sandbox, mw.Run("corrupt", {HEAD: edit}))


def test_edges_parts_what_is_held_and_divergence(sandbox: Sandbox) -> None:
    edge = mw.Site("edge", 2, head=1, position=4, key=1)
    assert_same(sandbox, mw.Run("corrupt", {edge: mw.Knockout()}))
    direction = np.linspace(-1, 1, sandbox.hf.config.hidden_size)
    part = mw.Within(mw.Subspace.spanned(direction), mw.Patch())
    assert_same(sandbox, mw.Run("corrupt", {mw.Site("residual", 1): part}))
    held = mw.Run("corrupt", {HEAD: mw.Patch()}, ("mlp_out",))
    assert_same(sandbox, held, mw.KL())


def test_the_lens_and_a_draft(sandbox: Sandbox) -> None:
    here, there = studies(sandbox, PAIRS)
    run = mw.Run("corrupt", {HEAD: mw.Patch()})
    own, found = (logit_lens(study.engine, 0, run) for study in (here, there))
    np.testing.assert_array_equal(found.tokens, own.tokens)
    np.testing.assert_allclose(found.p, own.p, **SAME)
    mine, its = (drafts.next_tokens(study.lm, "ant bee cat") for study in (here, there))
    np.testing.assert_allclose([p for _, p in its], [p for _, p in mine], **SAME)


def test_first_contact_and_clicks(sandbox: Sandbox) -> None:
    here, there = studies(sandbox, PAIRS)
    jobs = sandbox.jobs
    own, found = (study.intervene(HEAD) for study in (here, there))
    np.testing.assert_allclose(found.edited, own.edited, **SAME)
    assert sandbox.jobs == jobs + 3, "two of first contact, and the click"
    assert all(check.ok for check in there.engine.prove())
