"""What is exact for causal decoders alone, and is asked of the model: taken here it would be wrong.

Every test lets the engine take a shortcut that a model is not fit for, sees that the numbers are
then not the oracle's, and that without our interference they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import engine as engine_module
from mediawidget import groups
from mediawidget.edits.base import BASES
from mediawidget.lm import LM
from tests.engine.cases import lm_of
from tests.engine.judging import Judge, compare, judge, pairs_of
from tests.small_models import OTHER_KINDS

SHAPE: Any = LM.shape
AS_IF_CAUSAL = property(lambda self: replace(SHAPE.__get__(self), causal=True))
#: Far more than rounding, in logits.
WRONG = 1e-3


def gap(study: mw.Study, oracle: Judge, runs: list[mw.Run], *, recall: bool = False) -> float:
    """How far the engine is from the oracle, at most."""
    engine = engine_module.Engine(study.lm, study.token_pairs)
    kept = (engine.recall if recall else engine.evaluate)(runs).kept
    right = [[oracle.judged(run, i) for i in range(len(study.contrast))] for run in runs]
    return float(np.abs(kept - np.array(right)).max())


def by_position(mediator: str, layer: int, length: int = 7) -> list[mw.Run]:
    sites = [mw.Site(mediator, layer, position=p) for p in range(length)]
    return [mw.Run(base, {site: mw.Patch()}) for base in BASES for site in sites]


def test_zeros_before_the_first_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """BERT reads what comes later, so that its prompts differ everywhere after one block."""
    made, oracle = judge("bert", pairs_of("bert", 2))
    runs = by_position("residual", 2)
    outcomes = compare(made, oracle, runs)
    assert not outcomes.implied.any()
    monkeypatch.setattr(groups, "_first_difference", lambda *_: 3)
    assert gap(made.study, oracle, runs) > WRONG


def test_nothing_behind_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """BERT is asked for its token 1, and tokens behind it are heard there."""
    made, oracle = judge("bert", pairs_of("bert", 2))
    runs = [mw.Run("clean", {mw.Site("attn_out", 1, position=p): mw.Zero()}) for p in range(7)]
    compare(made, oracle, runs)
    monkeypatch.setattr(LM, "shape", AS_IF_CAUSAL)
    assert gap(made.study, oracle, runs) > WRONG


def test_what_is_held_before_the_first_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is frozen holds everywhere in BERT, before the position that is edited too."""
    made, oracle = judge("bert", pairs_of("bert", 1))
    runs = [mw.Run("corrupt", {mw.Site("residual", 1, position=5): mw.Patch()}, ("mlp_out",))]
    compare(made, oracle, runs)
    monkeypatch.setattr(LM, "shape", AS_IF_CAUSAL)
    assert gap(made.study, oracle, runs) > WRONG


@pytest.mark.parametrize("kind", OTHER_KINDS)
def test_no_prefix_is_lent(kind: str) -> None:
    assert not lm_of(kind).lends_prefix


def test_a_lent_prefix_of_bert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys and values that a prefix has by itself are not those that it has in a longer prompt."""
    made, oracle = judge("bert", pairs_of("bert", 2))
    readout = mw.Readout(position=6)
    study = mw.Study(made.lm, made.contrast, readout=readout)
    monkeypatch.setattr(Judge, "read_at", lambda *_: 6)
    runs = [mw.Run(base, {mw.Site("mlp_out", 1, position=6): mw.Zero()}) for base in BASES]
    assert gap(study, oracle, runs) < 1e-9
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0)
    monkeypatch.setattr(LM, "lends_prefix", True)
    assert gap(study, oracle, runs) > WRONG


def test_skipped_blocks_of_t5(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block of T5 hands positions on beside the stream, so a click computes them all."""
    made, oracle = judge("t5", pairs_of("t5", 1))
    runs = [mw.Run("clean", {mw.Site("head", 2, head=1): mw.Patch()})]
    assert gap(made.study, oracle, runs, recall=True) < 1e-9
    monkeypatch.setattr(engine_module, "_recallable", lambda _: True)
    with pytest.raises(ValueError, match="unpack"):
        gap(made.study, oracle, runs, recall=True)


def test_the_middle_of_t5_is_no_full_cut() -> None:
    """Blocks behind it read the encoder of the run's own prompt."""
    made, oracle = judge("t5", pairs_of("t5", 1))
    cuts = [mw.Run("clean", {mw.Site("residual", layer): mw.Patch()}) for layer in (2, 4)]
    kept = compare(made, oracle, cuts).kept[:, 0, :2]
    other = oracle.run("corrupt")[:2]
    assert np.abs(kept[0] - other).max() > WRONG
    np.testing.assert_allclose(kept[1], other, rtol=0, atol=1e-9)


def test_edges_go_forward_where_tokens_see_what_comes_later() -> None:
    made, oracle = judge("bert", pairs_of("bert", 1))
    site = mw.Site("edge", 1, head=2, position=1, key=5)
    compare(made, oracle, [mw.Run("clean", {site: edit}) for edit in (mw.Zero(), mw.Knockout())])
    cells = made.study.sweep("edge", layers=0, progress=False)
    assert not (cells.status == mw.Status.IMPOSSIBLE).any()
    with pytest.raises(mw.MediationError, match="itself and to earlier"):
        mw.Study(lm_of("gpt2"), pairs_of("gpt2", 1)).intervene(site)
