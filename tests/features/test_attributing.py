"""Attribution to features: gradients by finite differences, sums, and the check by runs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import features
from mediawidget.effects import Status
from tests.engine.cases import Case, lm_of
from tests.engine.judging import judge, pairs_of
from tests.features.made import made

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
    ]:
        with pytest.raises(mw.MediationError, match=words):
            features.attribute(case.study, sae, **given)  # type: ignore[arg-type]
