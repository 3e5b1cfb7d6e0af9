"""What effects say on other scales: constants, odds, interactions, orders."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import mediawidget as mw
from mediawidget.effects import Effect
from tests.core.noise import Array, grid, seeds

# --- constants -----------------------------------------------------------------------------------

VECTOR = mw.Steer([1.0])
ONE_VALUE = [mw.Zero(), mw.Mean("corrupt"), mw.Patch("clean"), mw.Resample(1, "clean"), mw.Scale(0)]
NOT_ONE = [mw.Mean(), mw.Noise(), VECTOR, mw.Scale(0.5), mw.Resample(), mw.Patch(alpha=0.5)]


@pytest.mark.parametrize("edit", ONE_VALUE)
def test_the_controlled_direct_effect_is_what_a_constant_leaves(edit: mw.Edit) -> None:
    effect = replace(grid(), edit=edit)
    scores = effect.scores(effect.edited)
    np.testing.assert_allclose(effect.pairs("CDE"), scores[:, 0] - scores[:, 1])
    np.testing.assert_allclose(effect["TE"] - effect["CDE"], effect["difference"])
    assert "CDE" in effect.quantities()
    assert "CDE" in effect.to_dataframe()


@pytest.mark.parametrize("edit", NOT_ONE)
def test_two_values_have_no_controlled_direct_effect(edit: mw.Edit) -> None:
    effect = replace(grid(), edit=edit)
    assert "CDE" not in effect.quantities()
    with pytest.raises(
        mw.MediationError, match=f"CDE does not exist under a {edit.kind}"
    ) as caught:
        effect["CDE"]
    assert "one value" in caught.value.fix


def test_under_a_patch_cde_has_two_names() -> None:
    with pytest.raises(mw.MediationError, match="CDE") as caught:
        grid()["CDE"]
    assert "PDE" in caught.value.expected
    assert "TDE" in caught.value.expected


# --- scales --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(seeds, st.floats(0.1, 10), st.sampled_from([mw.LogitDiff(), mw.LogOdds()]))
def test_a_ratio_is_expm1_of_the_log_odds_effect(
    seed: int, spread: float, metric: mw.Metric
) -> None:
    rng = np.random.default_rng(seed)
    kept = rng.normal(size=(2, 5, 2, 3)) * spread
    kept[..., 2] = np.logaddexp(kept[..., 0], kept[..., 1]) + 0.1
    effect = Effect({}, kept[0], kept[1], np.array(1, dtype=np.uint8), metric=metric)
    ratio = effect.pairs_ratio
    for key in ("PIE", "TE", "PDE"):
        np.testing.assert_allclose(ratio(key), np.expm1(effect.pairs(key)), rtol=1e-9)
    whole = ratio("PDE") + ratio("PIE") + ratio("INT")
    scale = max(1.0, *(float(abs(ratio(key)).max()) for key in ("PDE", "PIE", "INT")))
    np.testing.assert_allclose(whole, ratio("TE"), rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(ratio("TIE") - ratio("PIE"), ratio("INT"), atol=1e-9 * scale)
    y11, y10, y00 = (np.exp(effect.pairs(corner)) for corner in ("Y11", "Y10", "Y00"))
    np.testing.assert_allclose(ratio("TIE"), (y11 - y10) / y00, rtol=1e-6, atol=1e-9 * scale)
    assert effect.ratio("PIE") == pytest.approx(np.expm1(effect.pairs("PIE")).mean())


def test_effects_that_add_up_in_log_odds_interact_in_odds() -> None:
    """Corners 0, 1, 1, 2 of the logits: INT is 0, of the odds (e - 1)^2."""
    kept = np.zeros((2, 1, 2, 3))
    kept[0, 0, 0, 0], kept[0, 0, 1, 0] = 2, 0
    kept[1, 0, :, 0] = 1
    kept[..., 2] = np.logaddexp(kept[..., 0], kept[..., 1])
    effect = Effect({}, kept[0], kept[1], np.array(1, dtype=np.uint8))
    assert effect["INT"] == 0
    assert effect.ratio("INT") == pytest.approx((np.e - 1) ** 2)
    table = effect.by_metric()
    assert table["logit_diff"].item() == 0
    assert abs(table["prob"].item()) > 0.05
    assert table["prob"].item() == effect.rescore(mw.Prob())["INT"]


def test_ratios_are_of_log_odds_and_of_effects() -> None:
    with pytest.raises(mw.MediationError, match="log odds"):
        grid().rescore(mw.Prob()).ratio("PIE")
    with pytest.raises(mw.MediationError, match="change"):
        grid().ratio("Y10")
    with pytest.raises(mw.MediationError, match="NIE"):
        grid().ratio("NIE")
    constant = replace(grid(), edit=mw.Zero())
    np.testing.assert_allclose(
        constant.ratio("difference"), constant.ratio("clean") - constant.ratio("corrupt")
    )


def test_metrics_stand_side_by_side() -> None:
    effect = grid()
    table = effect.by_metric("PIE", [mw.Prob(), mw.LogitDiff()])
    assert list(table.columns) == ["layer", "head", "site", "prob", "logit_diff"]
    np.testing.assert_allclose(table["logit_diff"], effect["PIE"].reshape(-1))
    default = set(effect.by_metric().columns)
    assert {"logit_diff", "log_prob", "logit", "prob", "prob_diff", "log_odds"} <= default
    for metrics in ([], [mw.Prob(), mw.Prob()], "prob", [3], mw.Prob()):
        with pytest.raises(mw.MediationError, match="different names"):
            effect.by_metric("INT", metrics)  # type: ignore[arg-type]
    with pytest.raises(mw.MediationError, match="did not keep"):
        effect.by_metric("INT", [mw.Rank()])


# --- diagnostics ---------------------------------------------------------------------------------


def gates(n: int = 20) -> Effect:
    """A row of gates (add, and, or, xor): PIE 1, 0, 1, 1; TIE 1, 1, 0, -1; a little noise."""
    rng = np.random.default_rng(1)
    wanted = {"PIE": [1, 0, 1, 1], "TIE": [1, 1, 0, -1]}
    bases = np.zeros((n, 2, 3))
    bases[:, 0, 0] = 2
    edited = rng.normal(size=(n, 2, 4, 3)) * 0.05
    edited[:, 1, :, 0] += wanted["PIE"]
    edited[:, 0, :, 0] += 2 - np.array(wanted["TIE"])
    return Effect(
        {"gate": ("add", "and", "or", "xor")}, bases, edited, np.full(4, 1, dtype=np.uint8)
    )


def test_interactions_are_those_of_the_gates() -> None:
    table = gates().interaction().set_index("gate")
    assert (table["same_sign"][["and", "or", "xor"]] == 1).all()
    np.testing.assert_allclose(table["INT"], [0, 1, -1, -2], atol=0.1)
    assert list(table["flagged"]) == [False, True, True, True]
    np.testing.assert_allclose(table["share"], [0, 1, -1, -2], atol=0.15)
    assert (table["sd"] > 0).all()
    assert ((table["low"] < table["INT"]) & (table["INT"] < table["high"])).all()
    none = grid().interaction().set_index("site")
    assert none["share"].isna().tolist() == [False, False, True, False, False, True]
    with pytest.raises(mw.MediationError, match="PIE does not exist"):
        replace(grid(), edit=mw.Zero()).interaction()


def row(pie: Array, tie: Array, noise: float, n: int = 30, seed: int = 2) -> Effect:
    rng = np.random.default_rng(seed)
    cells = len(pie)
    bases = np.zeros((n, 2, 3))
    edited = rng.normal(size=(n, 2, cells, 3)) * noise
    edited[:, 1, :, 0] += pie
    edited[:, 0, :, 0] -= tie
    axes: dict[str, tuple[int | str, ...]] = {"unit": tuple(range(cells))}
    return Effect(axes, bases, edited, np.full(cells, 1, dtype=np.uint8))


def test_the_same_order_and_the_opposite_one() -> None:
    strong = np.array([3.0, -2, 4, 5, 1, 2.5, -6, -1.5, 0.7, -0.3, 6.5, 7])
    same = row(strong, 2 * strong, 0.1).rank_disagreement()
    assert (same["spearman"], same["cells"]) == (1, 12)
    assert (same["overlap_5"], same["overlap_10"]) == (1, 1)
    turned = row(strong, -strong, 0.1).rank_disagreement()
    assert turned["spearman"] == pytest.approx(-1)
    assert turned["overlap_5"] == 1, "by size the order is the same"


def test_cells_of_noise_are_left_out_of_the_order() -> None:
    pie = np.array([3.0, 2, 1, -1, *[0.0] * 8])
    found = row(pie, pie[::-1].copy(), 0.05).rank_disagreement(resamples=300)
    assert 8 <= found["cells"] <= 10
    assert -1 < found["low"] <= found["spearman"] <= found["high"] < 1
    with pytest.raises(mw.MediationError, match="several cells"):
        row(np.zeros(6), np.zeros(6), 1.0, n=200).rank_disagreement(level=0.9999)


def test_cells_that_are_all_alike_have_no_order() -> None:
    found = row(np.ones(4), np.arange(1.0, 5), 0.0).rank_disagreement(resamples=50)
    assert found["cells"] == 4
    assert found[["spearman", "low", "high"]].isna().all()


def test_the_interval_of_an_order_holds_the_true_one() -> None:
    """Noise lowers a rank correlation: of percentiles alone hardly any would reach the truth."""
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(40):
        pie = rng.normal(size=12) * 3
        tie = 0.95 * pie + rng.normal(size=12)
        true = stats.spearmanr(pie, tie).statistic
        found = row(pie, tie, 1.5, seed=seed).rank_disagreement(resamples=300)
        held += found["low"] <= true <= found["high"]
    assert held >= 34


def test_an_unmoved_order_has_a_narrow_interval() -> None:
    few = row(np.arange(1.0, 9), np.arange(1.0, 9), 0.5, n=10).rank_disagreement()
    many = row(np.arange(1.0, 9), np.arange(1.0, 9), 0.5, n=300).rank_disagreement()
    assert many["high"] - many["low"] <= few["high"] - few["low"]
    assert np.isnan(many["overlap_10"])
    assert isinstance(many, pd.Series)


def rounded() -> Effect:
    """At the second cell Y10 and Y01 are both the mean of Y11 and Y00, but for rounding."""
    effect = row(np.array([3.0, 2, 1]), np.array([3.0, 2, 1]), 0.1, n=24)
    rng = np.random.default_rng(1)
    bases = rng.normal(size=(24, 2, 3)) + np.array([[3, 0, 9], [0, 3, 9]])
    edited = effect.edited + bases[:, :, None]
    edited[:, :, 1] = bases.mean(axis=1, keepdims=True)
    edited[:, 0, 1, 0] += rng.choice([1e-15, 2e-15, 3e-15], size=24)
    return replace(effect, bases=bases, edited=edited)


def test_rounding_is_no_effect() -> None:
    effect = rounded()
    found = effect.pairs("INT")[:, 1]
    assert 0 < np.abs(found.mean()) < 1e-14
    low, high = effect.ci("INT")[:, 1]
    assert low <= 0 <= high
    assert effect.q_values("INT")[1] == 1
    said = effect.summary("INT").iloc[1]
    assert said["low"] <= 0 <= said["high"]
    assert said["q"] == 1
    assert not effect.interaction()["flagged"][1]
    assert np.isinf(effect.pairs_needed("INT")[1])
    assert effect.ci("PIE")[0, 0] > 0, "other cells keep their effects"


def test_cells_of_rounding_have_no_order() -> None:
    tiny = np.array([2e-15, -3e-15, 4e-15, 1e-15])
    effect = row(tiny, tiny, 0.0)
    shift = np.array([5.0, 0, 9])
    shifted = replace(effect, bases=effect.bases + shift, edited=effect.edited + shift)
    with pytest.raises(mw.MediationError, match="several cells"):
        shifted.rank_disagreement(resamples=50)
    assert row(tiny, tiny, 0.0).rank_disagreement(resamples=50)["cells"] == 4, "not of a tiny Y"


def test_an_interaction_is_flagged_from_a_hundredth_of_the_total_effect() -> None:
    """One that is a large share of a small effect rules nothing."""
    n = 24
    rng = np.random.default_rng(0)
    bases = np.zeros((n, 2, 3))
    bases[:, 0, 0] = 20
    edited = np.repeat(bases[:, :, None], 2, axis=2)
    edited[:, 0, :, 0] -= np.array([0.1, 0.4]) * (1 + 0.1 * rng.normal(size=(n, 1)))
    table = Effect({"unit": (0, 1)}, bases, edited, np.full(2, 1, dtype=np.uint8)).interaction()
    assert (table["low"] > 0).all()
    assert (table["share"] == 1).all()
    assert list(table["flagged"]) == [False, True]
