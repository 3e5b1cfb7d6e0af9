"""Models that are not the same twice, or not the same beside others, are found out by edges too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.rewiring.inputs import change_of
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
