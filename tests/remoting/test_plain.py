"""Passes by the slow road on a server: the numbers of the same pass with the weights here."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.mediators import MEDIATORS, mediator_named
from mediawidget.plain import plain_run
from tests.remoting.elsewhere import Elsewhere
from tests.small_models import KINDS

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
    mw.PromptPair("toad wasp flint newt yak", "toad lime flint newt yak", "dust", "bee"),
]
LONGER = [mw.PromptPair("ant bee cat dog eel", "ant owl lark cat dog eel", "fox", "gnu")]
TOLERANCE = 1e-9
SAME: dict[str, Any] = {"rtol": 0, "atol": TOLERANCE}


@lru_cache
def server(kind: str) -> Elsewhere:
    return Elsewhere(kind)


def engines(kind: str, pairs: Any = PAIRS, metric: Any = None) -> tuple[mw.Engine, mw.Engine]:
    """Of the same pairs, here and there."""
    elsewhere = server(kind)
    return tuple(mw.Study(lm, pairs, metric).engine for lm in (elsewhere.here(), elsewhere.there()))  # type: ignore[return-value]


def assert_same(kind: str, run: mw.Run, pairs: Any = PAIRS, metric: Any = None, n: int = 1) -> None:
    """The same numbers, in ``n`` requests, and others than the prompt's own."""
    here, there = engines(kind, pairs, metric)
    own, before = plain_run(here, run), server(kind).requests
    found = plain_run(there, run)
    assert server(kind).requests - before == n
    np.testing.assert_allclose(found, own, **SAME)
    assert np.abs(own - plain_run(here, mw.Run(run.base)))[:3].max() > 1e-6, "no edit did a thing"


def site_of(mediator: str, **where: Any) -> mw.Site:
    """The second layer's second unit."""
    index = mediator_named(mediator).index
    return mw.Site(mediator, 2, **({index: 1} if index else {}), **where)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_logits_of_prompts(kind: str) -> None:
    elsewhere = server(kind)
    ids = torch.tensor([[2, 3, 4, 5, 6], [2, 7, 4, 5, 6]])
    before = elsewhere.requests
    there = elsewhere.there().logits_at(ids, [1, -1])
    assert elsewhere.requests == before + 1
    torch.testing.assert_close(there, elsewhere.here().logits_at(ids, [1, -1]), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "mediator", [m for m in MEDIATORS if m not in ("edge", "mixer_out", "mixer_channel")]
)
def test_every_mediator_patched(kind: str, mediator: str) -> None:
    here, _ = engines(kind)
    if not here.lm.has(mediator_named(mediator)):
        with pytest.raises(mw.MediationError):
            here.lm.refuse_missing(mediator_named(mediator))
        return
    assert_same(kind, mw.Run("corrupt", {site_of(mediator): mw.Patch()}))


@pytest.mark.parametrize(
    "edit",
    [
        mw.Zero(),
        mw.Mean(),
        mw.Scale(0.5),
        mw.Noise(sigma=2.0),
        mw.Resample(seed=1),
        mw.Patch(alpha=0.3),
        mw.Patch("clean"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("mediator", ["residual", "head"])
def test_every_edit(kind: str, mediator: str, edit: mw.Edit) -> None:
    assert_same(kind, mw.Run("corrupt", {site_of(mediator): edit}))
    assert_same(kind, mw.Run("corrupt", {site_of(mediator, position=3): edit}))


def test_vectors_and_parts(kind: str) -> None:
    width = server(kind).here().d_model
    direction = np.linspace(-1, 1, width)
    site = mw.Site("residual", 1, position=2)
    assert_same(kind, mw.Run("clean", {site: mw.Steer(direction, scale=3.0)}))
    part = mw.Within(mw.Subspace.spanned(direction), mw.Patch())
    assert_same(kind, mw.Run("corrupt", {mw.Site("residual", 1): part}))


def test_values_that_were_captured(kind: str) -> None:
    study = mw.Study(server(kind).here(), PAIRS)
    site = mw.Site("head", 2, head=1)
    assert_same(kind, mw.Run("corrupt", {site: mw.Patch(study.activations(site))}))


def test_attention_edges(kind: str) -> None:
    for head in (None, 1):
        edge = mw.Site("edge", 2, head=head, position=4, key=1)
        assert_same(kind, mw.Run("corrupt", {edge: mw.Knockout()}))


def test_an_edge_where_eager_attention_is_another_models() -> None:
    """Falcon's with alibi: it is cut in the mask, for a head and for all."""
    for head in (None, 1):
        edge = mw.Site("edge", 2, head=head, position=4, key=1)
        assert_same("falcon_alibi", mw.Run("corrupt", {edge: mw.Knockout()}))


@pytest.mark.parametrize("edit", [mw.Mean(), mw.Noise(seed=4), mw.Scale(0.3)])
def test_patterns_in_single_precision_in_a_model_in_double(edit: mw.Edit) -> None:
    assert_same("gemma2", mw.Run("corrupt", {mw.Site("pattern", 1, head=1): edit}))


def test_several_sites_what_is_held_and_runs_of_runs(kind: str) -> None:
    head, late = mw.Site("head", 1, head=1), mw.Site("mlp_out", 3)
    both: dict[mw.Site, mw.Edit] = {
        mw.Site("residual", 1, position=2): mw.Patch(),
        head: mw.Zero(),
        late: mw.Scale(2.0),
    }
    assert_same(kind, mw.Run("corrupt", both))
    assert_same(
        kind, mw.Run("corrupt", {head: mw.Patch()}, ("mlp_out", mw.Site("head", 3, head=0)))
    )
    edited = mw.Run("clean", {head: mw.Scale(0.2)})
    assert_same(kind, mw.Run("corrupt", {late: mw.Patch(edited)}))
    # One run both before and behind another at one place.
    again = mw.Run("corrupt", {late: mw.Patch(mw.Run("clean", {late: mw.Scale(3.0)}))})
    assert_same(kind, again)


def test_divergence_from_both_prompts(kind: str) -> None:
    run = mw.Run("corrupt", {mw.Site("head", 2, head=1): mw.Patch()})
    assert_same(kind, run, metric=mw.KL())


def test_prompts_of_two_lengths(kind: str) -> None:
    for at in ("attn_out", "residual"):
        run = mw.Run("corrupt", {mw.Site(at, 2): mw.Patch()})
        assert_same(kind, run, LONGER, n=2)
    assert_same(kind, run, LONGER, metric=mw.KL(), n=4)


def test_answers_of_several_tokens(kind: str) -> None:
    pairs = [mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox gnu", "gnu owl")]
    run = mw.Run("corrupt", {mw.Site("head", 2, head=1): mw.Patch()})
    assert_same(kind, run, pairs, n=2)
