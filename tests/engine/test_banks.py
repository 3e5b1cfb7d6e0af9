"""The passes that means and noise are made of: cut by what they hand out, of one part at a time."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import banks, chunks
from mediawidget.banks import fill_bank
from mediawidget.constants import Bank
from mediawidget.outcomes import Outcomes
from mediawidget.plan import Template, make_template
from mediawidget.runner import Batch, observe
from tests.engine.cases import lm_of, random_pair

N_PAIRS, N_TOKENS = 12, 10
EDITS = pytest.mark.parametrize("edit", [mw.Mean(), mw.Noise(1.0)], ids=["mean", "noise"])


def study_of(dtype: torch.dtype = torch.float64) -> mw.Study:
    pairs = [random_pair("gpt2", 300 + i, length=N_TOKENS, first=8) for i in range(N_PAIRS)]
    return mw.Study(lm_of("gpt2", dtype), pairs)


def neurons(study: mw.Study, edit: mw.Edit) -> Template:
    """One neuron a layer, at the last position: its whole layer is captured."""
    last = N_TOKENS - 1
    sites = [mw.Site("neuron", at, unit=2, position=last) for at in range(study.lm.n_layers)]
    runs = [mw.Run("corrupt", {site: edit}) for site in sites]
    return make_template(runs, study.engine.groups[0].frame)


def filled(study: mw.Study, template: Template, budget: int | None) -> Bank:
    outcomes = Outcomes.empty(1, 1, ())
    return fill_bank(study.lm, template, study.engine.groups[0], outcomes, budget)


class Watched:
    """``observe``, and what it was asked for; what it gave before must be gone."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.nbytes: list[int] = []
        self._given: list[weakref.ref[torch.Tensor]] = []

    def __call__(self, lm: Any, ids: torch.Tensor, places: Any) -> Any:
        assert not [ref for ref in self._given if ref() is not None]
        seen = observe(lm, ids, places)
        self.rows.append(len(ids))
        self.nbytes.append(sum(value.nbytes for value in seen.values()))
        self._given = [weakref.ref(value) for value in seen.values()]
        return seen


@EDITS
def test_what_a_pass_captures_fits_the_budget(
    edit: mw.Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_of()
    lm, template = study.lm, neurons(study, edit)
    captured = N_TOKENS * lm.n_layers * lm.d_mlp * 8  # bytes of one prompt
    places = [(1 + layer, "neurons") for layer in range(lm.n_layers)]
    each = chunks.row_bytes(lm, template, places) + captured
    # Whole prompts are computed, whatever the runs themselves have in common.
    assert chunks.row_bytes(lm, template, places) > 2 * chunks.row_bytes(lm, template)
    watched = Watched()
    monkeypatch.setattr(banks, "observe", watched)
    budget = 5 * each
    filled(study, template, budget)
    assert sum(watched.rows) == N_PAIRS
    assert max(watched.rows) in (3, 4)
    assert max(watched.nbytes) == max(watched.rows) * captured
    watched.rows.clear()
    filled(study, template, None)
    assert watched.rows == [N_PAIRS]


@EDITS
def test_a_budget_below_one_prompt_takes_one_and_says_so(
    edit: mw.Edit, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, watched = study_of(), Watched()
    monkeypatch.setattr(banks, "observe", watched)
    with pytest.warns(UserWarning, match="One run of these prompts needs"):
        filled(study, neurons(study, edit), 1)
    assert watched.rows == [1] * N_PAIRS


@EDITS
def test_the_bank_does_not_depend_on_the_budget(edit: mw.Edit) -> None:
    study = study_of()
    template = neurons(study, edit)
    whole, cut = filled(study, template, None), filled(study, template, 1)
    assert len(whole.means) + len(whole.spreads) == study.lm.n_layers
    torch.testing.assert_close(cut.means, whole.means, atol=1e-12, rtol=0)
    torch.testing.assert_close(cut.spreads, whole.spreads, atol=1e-12, rtol=0)


def test_a_mean_in_half_precision_is_rounded_once() -> None:
    """As many roundings as parts would leave a mean that the budget decides."""
    study = study_of(torch.bfloat16)
    group, template = study.engine.groups[0], neurons(study, mw.Mean())
    means = filled(study, template, 1).means
    for (stage, point, base), mean in means.items():
        prompts = group.pools[base].ids  # type: ignore[index]
        alone = [observe(study.lm, one[None], [(stage, point)]) for one in prompts]
        exact = torch.cat([seen[stage, point] for seen in alone]).double().mean(0)
        torch.testing.assert_close(mean.double(), exact, rtol=1.01 * 2**-8, atol=1e-6)


@pytest.mark.parametrize("site", [mw.Site("neurons", 1), mw.Site("pattern", 1, head=0)], ids=str)
def test_activations_are_read_within_the_budget(
    site: mw.Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pair's prompts and its run are in a pass together, and what is captured beside them."""
    study, seen = study_of(), []
    run = mw.Run("clean", {mw.Site("residual", 0): mw.Scale(0.5)})
    whole = study.engine.values(site, run).array
    inside = Batch.observe

    def counted(self: Batch, places: Sequence[Any]) -> Any:
        seen.append(len(self.pairs))
        return inside(self, list(places))

    monkeypatch.setattr(Batch, "observe", counted)
    frame = replace(study.engine.groups[0].frame, reads=tuple(range(N_TOKENS)))
    template = make_template([run], frame)
    place = (2, "neurons" if site.mediator == "neurons" else "pattern")
    study.engine.budget = 4 * 3 * chunks.row_bytes(study.lm, template, [place])
    cut = study.engine.values(site, run).array
    assert max(seen) <= 4
    np.testing.assert_allclose(cut, whole, atol=1e-6 if site.mediator == "pattern" else 1e-12)
