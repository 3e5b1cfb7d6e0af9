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
    assert features.attribute(study, sae, method="ig").facts["steps"] == 50


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
        ({"by": "token"}, "by position, by role"),
    ]:
        with pytest.raises(mw.MediationError, match=words):
            features.attribute(case.study, sae, **given)  # type: ignore[arg-type]
