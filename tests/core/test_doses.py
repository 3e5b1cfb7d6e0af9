"""Dose curves: at the whole way the effects themselves, between them runs of their own."""

import numpy as np
import pytest
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget.effects import Effect
from mediawidget.errors import MediationError
from mediawidget.plain import plain_run
from mediawidget.statistics import mean_interval
from tests.engine.judging import pairs_of
from tests.engine.test_unequal import PAIR
from tests.networks.oracle import asked
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


def by_hand() -> mw.DoseCurve:
    """Doses of a half and all of the way: pair 0 of powers of 2, pair 1 twice, pair 2 thrice."""
    times = np.array([1.0, 2, 3])
    bases, edited = np.zeros((3, 2, 3)), np.zeros((3, 2, 4, 3))
    bases[:, 0, 0], bases[:, 1, 0] = 64 * times, times
    # Half and all of the way from its own value, and what is left of each: a half and nothing.
    edited[:, 0, :, 0] = np.outer(times, [32, 16, 32, 64])
    edited[:, 1, :, 0] = np.outer(times, [2, 8, 4, 1])
    axes = {"alpha": ("0.5", "1.0", "1-0.5", "1-1.0")}
    labels = ("moved by 0.5", "moved by 1", "moved back by 0.5", "moved by 0")
    status = np.ones(4, dtype=np.uint8)
    effect = Effect(axes, bases, edited, status, metric=mw.Logit(), labels=labels)
    return mw.DoseCurve((HEAD,), (0.5, 1.0), effect)


def test_a_curve_by_hand() -> None:
    """INT at a half is 64 - 32 - 8 + 4, for 8 has the mediator clean and 4 a half corrupt."""
    curve, times = by_hand(), np.array([1.0, 2, 3])
    for key, values in (("TIE", [32, 48]), ("PIE", [1, 7]), ("INT", [28, 41])):
        np.testing.assert_array_equal(curve.pairs(key), np.outer(times, values))
        np.testing.assert_array_equal(curve[key], [2 * value for value in values])


def test_a_table_of_a_curve_by_hand() -> None:
    curve = by_hand()
    table = curve.to_dataframe(0.8)
    assert table["alpha"].tolist() == [0.5, 1.0] * 3
    assert table["quantity"].tolist() == [key for key in ("TIE", "PIE", "INT") for _ in range(2)]
    assert table["mean"].tolist() == [64, 96, 2, 14, 56, 82]
    one = mean_interval(np.array([[1.0], [2], [3]]), (), 0.8)[:, 0]
    np.testing.assert_allclose(table[["low", "high"]], np.outer(table["mean"] / 2, one))
    usual = mean_interval(np.array([[1.0], [2], [3]]), (), 0.95)[:, 0]
    np.testing.assert_allclose(curve.to_dataframe()["low"], table["mean"] / 2 * usual[0])


def test_a_curve_says_where_and_how_much() -> None:
    curve = by_hand()
    assert repr(curve) == "DoseCurve(moved by 1; INT +82.000 logits at the whole way)"
    html = curve._repr_html_()
    assert "<td>+82.000</td>" in html
    assert "<th></th>" not in html
    assert html.count("<tr") == 1 + 6


def test_a_curve_says_what_was_run(study: mw.Study, curve: mw.DoseCurve) -> None:
    assert curve.sites == (HEAD,)
    left = ("1-0.25", "1-0.5", "1-0.75", "1-1.0")
    assert dict(curve.effect.axes) == {"alpha": ("0.25", "0.5", "0.75", "1.0", *left)}
    assert curve.effect.facts["downstream"] == "recomputed"
    assert curve.effect.edit == mw.Patch(alpha=0.5)
    assert curve.effect.labels[0] == "L1H0 moved by 0.25"
    joint = mw.dose_curve(study, [HEAD, mw.Site("head", 0, head=1)], [1.0], progress=False)
    assert joint.effect.labels == ("L1H0 + L0H1 moved by 1", "L1H0 + L0H1 moved by 0")


# --- sites that read one another ------------------------------------------------------------------


def mixed(study: mw.Study, sites: list[mw.Site], base: str, dose: float) -> NDArray[np.float64]:
    """(pair,) a run that sets each site to a mixture of its values on the two prompts."""
    read = {b: [study.activations(site, b) for site in sites] for b in ("clean", "corrupt")}
    edits = {
        site: mw.Patch(mw.Values(site, m1.array + dose * (m0.array - m1.array)))
        for site, m1, m0 in zip(sites, read["clean"], read["corrupt"], strict=True)
    }
    run = mw.Run(base, edits)  # type: ignore[arg-type]
    kept = np.stack([plain_run(study.engine, run, i) for i in range(len(study.contrast))])
    return study.metric.read(kept, study.engine.columns)


CHAINS = {
    "head and MLP of a layer": [HEAD, mw.Site("mlp_out", 1)],
    "three layers": [mw.Site("head", 0, head=1), mw.Site("mlp_out", 1), mw.Site("head", 2, head=0)],
    "positions": [mw.Site("residual", 1, position=4), mw.Site("residual", 2, position=(5, 6))],
    "the later one first": [mw.Site("mlp_out", 2), mw.Site("attn_out", 1)],
    "one layer": [HEAD, mw.Site("head", 1, head=2)],
}


@pytest.mark.parametrize("chain", CHAINS)
def test_sites_that_read_one_another_get_one_value_on_both_bases(
    study: mw.Study, chain: str
) -> None:
    sites = CHAINS[chain]
    curve = mw.dose_curve(study, sites, [0.25, 0.5], progress=False)
    assert not [check for check in curve.effect.checks if check.name in PROOFS and not check.ok]
    y11, y01 = (mixed(study, sites, base, 0.0) for base in ("clean", "corrupt"))
    y00 = mixed(study, sites, "corrupt", 1.0)
    for column, dose in enumerate((0.25, 0.5, 1.0)):
        on_clean, on_corrupt = (mixed(study, sites, base, dose) for base in ("clean", "corrupt"))
        back = mixed(study, sites, "corrupt", 1 - dose)
        wanted = {
            "TIE": y11 - on_clean,
            "PIE": back - y00,
            "INT": y11 - on_clean - y01 + on_corrupt,
        }
        for key, value in wanted.items():
            np.testing.assert_allclose(curve.pairs(key)[:, column], value, atol=1e-9, err_msg=key)


PROOFS = ("self-patch", "full cut", "plain forward")


def test_only_sites_behind_one_another_take_further_runs(study: mw.Study) -> None:
    alone = mw.dose_curve(study, HEAD, [0.5], progress=False)
    beside = mw.dose_curve(study, CHAINS["one layer"], [0.5], progress=False)
    behind = mw.dose_curve(study, CHAINS["head and MLP of a layer"], [0.5], progress=False)
    rows = [curve.effect.facts["rows"] for curve in (alone, beside, behind)]
    assert rows[0] == rows[1] < rows[2]


def test_prompts_of_unequal_length_have_joint_curves() -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, PAIR)
    sites = [mw.Site("head", 0, head=1, position="end"), mw.Site("mlp_out", 1, position="end")]
    curve = mw.dose_curve(study, sites, [0.25], progress=False)
    for base, key, start in (("clean", "TIE", 0.0), ("corrupt", "PIE", 1.0)):
        dose = abs(start - 0.25)
        moved = mixed(study, sites, base, start) - mixed(study, sites, base, dose)
        sign = 1 if key == "TIE" else -1
        np.testing.assert_allclose(curve.pairs(key)[:, 0], sign * moved, atol=1e-9)


@pytest.mark.parametrize("kind", ["gru", "lstm"])
def test_time_steps_of_a_state_read_one_another(kind: str) -> None:
    study, oracle = asked(kind)
    site = mw.Site("hidden", 0)
    curve = mw.dose_curve(study, site, [0.25], progress=False)
    values = [oracle.value(site, mw.Run(base), 0) for base in ("clean", "corrupt")]

    def run(dose: float) -> float:
        at = mw.Values(site, (values[0] + dose * (values[1] - values[0]))[None].numpy())
        kept = plain_run(study.engine, mw.Run("clean", {site: mw.Patch(at)}), 0)
        return float(study.metric.read(kept, study.engine.columns))

    assert curve.pairs("TIE")[0, 0] == pytest.approx(run(0.0) - run(0.25), abs=1e-9)
    assert curve.sites == (site,)
