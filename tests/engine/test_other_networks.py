"""Networks that are no decoders of tokens: BERT and its classifier, Mamba. Against plain hooks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.edits.base import BASES
from tests.engine.cases import lm_of
from tests.engine.judging import compare, judge, pairs_of
from tests.engine.test_random_runs import mediators_of, runs
from tests.small_models import OTHER_KINDS, random_model, tokenizer_of

POSITIONS = (None, 0, (2, 5))


def every_site(lm: Any, mediator: str) -> list[mw.Site]:
    """Sites in the first, a middle and the last layer, at some positions and at all."""
    known = mw.mediators.MEDIATORS[mediator]
    last = known.n_layers(lm.shape) - 1
    found = []
    for i, layer in enumerate(sorted({0, last // 2, last})):
        index = {known.index: known.units(lm.shape) - 1 - i} if known.index else {}
        if known.keyed:
            found += [mw.Site(mediator, layer, **index, position=p, key=k) for p, k in ((4, 1),)]
        else:
            found += [mw.Site(mediator, layer, **index, position=p) for p in POSITIONS]
    return found


@pytest.mark.parametrize("kind", OTHER_KINDS)
@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero()], ids=["patch", "zero"])
def test_every_mediator_is_the_oracles(kind: str, edit: mw.Edit) -> None:
    made, oracle = judge(kind, pairs_of(kind, 2))
    found = [
        mw.Run(base, {site: edit})
        for mediator in mediators_of(kind)
        for site in every_site(made.lm, mediator)
        for base in BASES
    ]
    outcomes = compare(made, oracle, found)
    assert np.ptp(outcomes.kept[:, 0, 0]) > 0.1, "the cases tell runs apart"


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_random_runs(kind: str) -> None:
    made, oracle = judge(kind, pairs_of(kind, 3))

    @settings(max_examples=6, deadline=None, derandomize=True, database=None)
    @given(st.lists(runs(kind, 1), min_size=1, max_size=4), st.booleans())
    def check(some: list[mw.Run], recall: bool) -> None:
        compare(made, oracle, some, recall=recall)

    check()


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_a_folder_is_loaded_as_what_it_was_saved_as(kind: str, tmp_path: Path) -> None:
    model = random_model(kind)
    model.save_pretrained(tmp_path)
    tokenizer_of(kind).save_pretrained(tmp_path)
    lm = mw.load(tmp_path, dtype=torch.float64, device="cpu")
    assert type(lm.hf) is type(model)
    assert lm.causal == (kind in ("mamba", "t5"))
    pairs = pairs_of(kind, 1)
    found = [mw.Study(one, pairs).total["TE"] for one in (lm, lm_of(kind))]
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-9)
