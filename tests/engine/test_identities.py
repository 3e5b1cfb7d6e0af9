"""Identities of mediation analysis that hold for every model, pair and site (float64)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from tests.engine.cases import case, lm_of, random_pair
from tests.small_models import KINDS, random_model, tokenizer_of

MEDIATORS = st.sampled_from(["head", "residual", "attn_out", "mlp_out"])
BY = st.sampled_from([None, "position"])
TOLERANCE = 1e-9

few = settings(max_examples=12, deadline=None, derandomize=True, database=None)


@st.composite
def pairs(draw: Callable[..., Any], kind: str, lengths: tuple[int, ...] = (4, 5, 6, 8)) -> Any:
    length = draw(st.sampled_from(lengths))
    first = draw(st.integers(1, length - 1))
    changes = draw(st.integers(1, length - first))
    return random_pair(kind, draw(st.integers(0, 10_000)), length, first, changes)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_1_the_effects_sum_to_the_total(kind: str) -> None:
    """TE = PDE + TIE = TDE + PIE = PDE + PIE + INT, and the controlled direct effect's split.

    Every number is held against the four corners, so that a formula cannot hide behind another.
    """

    @few
    @given(pairs(kind), MEDIATORS, BY)
    def check(pair: mw.PromptPair, mediator: str, by: str | None) -> None:
        study = mw.Study(lm_of(kind), pair)
        effect = study.sweep(mediator, by=by)
        total = study.total["TE"]
        y = {key: effect[key] for key in ("Y11", "Y10", "Y01", "Y00")}
        np.testing.assert_allclose(effect["PDE"] + effect["TIE"], total, atol=TOLERANCE)
        np.testing.assert_allclose(effect["TDE"] + effect["PIE"], total, atol=TOLERANCE)
        np.testing.assert_allclose(
            effect["PDE"] + effect["PIE"] + effect["INT"], total, atol=TOLERANCE
        )
        np.testing.assert_allclose(effect["TIE"], y["Y11"] - y["Y10"], atol=TOLERANCE)
        np.testing.assert_allclose(effect["PIE"], y["Y01"] - y["Y00"], atol=TOLERANCE)
        np.testing.assert_allclose(effect["TIE"] - effect["PIE"], effect["INT"], atol=TOLERANCE)
        # CDE(0) = Y(1, 0) - Y(0, 0) comes from other runs, of another edit on the same bases; of
        # one cell it is asked for once more, run by run.
        zero = study.sweep(mediator, by=by, edit=mw.Zero())
        cde = (y["Y11"] - zero["clean"]) - (y["Y00"] - zero["corrupt"])
        sites = mw.Sweep(mediator, mw.Zero(), by).sites(study.lm.shape, len(study.token_pairs[0]))
        runs = [mw.Run(base, {sites[-1]: mw.Zero()}) for base in ("clean", "corrupt")]
        y1, y0 = study.engine.evaluate(runs).values(study.metric)[:, 0]
        np.testing.assert_allclose(cde.reshape(-1)[-1], y1 - y0, atol=TOLERANCE)
        reference = effect["PDE"] - cde
        np.testing.assert_allclose(
            (y1 - y0) + (reference + effect["INT"] + effect["PIE"]).reshape(-1)[-1],
            total,
            atol=TOLERANCE,
        )

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_identity_2_a_self_patch_changes_nothing(kind: str) -> None:
    """A site set to its own value, alone or with others, leaves every kept number as it was."""

    @few
    @given(pairs(kind), st.data())
    def check(pair: mw.PromptPair, data: st.DataObject) -> None:
        study = mw.Study(lm_of(kind), pair)
        every = [
            mw.Site("residual", data.draw(st.integers(0, 5))),
            mw.Site("head", data.draw(st.integers(0, 4)), head=data.draw(st.integers(0, 2))),
            mw.Site("attn_out", data.draw(st.integers(0, 4)), position=0),
            mw.Site("mlp_out", data.draw(st.integers(0, 4)), position=(1, 3)),
        ]
        for base in ("clean", "corrupt"):
            own = mw.Patch(base)
            runs = [mw.Run(base), *(mw.Run(base, {site: own}) for site in every)]
            runs.append(mw.Run(base, dict.fromkeys(every, own)))
            kept = study.engine.evaluate(runs).kept
            assert kept.shape == (6, 1, 3)
            np.testing.assert_allclose(kept[1:], kept[:1].repeat(5, 0), atol=TOLERANCE)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_identity_3_the_whole_residual_stream_is_a_complete_cut(kind: str) -> None:
    """All positions at any layer: Y01 = Y11, Y10 = Y00, TIE = PIE = TE and INT = 0."""

    @few
    @given(pairs(kind))
    def check(pair: mw.PromptPair) -> None:
        effect = mw.Study(lm_of(kind), pair).sweep("residual")
        assert len(effect.axes["layer"]) == 6
        np.testing.assert_allclose(effect["Y01"], effect["Y11"], atol=TOLERANCE)
        np.testing.assert_allclose(effect["Y10"], effect["Y00"], atol=TOLERANCE)
        for key in ("TIE", "PIE"):
            np.testing.assert_allclose(effect[key], effect["TE"], atol=TOLERANCE)
        np.testing.assert_allclose(effect["INT"], 0, atol=TOLERANCE)

    check()


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_position_after_the_last_block_is_a_complete_cut(kind: str) -> None:
    """Only the last position is read, and nothing mixes positions after the last block."""
    pair = random_pair(kind, 30, length=7, first=2)
    effect = mw.Study(lm_of(kind), pair).sweep("residual", by="position")
    last = effect["TIE"][5]
    assert abs(last[6]) > 0.1
    np.testing.assert_allclose(last[6], mw.Study(lm_of(kind), pair).total["TE"], atol=TOLERANCE)
    np.testing.assert_allclose(last[:6], 0, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_4_exchanging_the_prompts(kind: str) -> None:
    """Under one metric, clean and corrupt exchanged: TIE -> -PIE, PIE -> -TIE, INT stays."""

    @few
    @given(pairs(kind), MEDIATORS)
    def check(pair: mw.PromptPair, mediator: str) -> None:
        other = mw.PromptPair(pair.corrupt, pair.clean, pair.answer, pair.wrong)
        effect = mw.Study(lm_of(kind), pair).sweep(mediator)
        exchanged = mw.Study(lm_of(kind), other).sweep(mediator)
        np.testing.assert_allclose(exchanged["TIE"], -effect["PIE"], atol=TOLERANCE)
        np.testing.assert_allclose(exchanged["PIE"], -effect["TIE"], atol=TOLERANCE)
        np.testing.assert_allclose(exchanged["INT"], effect["INT"], atol=TOLERANCE)

    check()


class Shifted(torch.nn.Module):
    """An output head that adds one constant to all logits."""

    def __init__(self, head: torch.nn.Module, constant: float) -> None:
        super().__init__()
        self.head = head
        self.constant = constant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(x)
        return logits + self.constant


@pytest.mark.parametrize("kind", KINDS)
def test_identity_12_a_constant_on_all_logits(kind: str) -> None:
    """Logit differences and probabilities do not see it; single logits move by it."""
    constant = 7.25
    pair = random_pair(kind, 31, length=6, first=2)
    model: Any = random_model(kind)
    model.lm_head = Shifted(model.lm_head, constant)
    shifted = mw.Study(mw.load(model, tokenizer=tokenizer_of(kind)), pair).sweep("head")
    plain = mw.Study(lm_of(kind), pair).sweep("head")
    for metric in (mw.LogitDiff(), mw.LogProb(), mw.Prob()):
        for key in ("Y11", "Y10", "Y01", "Y00", "INT"):
            np.testing.assert_allclose(
                shifted.rescore(metric)[key], plain.rescore(metric)[key], atol=TOLERANCE
            )
    for key in ("Y11", "Y10", "Y01", "Y00"):
        difference = shifted.rescore(mw.Logit())[key] - plain.rescore(mw.Logit())[key]
        np.testing.assert_allclose(difference, constant, atol=TOLERANCE)


@pytest.mark.parametrize("kind", KINDS)
def test_identity_17_a_pair_does_not_feel_its_batch_mates(kind: str) -> None:
    """A pair's effects alone equal those inside a contrast of any lengths and order."""

    @settings(few, max_examples=6)
    @given(st.lists(pairs(kind), min_size=2, max_size=4), MEDIATORS)
    def check(several: list[mw.PromptPair], mediator: str) -> None:
        together = mw.Study(lm_of(kind), mw.Contrast(several)).sweep(mediator)
        for index, pair in enumerate(several):
            alone = mw.Study(lm_of(kind), pair).sweep(mediator)
            for key in ("Y11", "Y10", "Y01", "Y00"):
                np.testing.assert_allclose(
                    together.pairs(key)[index], alone.pairs(key)[0], atol=TOLERANCE
                )

    check()


def test_the_mean_is_the_mean_of_the_pairs() -> None:
    """No estimand is taken of averaged activations or averaged prompts."""
    several = [random_pair("gpt2", 40 + i, length=6, first=1 + i) for i in range(4)]
    effect = case("gpt2", several).study.sweep("head")
    for key in ("TE", "TIE", "PIE", "INT"):
        assert effect.pairs(key).shape[0] == 4
        np.testing.assert_allclose(effect[key], effect.pairs(key).mean(0), atol=1e-12)
    assert np.ptp(effect.pairs("TIE"), axis=0).max() > 1.0
