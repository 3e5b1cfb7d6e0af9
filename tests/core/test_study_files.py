"""A saved study answers as before, to the last bit, or says why it cannot."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from tests.asking import pair
from tests.core.saving import HEAD, OTHER, PAIRS, asked, same
from tests.engine.cases import lm_of
from tests.small_models import random_model, tokenizer_of


@pytest.fixture(scope="module")
def lm() -> mw.LM:
    found: mw.LM = lm_of("gpt2")
    return found


@pytest.fixture
def saved(lm: mw.LM, tmp_path: Path) -> tuple[mw.Study, Path]:
    study = asked(lm)
    return study, study.save(tmp_path / "study.json")


def test_everything_comes_back_to_the_last_bit(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    back = mw.Study.load(path, study.lm)
    assert back.contrast == study.contrast
    assert [p.roles for p in back.contrast] == [p.roles for p in study.contrast]
    assert (back.metric, back.edit, back.readout) == (study.metric, study.edit, study.readout)
    assert back.history.names == study.history.names
    assert back.history.cursor == study.history.cursor == 4
    assert len(back.history) == len(study.history) == 6
    for mine, its in zip(study.history, back.history, strict=True):
        assert (mine is None) == (its is None)
        if mine and its:
            same(mine.effect, its.effect)
            assert mine.sites == its.sites
            assert mine.freeze == its.freeze
            assert list(mine.next_tokens) == list(its.next_tokens)
    grids, restored = (list(one.record().grids.items()) for one in (study, back))
    assert [(e.to_json(), k) for e, k, _ in grids] == [(e.to_json(), k) for e, k, _ in restored]
    assert len(restored) >= 4
    for (_, _, a), (_, _, b) in zip(grids, restored, strict=True):
        same(a, b)
    same(study.known_total, back.known_total)
    same(study.last, back.last)


def test_what_is_restored_goes_on_as_before(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    back = mw.Study.load(path, study.lm)
    assert back.selection == (HEAD, OTHER)
    assert back.redo()
    entry = back.history.current
    assert entry is not None
    # Values are equal to themselves alone, so the edit must be the very one its effect is of.
    assert list(entry.edits.values()) == [entry.effect.edit]
    assert back.undo()
    assert back.undo()
    assert back.last is None
    back.intervene(HEAD)
    assert len(back.history) == 5
    assert back.grids["head"]["PIE"][1, 1] == pytest.approx(study.grids["head"]["PIE"][1, 1])
    back.metric = mw.Prob()
    study.metric = mw.Prob()
    np.testing.assert_array_equal(back.grids["head"]["TIE"], study.grids["head"]["TIE"])


def test_a_loaded_study_runs_nothing_but_its_prompts(
    saved: tuple[mw.Study, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    study, path = saved
    runs: list[int] = []
    evaluate = type(study.engine).evaluate

    def counted(engine: Any, asked: Any, *args: Any, **more: Any) -> Any:
        runs.append(len(asked))
        return evaluate(engine, asked, *args, **more)

    monkeypatch.setattr(type(study.engine), "evaluate", counted)
    mw.Study.load(path, study.lm)
    assert runs == [0]


def own_model() -> mw.LM:
    """A model that no other test shares."""
    return mw.load(random_model("gpt2", torch.float32), tokenizer=tokenizer_of("gpt2"))


def test_what_overflowed_comes_back_as_no_number(tmp_path: Path) -> None:
    lm = own_model()
    study = mw.Study(lm, PAIRS[0])
    study.intervene({mw.Site("residual", 2): mw.Scale(1e38)})
    before = study.history.current
    after = mw.Study.load(study.save(tmp_path / "a.json"), lm).history.current
    assert before is not None
    assert after is not None
    for name, top in before.next_tokens[0].items():
        loaded = after.next_tokens[0][name]
        assert [token for token, _ in top] == [token for token, _ in loaded]
        np.testing.assert_array_equal([p for _, p in top], [p for _, p in loaded])
    assert np.isnan([p for _, p in after.next_tokens[0]["broken"]]).all()


def changed_weight(lm: mw.LM) -> torch.Tensor:
    """A weight to be changed."""
    model: Any = lm.hf
    found: torch.Tensor = model.transformer.h[0].mlp.c_fc.weight
    return found


@pytest.mark.parametrize("counted", [True, False])
def test_results_of_weights_that_are_no_more_are_not_saved(tmp_path: Path, counted: bool) -> None:
    lm, path = own_model(), tmp_path / "a.json"
    study = mw.Study(lm, PAIRS[0])
    study.sweep("head", progress=False)
    weight = changed_weight(lm)
    with torch.no_grad():
        (weight if counted else weight.data).mul_(1.5)
    with pytest.raises(mw.MediationError, match="weights have changed"):
        study.save(path)
    assert not path.exists()
    study.sweep("head", progress=False)
    same(study.grids["head"], mw.Study.load(study.save(path), lm).grids["head"])


def test_nothing_but_the_prompts_is_saved_under_any_weights(tmp_path: Path) -> None:
    lm = own_model()
    study = mw.Study(lm, PAIRS[0])
    study.total  # noqa: B018
    with torch.no_grad():
        changed_weight(lm).mul_(1.5)
    loaded = mw.Study.load(study.save(tmp_path / "a.json"), lm)
    assert float(loaded.known_total["TE"]) == float(mw.Study(lm, PAIRS[0]).total["TE"])


def test_a_file_may_be_read_by_whom_the_umask_says(lm: mw.LM, tmp_path: Path) -> None:
    study, path = mw.Study(lm, PAIRS[0]), tmp_path / "a.json"
    before = os.umask(0o027)
    try:
        study.save(path)
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        path.chmod(0o600)
        study.save(path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_columns_of_an_earlier_metric_come_back(lm: mw.LM, tmp_path: Path) -> None:
    study = mw.Study(lm, pair(), metric=mw.KL())
    study.intervene(HEAD)
    study.metric = mw.LogitDiff()
    back = mw.Study.load(study.save(tmp_path / "s.json"), lm)
    back.metric = mw.KL()
    assert back.last is not None
    study.metric = mw.KL()
    assert study.last is not None
    assert back.last["Y01"] == study.last["Y01"]


def odds(kept: Any) -> Any:
    return np.exp(kept["answer"] - kept["logit:gnu"])


def test_a_function_of_mine_is_given_again(lm: mw.LM, tmp_path: Path) -> None:
    mine = mw.Function(odds, tokens=["gnu"])
    study = mw.Study(lm, pair(), metric=mine)
    study.intervene(HEAD)
    path = study.save(tmp_path / "s.json")
    with pytest.raises(mw.MediationError, match="a file cannot hold a function") as refused:
        mw.Study.load(path, lm)
    assert "tokens=['gnu']" in refused.value.fix
    back = mw.Study.load(path, lm, metric=mine)
    assert study.last is not None
    assert back.last is not None
    assert back.last["PIE"] == study.last["PIE"]
    assert mw.Study.load(path, lm, metric=mw.Prob()).metric == mw.Prob()
    with pytest.raises(mw.MediationError, match="did not keep"):
        mw.Study.load(path, lm, metric=mw.KL())


# --- other models -------------------------------------------------------------------------------


def other_weights() -> mw.LM:
    return mw.load(random_model("gpt2", seed=1), tokenizer=tokenizer_of("gpt2"))


def one_bit_off() -> mw.LM:
    model = random_model("gpt2")
    weight = next(model.parameters()).detach()
    weight.view(torch.uint8).reshape(-1)[0] ^= 1
    return mw.load(model, tokenizer=tokenizer_of("gpt2"))


def another_class() -> mw.LM:
    return mw.load(random_model("gpt_neo"), tokenizer=tokenizer_of("gpt2"))


@pytest.mark.parametrize("make", [other_weights, one_bit_off, another_class])
def test_another_model_is_refused(saved: tuple[mw.Study, Path], make: Callable[[], mw.LM]) -> None:
    with pytest.raises(mw.MediationError, match="other weights") as refused:
        mw.Study.load(saved[1], make())
    assert "rerun=True" in refused.value.fix


def test_the_same_weights_anew_are_the_same_model(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    again = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    same(mw.Study.load(path, again).last, study.last)


def test_what_no_weight_shows_is_refused_too(saved: tuple[mw.Study, Path]) -> None:
    model: Any = random_model("gpt2")
    model.transformer.h[0].register_forward_hook(lambda _, __, out: out * 1.01)
    lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
    with pytest.raises(mw.MediationError, match="does not compute what it did"):
        mw.Study.load(saved[1], lm)


def test_another_tokenizer_is_refused(saved: tuple[mw.Study, Path]) -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("llama"))
    with pytest.raises(mw.MediationError, match="in other tokens"):
        mw.Study.load(saved[1], lm, rerun=True)


def test_a_rerun_asks_the_same_of_other_weights(saved: tuple[mw.Study, Path]) -> None:
    study, path = saved
    lm = other_weights()
    back = mw.Study.load(path, lm, rerun=True)
    assert back.history.names == study.history.names
    assert back.history.cursor == study.history.cursor
    fresh = mw.Study(lm, study.contrast)
    fresh.intervene([HEAD, OTHER], freeze=("mlp_out", mw.Site("head", 2, head=0)))
    assert back.last is not None
    assert fresh.last is not None
    assert back.last["PIE"] == pytest.approx(fresh.last["PIE"], abs=1e-9)
    assert study.last is not None
    assert abs(back.last["PIE"] - study.last["PIE"]) > 1e-3


def test_a_rerun_on_a_model_without_a_site_names_the_entry(tmp_path: Path) -> None:
    study = mw.Study(lm_of("gpt2"), pair())
    study.intervene(HEAD)
    study.intervene(mw.Site("mlp_out", 4))
    path = study.save(tmp_path / "s.json")
    small = mw.load(random_model("gpt_neo"), tokenizer=tokenizer_of("gpt2"))
    with pytest.raises(mw.MediationError, match="Entry 2 of the history"):
        mw.Study.load(path, small, rerun=True)
