"""Dose curves: at the whole way the effects themselves, between them runs of their own."""

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.plain import plain_run
from tests.engine.judging import pairs_of
from tests.small_models import random_model, tokenizer_of

HEAD = mw.Site("head", 1, head=0)


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    return mw.Study(lm, pairs_of("gpt2", 4))


@pytest.fixture(scope="module")
def curve(study: mw.Study) -> mw.DoseCurve:
    return mw.dose_curve(study, HEAD, [0.5, 0.25, 0.75], progress=False)


def test_at_the_whole_way_they_are_the_effects(study: mw.Study, curve: mw.DoseCurve) -> None:
    effect = study.intervene(HEAD)
    assert curve.alphas == (0.25, 0.5, 0.75, 1.0)
    for key in ("TIE", "PIE", "INT"):
        np.testing.assert_allclose(curve.pairs(key)[:, -1], effect.pairs(key), atol=1e-9)


def test_a_dose_is_a_contrast_of_four_runs(study: mw.Study, curve: mw.DoseCurve) -> None:
    """Both inputs with the mediator clean, and a quarter of the way from clean to corrupt."""
    edits = [("clean", 0.0), ("clean", 0.25), ("corrupt", 1.0), ("corrupt", 0.75)]
    for pair in range(2):
        runs = [mw.Run(base, {HEAD: mw.Patch(alpha=a)}) for base, a in edits]  # type: ignore[arg-type]
        kept = np.stack([plain_run(study.engine, run, pair) for run in runs])
        a, b, c, d = study.metric.read(kept, study.engine.columns)
        assert curve.pairs("INT")[pair, 0] == pytest.approx(a - b - c + d, abs=1e-9)
        assert curve.pairs("TIE")[pair, 0] == pytest.approx(a - b, abs=1e-9)


def test_interaction_grows_with_the_distance_in_a_smooth_model(study: mw.Study) -> None:
    """A mixed difference is of first order in the dose: halving a small one halves it."""
    curve = mw.dose_curve(study, HEAD, [0.001, 0.002, 0.004], progress=False)
    small, double, more = np.abs(curve.pairs("INT"))[:, :3].T
    np.testing.assert_allclose(double / small, 2, rtol=0.1)
    np.testing.assert_allclose(more / double, 2, rtol=0.1)


def test_a_joint_curve_and_its_table(study: mw.Study) -> None:
    sites = [HEAD, mw.Site("head", 0, head=1)]
    curve = mw.dose_curve(study, sites, [0.5], progress=False)
    np.testing.assert_allclose(curve["INT"][-1], study.intervene(sites)["INT"], atol=1e-9)
    table = curve.to_dataframe()
    assert list(table.columns) == ["alpha", "quantity", "mean", "low", "high"]
    assert len(table) == 6
    assert (table["low"] <= table["mean"] + 1e-12).all()
    assert (table["mean"] <= table["high"] + 1e-12).all()


@pytest.mark.parametrize("doses", [[], [0.0], [1.5], [-0.5], "half", ["0.5"], 0.5, [True]])
def test_other_than_doses_are_refused(study: mw.Study, doses: object) -> None:
    with pytest.raises(MediationError, match="parts of the way"):
        mw.dose_curve(study, HEAD, doses)  # type: ignore[arg-type]


def test_other_quantities_are_refused(curve: mw.DoseCurve) -> None:
    with pytest.raises(MediationError, match="indirect effect"):
        curve.pairs("TE")
