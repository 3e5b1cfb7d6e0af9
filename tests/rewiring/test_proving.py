"""Models that are not the same twice, or not the same beside others, are found out by edges too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.rewiring import Bench
from mediawidget.rewiring.evaluating import row_bytes
from mediawidget.rewiring.inputs import change_of
from mediawidget.rewiring.passing import Pass
from mediawidget.rewiring.proving import refuse_unproven
from tests.engine.cases import lm_of, random_pair

NONE_SHOWN = "none of its numbers is shown"


def study_of(n: int = 2) -> mw.Study:
    return mw.Study(lm_of("gpt2"), mw.Contrast([random_pair("gpt2", seed) for seed in range(n)]))


@contextmanager
def hooked(study: mw.Study, change: Callable[[Any], Any]) -> Iterator[None]:
    model: Any = study.lm.hf
    mlp = model.transformer.h[1].mlp
    handle = mlp.register_forward_hook(lambda _, __, output: change(output))
    try:
        yield
    finally:
        handle.remove()


HOOKS: dict[str, Callable[[Any], Any]] = {
    "draws at random": lambda output: output + 0.5 * torch.randn_like(output),
    "mixes rows": lambda output: output + output.mean(0, keepdim=True),
}

ASKED: dict[str, Callable[[mw.Study], Any]] = {
    "exact_edges": lambda study: mw.search.exact_edges(study, progress=False),
    "exact_edges, zero": lambda s: mw.search.exact_edges(s, ablation="zero", progress=False),
    "exact_edges, corrupt": lambda s: mw.search.exact_edges(s, base="corrupt", progress=False),
    "acdc": lambda study: mw.search.acdc(study, 0.01, progress=False),
    "eap": mw.search.eap,
    "eap, mean": lambda study: mw.search.eap(study, ablation="mean", steps=2),
    "masks": lambda study: mw.search.masks(study, "edge", steps=2, progress=False),
    "evaluation": lambda study: mw.evaluation.EdgeValues(study)([mw.Circuit([], [])]),
}


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("asked", ASKED)
def test_no_number_of_edges_is_shown(asked: str, hook: str) -> None:
    study = study_of()
    with hooked(study, HOOKS[hook]), pytest.raises(mw.MediationError, match=NONE_SHOWN):
        ASKED[asked](study)
    ASKED[asked](study)


@pytest.mark.parametrize("hook", HOOKS)
def test_one_pair_is_enough_to_tell(hook: str) -> None:
    study = study_of(1)
    with hooked(study, HOOKS[hook]), pytest.raises(mw.MediationError, match=NONE_SHOWN):
        mw.search.exact_edges(study, progress=False)


def test_edges_that_carry_something_else_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    study = study_of()
    wrong = "mediawidget.rewiring.passing.change_of"
    monkeypatch.setattr(wrong, lambda *given: 0.5 * change_of(*given))
    with pytest.raises(mw.MediationError, match="the other prompt's logits") as error:
        mw.search.exact_edges(study, progress=False)
    assert "a plain pass's" not in str(error.value)


@pytest.mark.parametrize("hook", HOOKS)
def test_paths_are_withheld_as_sweeps_are(hook: str) -> None:
    study = study_of()
    with hooked(study, HOOKS[hook]):
        effect = mw.search.path(study, mw.Site("head", 0, head=1), mw.Site("mlp_out", 1))
    assert {check.name for check in effect.checks if check.ok is False} >= {"plain forward"}
    assert np.isnan(effect["PIE"]).all()
    assert (effect.status == mw.Status.FAILED).all()


def test_circuits_of_one_evaluation_are_proven_once(monkeypatch: pytest.MonkeyPatch) -> None:
    proven: list[Any] = []

    def counted(engine: Any, part: Any) -> None:
        proven.append(part)
        refuse_unproven(engine, part)

    monkeypatch.setattr("mediawidget.rewiring.evaluating.refuse_unproven", counted)
    study = study_of()
    values = mw.evaluation.EdgeValues(study)
    values([mw.Circuit([], [])])
    once = len(proven)
    assert once == len(study.engine.groups)
    values([values.full])
    assert len(proven) == once
    # Other weights are proven anew.
    with torch.no_grad():
        next(study.lm.hf.parameters()).mul_(1.0)
    values([values.full])
    assert len(proven) == 2 * once


@pytest.mark.parametrize("hook", HOOKS)
def test_what_is_hooked_between_two_calls_is_told(hook: str) -> None:
    study = study_of()
    values = mw.evaluation.EdgeValues(study)
    before = values([values.empty])
    with hooked(study, HOOKS[hook]), pytest.raises(mw.MediationError, match=NONE_SHOWN):
        values([values.empty])
    np.testing.assert_array_equal(values([values.empty]), before)


def test_what_cut_edges_carry_is_of_the_model_as_it_is() -> None:
    """Settings and hooks are none of its tensors, and move what senders write all the same."""
    study = study_of()
    values = mw.evaluation.EdgeValues(study)
    before = values([values.empty])
    with hooked(study, lambda output: 0.3 * output):
        now = values([values.empty])
        np.testing.assert_array_equal(now, mw.evaluation.EdgeValues(study)([values.empty]))
    assert np.abs(now - before).max() > 1e-3
    model: Any = study.lm.hf
    model.transformer.h[0].ln_1.eps = 0.5
    try:
        now = values([values.empty])
        np.testing.assert_array_equal(now, mw.evaluation.EdgeValues(study)([values.empty]))
    finally:
        model.transformer.h[0].ln_1.eps = 1e-5
    assert np.abs(now - before).max() > 1e-3


def test_circuits_at_roles_are_proven_once_too(monkeypatch: pytest.MonkeyPatch) -> None:
    proven: list[Any] = []

    def counted(engine: Any, part: Any) -> None:
        proven.append(part)
        refuse_unproven(engine, part)

    monkeypatch.setattr("mediawidget.rewiring.evaluating.refuse_unproven", counted)
    pairs = [replace(random_pair("gpt2", seed), roles={"it": 1}) for seed in range(2)]
    values = mw.evaluation.EdgeValues(mw.Study(lm_of("gpt2"), pairs))
    circuit = mw.Circuit([mw.Site("head", 0, head=0, position="it")], name="one")
    first = values([circuit])
    assert len(proven) == 1
    np.testing.assert_array_equal(values([circuit]), first)
    assert len(proven) == 1


@pytest.mark.parametrize(("rows", "most"), [(1, 1), (2, 2), (4, 4), (100, 6)])
def test_a_proof_keeps_to_the_budget(rows: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    study, seen = study_of(), []
    logits = Pass.logits

    def watched(self: Pass, *given: Any) -> Any:
        seen.append(len(self.cut))
        return logits(self, *given)

    monkeypatch.setattr(Pass, "logits", watched)
    frame = study.engine.groups[0].frame
    study.engine.budget = rows * row_bytes(study.lm, frame.n_positions, len(frame.read_at))
    bench = Bench(study.engine)
    assert bench.parts
    assert max(seen) == most


def test_a_rank_that_rounding_moves_proves_nothing() -> None:
    """A count is no logit, and half precision moves it by more than one."""
    lm = mw.load(dtype=torch.bfloat16)
    for pair in mw.tasks.greater_than(lm, n=12):
        study = mw.Study(lm, pair, metric=mw.Rank())
        values = mw.evaluation.EdgeValues(study)
        assert np.isfinite(values([values.full])).all()
        checks = study.sweep("head", layers=[5], progress=False).checks
        words = [check.words for check in checks if check.ok is False]
        assert not any("logits" in one for one in words), words
