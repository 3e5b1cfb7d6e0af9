"""Attribution to features: gradients by finite differences, sums, and the check by runs."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import features
from mediawidget.effects import Status
from tests.engine.cases import Case, lm_of, random_pair
from tests.engine.judging import judge, pairs_of
from tests.features.made import made
from tests.small_models import random_model, tokenizer_of

LENGTH, SMALL = 6, 1e-5
SITES = (mw.Site("residual", 1), mw.Site("head", 2, head=1), mw.Site("mlp_out", 1))


@lru_cache
def of(index: int) -> tuple[Case, features.SAE]:
    case, _ = judge("gpt2", pairs_of("gpt2", 2, LENGTH))
    site = SITES[index]
    lm = lm_of("gpt2")
    width = lm.d_head if site.mediator == "head" else lm.d_model
    return case, made("relu", width, site=site, centred=True)


@pytest.mark.parametrize("index", range(3))
def test_the_gradient_is_what_a_small_step_does(index: int) -> None:
    case, sae = of(index)
    study = case.study
    effect = features.attribute(study, sae)
    own, lent = (features.codes(study, sae, base) for base in ("corrupt", "clean"))
    at, units = LENGTH - 1, effect.axes["feature"][:-1]
    assert len(units) > 3
    for i, unit in enumerate(units):
        more = (lent - own)[:, at, int(unit)]
        step = features.steer(sae, int(unit), SMALL)
        (kept,) = study.engine.evaluate([mw.Run("corrupt", {sae.at(at): step})]).kept
        moved = (kept[:, 0] - kept[:, 1]) - effect.pairs("Y00")[:, 0, 0]
        expected = moved / SMALL * more
        np.testing.assert_allclose(effect.pairs("PIE")[:, i, at], expected, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("index", range(3))
def test_features_and_error_add_up_to_the_site(index: int) -> None:
    case, sae = of(index)
    study, site = case.study, sae.site
    whole = study.estimate(site.mediator, by="position", layers=[site.layer])
    cell = whole["TIE"][0] if site.head is None else whole["TIE"][0, site.head]
    parts = features.attribute(study, sae)
    assert (parts.status == Status.ESTIMATE).all()
    np.testing.assert_allclose(parts["TIE"].sum(axis=0), cell, atol=1e-9)
    everywhere = features.attribute(study, sae, by=None)
    np.testing.assert_allclose(parts["TIE"].sum(axis=1), everywhere["TIE"], atol=1e-9)


def test_integrated_gradients_add_up_to_the_run() -> None:
    case, sae = of(0)
    study = case.study
    exact = study.intervene(sae.at())
    for key in ("PIE", "TIE"):
        gaps = [
            abs(features.attribute(study, sae, method="ig", steps=n)[key].sum() - exact[key])
            for n in (2, 10, 60)
        ]
        assert gaps[2] < 0.02 * abs(exact[key])
        assert gaps[2] < gaps[0]


def test_completeness_is_checked_against_the_whole_site() -> None:
    """The cells' sum and the share it misses are told, and too few steps are flagged."""
    case, sae = of(0)
    study = case.study
    exact = study.intervene(sae.at())

    def check(**how: Any) -> Any:
        effect = features.attribute(study, sae, **how)
        (found,) = [one for one in effect.checks if one.name == "completeness"]
        off = max(abs(effect[key].sum() - exact[key]) for key in ("PIE", "TIE"))
        share = off / max(abs(exact["PIE"]), abs(exact["TIE"]))
        assert f"{share:.0%} off" in found.words
        assert found.ok == (share <= 0.1)
        return found

    assert check(method="ig").ok
    assert check(method="ig", by=None, steps=60).ok
    assert {check(method="ig", steps=n).ok for n in (1, 60)} == {False, True}
    check()


def spiked() -> tuple[mw.Study, features.SAE]:
    """The teaching model, whose heads go over from one name to the other within 0.4% of the way."""
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=8, seed=0)), features.teaching(3)


@pytest.mark.slow
def test_a_spike_of_the_gradient_is_integrated() -> None:
    """Each pair's sum is what its runs say; equal steps miss it, and many of them agree."""
    study, sae = spiked()
    exact = study.intervene(sae.at())
    found = features.attribute(study, sae, method="ig")
    size = {key: np.abs(exact.pairs(key)).mean() for key in ("PIE", "TIE")}
    for key, allowed in size.items():
        gap = np.abs(found.pairs(key).sum(axis=(1, 2)) - exact.pairs(key))
        assert gap.max() < 0.01 * allowed
    fifty = features.attribute(study, sae, method="ig", steps=50)
    gap = np.abs(fifty.pairs("PIE").sum(axis=(1, 2)) - exact.pairs("PIE"))
    assert gap.max() > 0.5 * size["PIE"]
    many = features.attribute(study, sae, method="ig", steps=1000)
    for key, allowed in size.items():
        np.testing.assert_allclose(found.pairs(key), many.pairs(key), atol=0.01 * allowed)
    assert 16 <= found.facts["points"] <= found.facts["most_points"] < 1000
    words = next(one.words for one in found.checks if one.name == "completeness")
    assert words.endswith(": 0% off.")


def test_only_the_cells_positions_are_moved() -> None:
    """Beside positions that stay their own the sum is still that of the run."""
    case, sae = of(0)
    exact = case.study.intervene({sae.at(LENGTH - 1): mw.Patch()})
    whole = case.study.intervene(sae.at())
    assert abs(exact["PIE"] - whole["PIE"]) > 0.02 * abs(whole["PIE"])
    for how in ({"tolerance": 1e-4}, {"steps": 200}):
        found = features.attribute(case.study, sae, {"last": LENGTH - 1}, "ig", **how)
        for key in ("PIE", "TIE"):
            assert found[key].sum() == pytest.approx(exact[key], rel=2e-3)


def test_cells_that_share_a_position_are_not_added_up() -> None:
    case, sae = of(0)
    found = features.attribute(case.study, sae, by={"late": (4, 5), "last": 5}, method="ig")
    (check,) = [one for one in found.checks if one.name == "completeness"]
    assert check.ok is None
    assert "count twice" in check.words


def test_a_tolerance_and_a_bound_on_gradients_are_kept() -> None:
    case, sae = of(0)
    study = case.study
    loose, strict = (
        features.attribute(study, sae, method="ig", tolerance=share) for share in (0.2, 1e-5)
    )
    assert loose.facts["points"] < strict.facts["points"]
    exact = study.intervene(sae.at())
    for key in ("PIE", "TIE"):
        assert strict[key].sum() == pytest.approx(exact[key], rel=1e-5)
    few = features.attribute(study, sae, method="ig", tolerance=1e-9, most=32)
    assert few.facts["most_points"] <= 32 + 16 * 8


def test_the_check_sets_what_was_estimated() -> None:
    case, sae = of(0)
    study = case.study
    for by in ("position", None, {"late": (4, 5)}):
        effect = features.attribute(study, sae, by=by)
        judged = features.check(study, sae, effect, k=3, sample=2, progress=False)
        exact = features.sweep(study, sae, by=by, progress=False)
        for label, value in zip(judged.table["site"], judged.table["exact"], strict=True):
            assert value == pytest.approx(exact.cell(label)["PIE"], abs=1e-9)
        assert list(judged.table["chosen"]) == ["top"] * 3 + ["sample"] * 2
    with pytest.raises(mw.MediationError, match="no attribution"):
        features.check(study, made("relu", sae.width, seed=5), effect)


def fresh(metric: mw.Metric | None = None, seed: int = 0) -> tuple[mw.Study, features.SAE]:
    """A study of its own, whose metric and pairs a test may change."""
    sae = of(0)[1]
    pairs = [random_pair("gpt2", seed + i, LENGTH, first=2, changes=2) for i in range(3)]
    return mw.Study(lm_of("gpt2"), pairs, metric), sae


def checked(study: mw.Study, sae: features.SAE, effect: Any) -> Any:
    return features.check(study, sae, effect, k=2, sample=0, progress=False)


def test_an_estimate_is_held_against_its_own_metric_and_pairs_alone(tmp_path: Path) -> None:
    study, sae = fresh()
    effect = features.attribute(study, sae, by={"last": LENGTH - 1})
    same = checked(study, sae, effect).table
    kept = mw.Effect.load(effect.save(tmp_path / "estimate.json"))
    for judged in (checked(fresh()[0], sae, effect), checked(study, sae, kept)):
        assert judged.table.equals(same)
    study.metric = mw.Prob()
    with pytest.raises(mw.MediationError, match="of another metric") as error:
        checked(study, sae, effect)
    assert error.value.value == "an estimate of LogitDiff(), to be held against runs of Prob()"
    study.metric = mw.LogitDiff()
    assert checked(study, sae, effect).table.equals(same)
    study.contrast = fresh(seed=7)[0].contrast
    for other in (study, fresh(seed=7)[0], mw.Study(study.lm, fresh()[0].contrast[:2])):
        with pytest.raises(mw.MediationError, match="of other pairs"):
            checked(other, sae, effect)
    with pytest.raises(mw.MediationError, match="of another edit"):
        checked(fresh()[0], sae, replace(effect, edit=mw.Zero()))
    swept = features.sweep(fresh()[0], sae, by={"last": 5}, features=[1], progress=False)
    with pytest.raises(mw.MediationError, match="no attribution"):
        checked(fresh()[0], sae, swept)


def test_an_estimate_of_a_function_is_held_against_that_function(tmp_path: Path) -> None:
    """A file keeps a function's name alone: what it comes to tells it from others of that name."""
    study, sae = fresh(mw.Function(lambda kept: kept["answer"] - 2 * kept["wrong"], name="mine"))
    effect = features.attribute(study, sae, by={"last": LENGTH - 1})
    kept = mw.Effect.load(effect.save(tmp_path / "estimate.npz"))
    assert checked(study, sae, kept).table.equals(checked(study, sae, effect).table)
    study.metric = mw.Function(lambda kept: kept["answer"], name="mine")
    with pytest.raises(mw.MediationError, match="of another metric"):
        checked(study, sae, effect)
    with pytest.raises(mw.MediationError, match="of another model, or of other weights"):
        checked(study, sae, kept)


def test_an_estimate_is_held_against_the_weights_it_is_of() -> None:
    lm = mw.load(random_model("gpt2", torch.float64), tokenizer=tokenizer_of("gpt2"))
    sae, pairs = of(0)[1], fresh()[0].contrast
    effect = features.attribute(mw.Study(lm, pairs), sae, by={"last": LENGTH - 1})
    checked(mw.Study(lm, pairs), sae, effect)
    model: Any = lm.hf
    with torch.no_grad():
        model.transformer.h[0].mlp.c_fc.weight.mul_(1.5)
    with pytest.raises(mw.MediationError, match="of another model, or of other weights"):
        checked(mw.Study(lm, pairs), sae, effect)


def test_what_is_refused() -> None:
    case, sae = of(0)
    for given, words in [
        ({"method": "atp*"}, "Unknown method"),
        ({"steps": 5}, "Unknown method"),
        ({"method": "ig", "steps": 0}, "counted"),
        ({"method": "ig", "most": 0}, "counted"),
        ({"method": "ig", "tolerance": 1}, "a share of what"),
        ({"method": "ig", "steps": 5, "tolerance": 0.1}, "Unknown method"),
        ({"tolerance": 0.1}, "Unknown method"),
        ({"by": "token"}, "by position, by role"),
        ({"by": {"a": 99}}, "out of range"),
        ({"by": {3: "END"}}, "over whole components"),
    ]:
        with pytest.raises(mw.MediationError, match=words):
            features.attribute(case.study, sae, **given)  # type: ignore[arg-type]
