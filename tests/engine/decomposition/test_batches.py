"""Contextual decomposition of many sources and pairs at once: each as if it were alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.engine.cases import random_pair
from tests.engine.decomposition.asking import (
    KINDS,
    SOURCES,
    TARGETS,
    asked,
    heads,
    lm_of,
    study_of,
)


@pytest.mark.parametrize("budget", [None, 40_000])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_does_not_depend_on_the_others(kind: str, budget: int | None) -> None:
    study = study_of(kind, n=4)
    sources = [*SOURCES.values(), *heads(study.lm, 4)]
    whole = asked(study, sources, targets=TARGETS, baseline="corrupt")
    study.engine.budget = budget
    cut = asked(study, sources, targets=TARGETS, baseline="corrupt")
    assert (cut.passes > 4 * whole.passes) == (budget is not None)
    np.testing.assert_allclose(cut.metric, whole.metric, atol=1e-10)
    np.testing.assert_allclose(cut.targets, whole.targets, rtol=1e-8, atol=1e-10)
    alone = mw.Study(study.lm, study.contrast.pairs[2])
    for i in (1, 4, 7):
        one = asked(alone, [sources[i]], targets=TARGETS, baseline="corrupt")
        assert one.metric[0, 0] == pytest.approx(whole.metric[2, i], abs=1e-10)
        np.testing.assert_allclose(one.targets[0, :, 0], whole.targets[2, :, i], rtol=1e-8)


def test_rows_begin_where_their_source_is() -> None:
    """A late source costs the blocks behind it alone, beside the prompts' own row."""
    study = study_of("gpt2", n=1)
    n = study.lm.n_layers
    last = [(mw.Site("head", n - 1, head=head),) for head in range(3)]
    first = [(mw.Site("embedding", 0, position=at),) for at in range(3)]
    # Prompt and baseline each go through all blocks, or through as many as there are sources in.
    assert asked(study, last).forwards == pytest.approx(2 + 3 / n)
    assert asked(study, first).forwards == pytest.approx(1 + 3)


def test_what_is_read_before_a_source_knows_nothing_of_it() -> None:
    study = study_of("gpt2")
    early = mw.Study(study.lm, study.contrast, readout=mw.Readout(3))
    sources = [(mw.Site("head", 1, head=0, position=at),) for at in (5, 3, 2, 4)]
    together = asked(early, sources).metric
    alone = np.hstack([asked(early, [source]).metric for source in sources])
    np.testing.assert_allclose(together, alone, atol=1e-12)
    assert (together[:, [0, 3]] == 0).all()
    assert np.abs(together[:, [1, 2]]).min() > 1e-4
    whole = asked(early, sources, targets=[mw.Site("query", 4, head=0)])
    np.testing.assert_allclose(whole.metric, together, atol=1e-12)


def test_pairs_of_several_lengths_are_compared_with_their_own() -> None:
    short, long = (
        [random_pair("gpt2", seed, length, first=2) for seed in range(2)] for length in (5, 7)
    )
    both = asked(mw.Study(lm_of("gpt2"), [*short, *long]), heads(lm_of("gpt2"))).metric
    for pairs, found in ((short, both[:2]), (long, both[2:])):
        alone = mw.Study(lm_of("gpt2"), pairs)
        np.testing.assert_allclose(asked(alone, heads(alone.lm)).metric, found, atol=1e-10)


@pytest.mark.parametrize(("dtype", "atol"), [(torch.float32, 1e-4), (torch.bfloat16, 1.0)])
def test_in_the_models_own_precision(dtype: torch.dtype, atol: float) -> None:
    pairs = study_of("gpt2").contrast.pairs
    low = mw.Study(lm_of("gpt2", dtype), pairs)
    found = asked(low, heads(low.lm)).metric
    np.testing.assert_allclose(found, asked(study_of("gpt2"), heads(low.lm)).metric, atol=atol)


def test_the_model_is_left_as_it_was() -> None:
    study = study_of("gpt2")
    before = [(p.requires_grad, p._version, p.grad) for p in study.lm.hf.parameters()]
    with torch.inference_mode():
        one = asked(study, heads(study.lm))
    np.testing.assert_array_equal(one.metric, asked(study, heads(study.lm)).metric)
    assert [(p.requires_grad, p._version, p.grad) for p in study.lm.hf.parameters()] == before
