"""Clamping: a site becomes a constant, whatever it was; against the oracle."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.edits.base import BASES, edit_from_json
from tests.asking import raised
from tests.engine.cases import lm_of
from tests.engine.judging import compare, judge, pairs_of

LENGTH = 7
NEURON = mw.Site("neuron", 2, unit=5)
HEAD = mw.Site("head", 1, head=1, position=(4, 6))
STREAM = mw.Site("residual", 1, position=4)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_sites_are_set_to_numbers_and_to_vectors(kind: str) -> None:
    case, oracle = judge(kind, pairs_of(kind, 2, LENGTH))
    rng = np.random.default_rng(3)
    edits: dict[mw.Site, Any] = {
        NEURON: 3.0,
        mw.Site("embedding_unit", 0, unit=2, position=3): -1.5,
        mw.Site("mlp_unit", 1, unit=0): 0.25,
        HEAD: rng.normal(size=case.lm.d_head),
        STREAM: rng.normal(size=case.lm.d_model),
    }
    runs = [mw.Run(base, {s: mw.Clamp(v)}) for s, v in edits.items() for base in BASES]
    runs += [mw.Run(base, {s: mw.Clamp(v) for s, v in edits.items()}) for base in BASES]
    part = mw.Within(mw.Subspace.random(2, case.lm.d_model), mw.Clamp(edits[STREAM]))
    runs += [mw.Run(base, {STREAM: part}) for base in BASES]
    compare(case, oracle, runs)


def test_a_clamped_neuron_is_what_it_was_clamped_to() -> None:
    case, _ = judge("gpt2", pairs_of("gpt2", 2, LENGTH))
    run = mw.Run("corrupt", {NEURON: mw.Clamp(3.0)})
    np.testing.assert_array_equal(case.study.activations(NEURON, run).array, 3.0)


def test_an_edge_is_clamped_to_a_probability() -> None:
    case, _ = judge("gpt2", pairs_of("gpt2", 2, LENGTH))
    edge = mw.Site("edge", 1, head=0, position=5, key=2)
    zero, clamped = (case.study.intervene({edge: e}) for e in (mw.Zero(), mw.Clamp(0.0)))
    np.testing.assert_array_equal(zero.edited, clamped.edited)
    assert not np.allclose(case.study.intervene({edge: mw.Clamp(0.9)}).edited, zero.edited)


def test_a_sweep_of_neurons_clamped_to_zero_is_their_ablation() -> None:
    case, _ = judge("gpt2", pairs_of("gpt2", 2, LENGTH))
    clamped = case.study.sweep("neuron", layers=[2], edit=mw.Clamp(0.0), progress=False)
    ablated = case.study.sweep("neuron", layers=[2], edit=mw.Zero(), progress=False)
    np.testing.assert_array_equal(clamped.edited, ablated.edited)
    # The same constant on both prompts: what is left of the total effect exists.
    np.testing.assert_allclose(clamped["CDE"], clamped["TE"] - clamped["difference"], atol=1e-9)


def test_a_small_clamp_is_estimated_by_its_gradient() -> None:
    case, _ = judge("gpt2", pairs_of("gpt2", 1, LENGTH))
    site, by = mw.Site("neuron", 2, unit=5, position=LENGTH - 1), {"END": LENGTH - 1}
    value = float(case.study.activations(site).array.item())
    small = mw.Clamp(value + 1e-4)
    exact = case.study.sweep("neuron", by, small, progress=False)
    guess = case.study.estimate("neuron", by, edit=small)
    moved, guessed = (effect["clean"][2, 5, 0] for effect in (exact, guess))
    assert abs(moved) > 1e-9
    assert guessed == pytest.approx(moved, rel=1e-3)


VALUES = [3.0, 0, [1.0, 2.0], np.arange(3.0), torch.ones(2), np.float32(2)]


@pytest.mark.parametrize("value", VALUES)
def test_json_there_and_back(value: Any) -> None:
    edit = mw.Clamp(value)
    again = edit_from_json(edit.to_json())
    assert again == edit
    assert hash(again) == hash(edit)


@pytest.mark.parametrize(
    "wrong",
    [None, True, "high", float("nan"), [], [[1.0]], [1.0, float("inf")], [None], {1.0}, {"a": 1}],
)
def test_what_is_no_constant_is_refused(wrong: Any) -> None:
    raised(lambda: mw.Clamp(wrong))


def test_a_number_at_a_wide_site_another_width_and_patterns_are_refused() -> None:
    case, _ = judge("gpt2", pairs_of("gpt2", 2, LENGTH))
    assert "One number" in str(raised(lambda: case.study.intervene({STREAM: mw.Clamp(1.0)})))
    assert "as wide" in str(raised(lambda: case.study.intervene({STREAM: mw.Clamp([1.0, 2.0])})))
    pattern = mw.Site("pattern", 1, head=0)
    vector = mw.Clamp(np.ones(LENGTH))
    assert "edge by edge" in str(raised(lambda: case.study.intervene({pattern: vector})))
    assert lm_of("gpt2").d_model != 2
