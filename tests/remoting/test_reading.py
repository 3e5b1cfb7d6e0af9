"""What is read off a model on a server beside sweeps: lenses, drafts, features, patterns."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import drafts
from mediawidget.lens import logit_lens
from mediawidget.looking import look
from tests.remoting.elsewhere import Elsewhere

KINDS = ("gpt2", "llama", "gemma2")
PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
]
SAME: dict[str, Any] = {"rtol": 0, "atol": 1e-9}
HEAD = mw.Site("head", 1, head=1)


@lru_cache
def server(kind: str) -> Elsewhere:
    return Elsewhere(kind)


@lru_cache
def there(kind: str) -> mw.LM:
    """Met already, so that what is counted is the question itself."""
    lm = server(kind).there()
    _ = mw.Study(lm, PAIRS).total
    return lm


def both(kind: str, metric: mw.Metric | None = None) -> tuple[mw.Study, mw.Study]:
    return tuple(mw.Study(lm, PAIRS, metric) for lm in (server(kind).here(), there(kind)))  # type: ignore[return-value]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize(
    "run",
    [
        mw.Run("clean"),
        mw.Run("corrupt", {HEAD: mw.Patch()}),
        mw.Run("corrupt", {mw.Site("residual", 2, position=4): mw.Zero(), HEAD: mw.Mean()}),
        mw.Run("clean", {HEAD: mw.Patch()}, ("mlp_out",)),
    ],
    ids=["prompt", "patched", "several", "held"],
)
def test_the_lens_of_all_layers_and_positions_is_one_request(kind: str, run: mw.Run) -> None:
    here, far = both(kind)
    before = server(kind).requests
    found = logit_lens(far.engine, 1, run)
    assert server(kind).requests == before + 1
    own = logit_lens(here.engine, 1, run)
    np.testing.assert_array_equal(found.tokens, own.tokens)
    for name in ("p", "answer", "wrong"):
        np.testing.assert_allclose(getattr(found, name), getattr(own, name), **SAME)


def test_a_lens_in_parts(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here, far = both(kind)
    one_layer = here.lm.vocabulary * len(here.token_pairs[0].clean)
    monkeypatch.setattr("mediawidget.lens_remote.AT_ONCE", 2 * one_layer)
    before = server(kind).requests
    found = logit_lens(far.engine, 0, mw.Run("clean"))
    assert server(kind).requests - before == -(-(here.lm.n_layers + 1) // 2)
    np.testing.assert_allclose(found.p, logit_lens(here.engine, 0, mw.Run("clean")).p, **SAME)


@pytest.mark.parametrize("metric", [mw.LogitDiff(), mw.KL("clean"), mw.Rank()], ids=repr)
def test_a_metric_read_off_every_layer(kind: str, metric: mw.Metric) -> None:
    here, far = both(kind, metric)
    for position in (None, "all"):
        own, before = mw.lenses.logit_lens(here, position), server(kind).requests
        found = mw.lenses.logit_lens(far, position)
        np.testing.assert_allclose(found.values, own.values, **SAME)
        references = 4 if metric == mw.KL("clean") else 0
        assert server(kind).requests - before == 2 * (2 + references), "for each of two runs"


def test_a_lens_that_was_learned_here(kind: str) -> None:
    here, far = both(kind)
    lens = mw.lenses.tuned_lens(here.lm, PAIRS, steps=2)
    own, found = (mw.lenses.logit_lens(study, lens=lens) for study in (here, far))
    np.testing.assert_allclose(found.values, own.values, **SAME)


def test_next_tokens_of_a_draft(kind: str) -> None:
    before = server(kind).requests
    found = drafts.next_tokens(there(kind), "ant bee cat")
    assert server(kind).requests == before + 1
    own = drafts.next_tokens(server(kind).here(), "ant bee cat")
    assert [token for token, _ in found] == [token for token, _ in own]
    np.testing.assert_allclose([p for _, p in found], [p for _, p in own], **SAME)


def test_patterns_and_values(kind: str) -> None:
    here, far = both(kind)
    sites = [mw.Site("pattern", 1, head=1), mw.Site("residual", 2)]
    for own, found in zip(
        look(here.engine, 0, mw.Run("clean"), sites),
        look(far.engine, 0, mw.Run("clean"), sites),
        strict=True,
    ):
        np.testing.assert_allclose(found.numpy(), own.numpy(), **SAME)
    np.testing.assert_allclose(far.activations(HEAD).array, here.activations(HEAD).array, **SAME)


def test_where_a_feature_fires(kind: str) -> None:
    lm, width, draw = there(kind), there(kind).d_model, np.random.default_rng(0)
    encode, shift = draw.normal(size=(width, 7)), draw.normal(size=7)
    decode, rest = draw.normal(size=(7, width)), draw.normal(size=width)
    sae = mw.features.SAE(encode, shift, decode, rest, site=mw.Site("residual", 1))
    texts = ["ant bee cat dog", "hen pig cat zebra", "owl kite"]
    before = server(kind).requests
    found = mw.features.contexts(lm, sae, texts)
    assert server(kind).requests == before + 2, "one for each length"
    own = mw.features.contexts(server(kind).here(), sae, texts)
    for mine, other in zip(found, own, strict=True):
        assert [(c.before, c.token, c.after) for c in mine] == [
            (c.before, c.token, c.after) for c in other
        ]
        np.testing.assert_allclose([c.code for c in mine], [c.code for c in other], **SAME)
