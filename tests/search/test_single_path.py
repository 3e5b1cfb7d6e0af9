"""One sender, one receiver: against runs that hold all between, and where the truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.rewiring import masks_of
from mediawidget.search import edge_runs
from tests.engine.cases import lm_of, random_pair

FIRST, SECOND = mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)


def study_of(kind: str = "gpt2", n: int = 3) -> mw.Study:
    return mw.Study(lm_of(kind), mw.Contrast([random_pair(kind, seed) for seed in range(n)]))


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_path_is_proven_against_plain_passes(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = mw.Site("head", 0, head=1), mw.Site("mlp_out", 1)
    checks = {one.name: one for one in mw.search.path(study_of(kind), *ends).checks}
    assert {"clean answer", "total effect", "plain forward", "full cut"} <= set(checks)
    assert checks["plain forward"].ok
    assert checks["full cut"].ok
    # Where cut and kept are mixed up, it is told.
    monkeypatch.setattr(edge_runs, "masks_of", lambda keep: masks_of(1 - keep))
    wrong = {one.name: one for one in mw.search.path(study_of(kind), *ends).checks}
    assert wrong["plain forward"].ok is False


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gptj"])
def test_each_input_is_a_nested_run(kind: str) -> None:
    study = study_of(kind)
    sender, receiver = mw.Site("head", 0, head=1), mw.Site("mlp_out", 1)
    effect = mw.search.path(study, sender, receiver)
    wiring = study.lm.wiring
    between = tuple(
        node
        for node in wiring.senders[1:]
        if node not in (sender, receiver)
        and wiring.reach[wiring.sender(node), wiring.receiver(receiver)]
    )
    for key, base, other in (("Y10", "clean", "corrupt"), ("Y01", "corrupt", "clean")):
        lender = mw.Run(base, {sender: mw.Patch(other)}, freeze=between)  # type: ignore[arg-type]
        run = mw.Run(base, {receiver: mw.Patch(lender)})  # type: ignore[arg-type]
        expected = study.metric.read(study.engine.evaluate([run]).kept)[0]
        np.testing.assert_allclose(effect.pairs(key)[:, 0], expected, rtol=0, atol=1e-9)
    assert effect.axes["input"] == ("mlp_out",)


def test_a_head_is_told_by_its_key_alone() -> None:
    study = mw.Study(mw.models.induction(decoys=2), mw.models.induction_pairs()["key swap"])
    effect = mw.search.path(study, FIRST, SECOND)
    assert effect.axes["input"] == ("all", "query", "key", "value")
    whole, query, key, value = effect["TIE"]
    assert whole == pytest.approx(key, abs=0.05)
    assert key > 1.5
    assert abs(query) < 0.05
    assert abs(value) < 0.05
    assert effect.labels[2] == "L0H0 → L1H0.k"


def test_the_corners_and_intervals_are_those_of_any_effect() -> None:
    study = study_of(n=6)
    effect = mw.search.path(study, FIRST, mw.Site("residual", study.lm.n_layers))
    total = study.total
    assert effect["TE"] == pytest.approx(total["TE"])
    assert effect["Y11"] == pytest.approx(total["Y11"])
    assert effect.ci("TIE").shape == (2, 1)
    # Straight to the logits: what mw.routes calls direct.
    direct = mw.routes(study, FIRST, progress=False).pairs("TIE")[:, 1]
    np.testing.assert_allclose(effect.pairs("TIE")[:, 0], direct, rtol=0, atol=1e-9)


def test_keys_that_heads_share_are_said_to_be() -> None:
    study = study_of("llama")
    assert study.lm.n_kv_heads < study.lm.n_heads
    effect = mw.search.path(study, FIRST, SECOND)
    assert effect.facts["shared"] == "keys and values"
    assert "shared" not in mw.search.path(study_of(), FIRST, SECOND).facts


@pytest.mark.parametrize(
    ("sender", "receiver", "words"),
    [
        (SECOND, FIRST, "earlier"),
        (FIRST, FIRST, "earlier"),
        (FIRST, mw.Site("head", 99, head=0), "no such"),
        (mw.Site("head", 0, head=0, position=2), SECOND, "whole"),
        (mw.Site("residual", 0), SECOND, "no such"),
    ],
)
def test_what_is_no_path_is_refused(sender: mw.Site, receiver: mw.Site, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        mw.search.path(study_of(), sender, receiver)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gpt_neox", "qwen3"])
def test_behind_a_frozen_norm_the_paths_of_all_senders_add_up(kind: str) -> None:
    """To what the other prompt's stream gives on this prompt's scale, computed here by hand."""
    study = study_of(kind)
    wiring, last = study.lm.wiring, mw.Site("residual", study.lm.n_layers)
    parts = [mw.search.path(study, one, last, norm="frozen") for one in wiring.senders]
    gained = np.sum([part.pairs("PIE")[:, 0] for part in parts], axis=0)
    clean = study.activations(last, base="clean").array[:, -1]
    corrupt = study.activations(last, base="corrupt").array[:, -1]
    model: Any = study.lm.hf
    module = model.get_submodule(study.lm.paths.final_norm)
    centre = isinstance(module, torch.nn.LayerNorm)
    eps = module.eps if centre else module.variance_epsilon
    scale = corrupt - corrupt.mean(-1, keepdims=True) if centre else corrupt
    moved = clean - corrupt
    moved = moved - moved.mean(-1, keepdims=True) if centre else moved
    normed = moved / np.sqrt((scale**2).mean(-1, keepdims=True) + eps)
    normed = normed * module.weight.detach().numpy()
    unembed = model.get_output_embeddings().weight.detach().numpy()
    tokens = [pair.strands[0].targets for pair in study.engine.pairs]
    expected = [
        normed[i] @ (unembed[answer[0]] - unembed[wrong[0]])
        for i, (answer, wrong) in enumerate(tokens)
    ]
    np.testing.assert_allclose(gained, expected, rtol=0, atol=2e-5)
    live = np.sum([mw.search.path(study, s, last).pairs("PIE")[:, 0] for s in wiring.senders], 0)
    assert np.abs(live - gained).max() > 1e-3


def test_a_frozen_norm_serves_all_senders_at_once() -> None:
    study = study_of()
    last = mw.Site("residual", study.lm.n_layers)
    grid = mw.search.path_patching(study, "logits", mlps="freeze", norm="frozen")
    assert tuple(grid.axes) == ("layer", "head")
    for site in (FIRST, mw.Site("head", 1, head=1)):
        one = mw.search.path(study, site, last, norm="frozen")
        for key in ("PIE", "TIE"):
            assert grid[key][site.layer, site.head] == pytest.approx(one[key][0], abs=1e-9)
    live = mw.search.path_patching(study, "logits", mlps="freeze", progress=False)
    assert np.abs(live["PIE"] - grid["PIE"]).max() > 1e-4
    for wrong in ({"mlps": "recompute"}, {"mlps": "freeze", "by": "position"}):
        with pytest.raises(mw.MediationError, match="frozen for edges to the logits"):
            mw.search.path_patching(study, "logits", norm="frozen", **wrong)  # type: ignore[arg-type]
    read = mw.Site("key", 1, head=0)
    with pytest.raises(mw.MediationError, match="frozen for edges"):
        mw.search.path_patching(study, read, mlps="freeze", norm="frozen")


def test_a_frozen_norm_is_before_the_logits_alone() -> None:
    with pytest.raises(mw.MediationError, match="before the logits alone"):
        mw.search.path(study_of(), FIRST, SECOND, norm="frozen")
