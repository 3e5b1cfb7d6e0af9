"""Estimates from gradients: against real interventions that go a little of the way."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm

import mediawidget as mw
from mediawidget import attribution
from mediawidget.effects import Status
from mediawidget.mediators import mediator_named
from tests.engine.cases import random_pair
from tests.small_models import random_model, tokenizer_of

KINDS = ("gpt2", "llama", "gpt_neox", "gemma2")
MEDIATORS = (
    *("head", "query", "key", "value", "attn_out", "mlp_out", "mlp_unit", "neuron"),
    *("residual", "residual_mid", "residual_post", "embedding", "embedding_unit"),
)
METRICS: tuple[mw.Metric, ...] = (
    *(mw.LogitDiff(), mw.Logit(), mw.LogProb(), mw.Prob(), mw.ProbDiff(), mw.LogOdds()),
    *(mw.KL("clean"), mw.KL("corrupt")),
    mw.Function(
        lambda kept: np.tanh(kept["logit:ant"] - kept["answer"]) * kept["wrong"],
        name="squashed",
        tokens=["ant"],
    ),
)
STEP = 1e-5


@lru_cache
def lm_of(kind: str, dtype: torch.dtype = torch.float64) -> Any:
    """Of this file alone: what is loaded under the arithmetic below keeps it."""
    return mw.load(random_model(kind, dtype), tokenizer=tokenizer_of(kind))


@pytest.fixture
def exact_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    """Norms and softmax in double precision: a small step drowns in what single precision loses."""

    def normed(self: Any, x: torch.Tensor) -> torch.Tensor:
        eps = self.variance_epsilon if hasattr(self, "variance_epsilon") else self.eps
        gain = self.weight if isinstance(self, LlamaRMSNorm) else 1.0 + self.weight
        return gain * x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps)

    softmax = torch.nn.functional.softmax

    def wide(x: torch.Tensor, dim: int = -1, **_: Any) -> torch.Tensor:
        return softmax(x, dim=dim)

    for norm in (LlamaRMSNorm, Gemma2RMSNorm):
        monkeypatch.setattr(norm, "forward", normed)
    monkeypatch.setattr(torch.nn.functional, "softmax", wide)


@pytest.fixture
def flat_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """KL is refused, for it has no slope on its own prompt; its slope of 0 there is right."""
    monkeypatch.setattr(attribution, "_refuse_flat", lambda *_: None)


class Everything(mw.Metric):
    """Reads every column that any of the metrics does, so that one sweep serves them all."""

    name = unit = "everything"

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for metric in METRICS for name in metric.columns))

    def compute(self, kept: Any) -> Any:
        return kept["answer"]

    def label(self, answer: str, wrong: str) -> str:
        return f"{answer} {wrong}"


def study_of(kind: str, n: int = 2, length: int = 6, metric: mw.Metric | None = None) -> mw.Study:
    pairs = [random_pair(kind, seed, length, first=2, changes=2) for seed in range(n)]
    return mw.Study(lm_of(kind), pairs, metric=metric)


def moved(effect: mw.Effect) -> np.ndarray:
    """(pair, base, *axes): by how much the edit moves the metric."""
    base = effect.scores(effect.bases)
    return effect.scores(effect.edited) - base.reshape(*base.shape, *(1 for _ in effect.axes))


def small_steps(
    study: mw.Study,
    mediator: str,
    by: Any = None,
    edit: Callable[[float], mw.Edit] = lambda step: mw.Patch(alpha=step),
) -> Callable[[mw.Metric], np.ndarray]:
    """How a metric moves with real interventions that go a little of the way, and back."""
    both = [study.sweep(mediator, by, edit=edit(step), progress=False) for step in (STEP, -STEP)]

    def slope(metric: mw.Metric) -> np.ndarray:
        there, back = (metric.read(effect.edited, effect.columns) for effect in both)
        return np.asarray(there - back) / (2 * STEP)

    return slope


def agree(found: np.ndarray, wanted: np.ndarray, name: str = "") -> None:
    """To a millionth of the largest."""
    largest, gap = float(np.abs(wanted).max()), float(np.abs(found - wanted).max())
    assert largest > 1e-5, name
    assert gap <= 1e-6 * largest + 1e-8, name


# --- the gradient ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("exact_arithmetic", "flat_too")
@pytest.mark.parametrize("mediator", MEDIATORS)
@pytest.mark.parametrize("kind", KINDS)
def test_estimates_are_the_slope_of_real_interventions(kind: str, mediator: str) -> None:
    study = study_of(kind, metric=Everything())
    if not study.lm.has(mediator_named(mediator)):
        assert (kind, mediator) == ("gpt_neox", "residual_mid")
        return
    slope = small_steps(study, mediator)
    for metric in METRICS:
        study.metric = metric
        agree(moved(study.estimate(mediator)), slope(metric), metric.name)


def test_what_is_written_over_later_is_still_differentiated() -> None:
    study = study_of("falcon")
    agree(moved(study.estimate("mlp_out")), small_steps(study, "mlp_out")(study.metric))


@pytest.mark.usefixtures("exact_arithmetic")
@pytest.mark.parametrize("by", ["position", "role", {"start": 0, "some": (2, 3), "both": "animal"}])
@pytest.mark.parametrize("mediator", ["head", "residual", "neuron"])
def test_at_positions_roles_and_groups(mediator: str, by: Any) -> None:
    words = "ant bee cat owl eel fox"
    pairs = [
        mw.PromptPair(words, words.replace("cat", animal), "jay", "kite", roles={"animal": 2})
        for animal in ("dog", "pig")
    ]
    study = mw.Study(lm_of("gpt2"), pairs)
    agree(moved(study.estimate(mediator, by)), small_steps(study, mediator, by)(study.metric))


CLEAN, CORRUPT = "ant bee cat owl eel fox gnu", "ant bee cat pig rat eel fox gnu"
QUESTIONS: dict[str, list[mw.PromptPair]] = {
    "sets": [mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), ["jay", "hen"], ["kite", "ibis"])],
    "several tokens": [
        mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), "jay hen lark", "kite ibis mole")
    ],
    "prompts of two lengths": [mw.PromptPair(CLEAN, CORRUPT, "jay", "kite")],
    "pairs of two lengths": [
        mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), "jay", "kite"),
        mw.PromptPair(CLEAN[4:], CLEAN[4:].replace("owl", "pig"), "hen", "kite"),
    ],
    "both": [
        mw.PromptPair(CLEAN, CORRUPT, "jay hen", "kite ibis"),
        mw.PromptPair(CLEAN, CLEAN.replace("owl", "pig"), "jay", "kite"),
    ],
}


PRODUCT = mw.Function(lambda kept: kept["answer"] * kept["wrong"], name="product")


@pytest.mark.usefixtures("flat_too")
@pytest.mark.parametrize("metric", [mw.LogitDiff(), PRODUCT, mw.KL("corrupt")])
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_kind_of_answer_and_of_prompt(question: str, metric: mw.Metric) -> None:
    study = mw.Study(lm_of("gpt2"), QUESTIONS[question], metric=metric)
    for mediator in ("head", "mlp_out", "residual"):
        agree(moved(study.estimate(mediator)), small_steps(study, mediator)(metric))


def test_positions_without_a_partner_are_impossible_as_in_the_sweep() -> None:
    study = mw.Study(lm_of("gpt2"), QUESTIONS["prompts of two lengths"])
    estimate, exact = (run("residual", "position") for run in (study.estimate, study.sweep))
    assert (estimate.status == Status.IMPOSSIBLE).any()
    assert ((estimate.status == Status.IMPOSSIBLE) == (exact.status == Status.IMPOSSIBLE)).all()
    assert np.isnan(estimate["PIE"][estimate.status == Status.IMPOSSIBLE]).all()


VECTOR = np.linspace(-1, 1, 24)
TOWARDS: dict[str, tuple[mw.Edit, Callable[[float], mw.Edit]]] = {
    "part of the way": (mw.Patch(alpha=0.3), lambda step: mw.Patch(alpha=0.3 * step)),
    "to one prompt": (mw.Patch("clean"), lambda step: mw.Patch("clean", alpha=step)),
    "zero": (mw.Zero(), lambda step: mw.Scale(1 - step)),
    "scale": (mw.Scale(1.5), lambda step: mw.Scale(1 + 0.5 * step)),
    "steer": (mw.Steer(VECTOR, 0.2), lambda step: mw.Steer(VECTOR, 0.2 * step)),
}


@pytest.mark.parametrize("by", [None, "position"])
@pytest.mark.parametrize("edit", TOWARDS)
def test_other_edits(edit: str, by: str | None) -> None:
    whole, towards = TOWARDS[edit]
    study = study_of("gpt2")
    for mediator in ("residual", "mlp_out"):
        wanted = small_steps(study, mediator, by, towards)(study.metric)
        agree(moved(study.estimate(mediator, by, edit=whole)), wanted)


# --- what must be exact ---------------------------------------------------------------------------


def without_last_norm() -> mw.Study:
    """A GPT-2 whose logits are linear in what the last block adds."""
    model: Any = random_model("gpt2")
    model.transformer.ln_f = torch.nn.Identity()
    pairs = [random_pair("gpt2", seed, length=6, first=2) for seed in range(3)]
    return mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), pairs)


@pytest.mark.parametrize(
    "edit", [mw.Patch(), mw.Zero(), mw.Mean(), mw.Mean("corrupt"), mw.Scale(-1)], ids=repr
)
@pytest.mark.parametrize("mediator", ["mlp_out", "mlp_unit", "neuron"])
def test_where_the_metric_is_linear_estimates_are_exact(mediator: str, edit: mw.Edit) -> None:
    study = without_last_norm()
    estimate = study.estimate(mediator, edit=edit, layers=4)
    exact = study.sweep(mediator, edit=edit, layers=4, progress=False)
    assert np.abs(estimate.corners()["Y01"] - exact.corners()["Y01"]).max() < 1e-9
    assert np.abs(estimate.corners()["Y10"] - exact.corners()["Y10"]).max() < 1e-9
    (check,) = (one for one in estimate.checks if one.name == "estimate")
    assert check.ok


def test_the_parts_of_a_sum_add_up() -> None:
    for kind in ("gpt2", "llama"):
        study = study_of(kind)
        heads, neurons = study.estimate("head").pairs("PIE"), study.estimate("neuron").pairs("TIE")
        np.testing.assert_allclose(
            heads.sum(axis=2), study.estimate("attn_out").pairs("PIE"), atol=1e-9
        )
        np.testing.assert_allclose(
            neurons.sum(axis=2), study.estimate("mlp_out").pairs("TIE"), atol=1e-9
        )


@pytest.mark.parametrize("mediator", ["head", "residual", "key"])
def test_positions_add_up_to_the_component(mediator: str) -> None:
    study = study_of("llama")
    for key in ("PIE", "TIE"):
        apart = study.estimate(mediator, "position").pairs(key).sum(axis=-1)
        np.testing.assert_allclose(apart, study.estimate(mediator).pairs(key), atol=1e-9)


@settings(max_examples=12, deadline=None)
@given(
    kind=st.sampled_from(["gpt2", "llama", "gpt_neox"]),
    mediator=st.sampled_from(["head", "neuron", "residual", "value"]),
    seed=st.integers(0, 999),
    metric=st.sampled_from([mw.LogitDiff(), mw.LogProb(), mw.ProbDiff()]),
)
def test_swapping_the_prompts_swaps_pie_and_tie(
    kind: str, mediator: str, seed: int, metric: mw.Metric
) -> None:
    pair = random_pair(kind, seed, length=5, first=2)
    other = mw.PromptPair(pair.corrupt, pair.clean, pair.answer, pair.wrong)
    one, two = (mw.Study(lm_of(kind), p, metric=metric).estimate(mediator) for p in (pair, other))
    np.testing.assert_allclose(one["PIE"], -two["TIE"], atol=1e-9)
    np.testing.assert_allclose(one["TIE"], -two["PIE"], atol=1e-9)
    np.testing.assert_allclose(one["INT"], two["INT"], atol=1e-9)


# --- the cells are the sweep's --------------------------------------------------------------------


@pytest.mark.parametrize("by", [None, "position"])
@pytest.mark.parametrize("mediator", ["head", "key", "residual", "mlp_out", "embedding"])
@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero()], ids=repr)
def test_axes_labels_and_implied_zeros_are_those_of_the_sweep(
    mediator: str, by: str | None, edit: mw.Edit
) -> None:
    study = study_of("llama")
    estimate = study.estimate(mediator, by, edit=edit)
    exact = study.sweep(mediator, by, edit=edit, progress=False)
    assert dict(estimate.axes) == dict(exact.axes)
    assert estimate.labels == exact.labels
    zero = exact.status == Status.IMPLIED_ZERO
    assert ((estimate.status == Status.IMPLIED_ZERO) == zero).all()
    assert (estimate.status[~zero] == Status.ESTIMATE).all()
    assert (moved(estimate)[..., zero] == 0).all()
    if by == "position" and edit == mw.Patch():
        assert zero.any()


# --- where they fail ------------------------------------------------------------------------------


def test_a_saturated_softmax_hides_the_head_that_does_the_work() -> None:
    """The induction head's attention is so sure that a little of the other key moves nothing."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    estimate, exact = study.estimate("head"), study.sweep("head", progress=False)
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(exact[key], [[2.0], [2.0]], atol=1e-6)
        np.testing.assert_allclose(estimate[key], [[0.0], [2.0]], atol=1e-6)
    # Where the head reads another value, and not another key, nothing is saturated.
    study.contrast = mw.Contrast([mw.models.induction_pairs()["value swap"]])
    np.testing.assert_allclose(study.estimate("head")["PIE"], [[0.0], [2.0]], atol=1e-6)


def test_a_gate_is_off_or_counted_twice() -> None:
    """AND: from (0, 0) no slope leads up; from (1, 1) each input's slope is the whole effect."""
    study = mw.Study(mw.models.gate("AND"), mw.models.gate_pair())
    estimate, exact = study.estimate("attn_out"), study.sweep("attn_out", progress=False)
    assert [float(exact[key][0]) for key in ("PIE", "TIE")] == pytest.approx([1, 1])
    assert [float(estimate[key][0]) for key in ("PIE", "TIE")] == pytest.approx([0, 2])
    (check,) = (one for one in estimate.checks if one.name == "estimate")
    assert check.ok is False
    assert "attn0 on corrupt +0, run +1" in check.words


@pytest.mark.usefixtures("flat_too")
def test_kl_has_no_slope_on_its_own_prompt() -> None:
    estimate = study_of("gpt2", metric=mw.KL("clean")).estimate("head")
    assert np.abs(estimate["TIE"]).max() < 1e-9
    assert np.abs(estimate["PIE"]).max() > 1e-3
    assert not next(check.ok for check in estimate.checks if check.name == "estimate")


# --- what is left behind --------------------------------------------------------------------------


def state(model: Any) -> list[Any]:
    flags = [(p.requires_grad, p.grad, p._version) for p in model.parameters()]
    return [
        flags,
        model.training,
        torch.is_grad_enabled(),
        [m._forward_hooks for m in model.modules()],
    ]


def test_nothing_is_left_on_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = random_model("gpt2")
    model.transformer.wpe.weight.requires_grad = False
    study = mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), random_pair("gpt2", 0))
    before = [str(part) for part in state(model)]
    with torch.no_grad():
        one = study.estimate("head")
    with torch.inference_mode():
        two = study.estimate("head")
    np.testing.assert_array_equal(one.edited, two.edited)
    assert [str(part) for part in state(model)] == before

    def broken(*_: Any) -> Any:
        raise RuntimeError("in the middle of a pass")

    monkeypatch.setattr("mediawidget.pieces.read", broken)
    with pytest.raises(RuntimeError, match="in the middle"):
        study.estimate("head")
    assert [str(part) for part in state(model)] == before


def test_pairs_come_in_chunks_that_fit() -> None:
    study = study_of("gpt2", n=5)
    whole = study.estimate("neuron", "position")
    study.engine.budget = 1
    apart = study.estimate("neuron", "position")
    assert apart.facts["passes"] > whole.facts["passes"] + 3
    np.testing.assert_allclose(apart.edited, whole.edited, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_in_less_precision_estimates_are_near(dtype: torch.dtype) -> None:
    pairs = [random_pair("gpt2", seed) for seed in range(3)]
    wide = mw.Study(lm_of("gpt2"), pairs).estimate("head")
    narrow = mw.Study(lm_of("gpt2", dtype), pairs).estimate("head")
    allowed = 1e-4 if dtype == torch.float32 else 0.25
    assert np.abs(narrow["PIE"] - wide["PIE"]).max() < allowed * np.abs(wide["PIE"]).max()
    said = any("Gradients are in bfloat16" in check.words for check in narrow.checks)
    assert said == (dtype == torch.bfloat16)
