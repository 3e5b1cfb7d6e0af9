"""What effects say of their pairs: tables, shares, halves, groups."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import mediawidget as mw
from mediawidget.effects import Effect, Status
from mediawidget.statistics import clusters_of, q_values
from mediawidget.validity import Check, premises
from mediawidget.widgets.payload import intervals
from tests.core.noise import STRONG, Array, grid, seeds, templates

# --- intervals, tests, summaries -----------------------------------------------------------------


def test_a_summary_says_what_its_parts_say() -> None:
    effect = grid()
    table = effect.summary("PIE", resamples=500)
    assert list(table["site"]) == list(effect.labels)
    flat = effect.pairs("PIE").reshape(24, 6)
    np.testing.assert_allclose(table["mean"], flat.mean(axis=0))
    np.testing.assert_allclose(table["median"], np.median(flat, axis=0))
    low, high = effect.ci("PIE", resamples=500).reshape(2, 6)
    np.testing.assert_array_equal(table["low"], low)
    np.testing.assert_array_equal(table["high"], high)
    np.testing.assert_array_equal(table["q"], effect.q_values("PIE").reshape(-1))
    strong = table.set_index("site").loc["L1H0"]
    assert (strong["same_sign"], strong["n"], strong["clusters"]) == (1, 24, 24)
    assert strong["q"] < 0.01
    assert table.attrs["unit"] == "logits"
    assert table.attrs["tests"] == 4, "of six cells one is 0 by construction and one was not run"


def test_cells_without_a_number_have_no_statistics() -> None:
    row = grid().summary("TIE").set_index("site").loc["L1H2"]
    assert (row["status"], row["n"]) == ("not_run", 0)
    assert row[["mean", "median", "same_sign", "low", "high", "q"]].isna().all()


def test_zeros_by_construction_are_1_and_not_counted() -> None:
    effect = grid()
    q = effect.q_values("PIE", "by")
    assert q[0, 2] == 1
    tested = effect.pairs("PIE").reshape(24, 6)[:, [0, 1, 3, 4]]
    np.testing.assert_allclose(q.reshape(-1)[[0, 1, 3, 4]], q_values(tested, "by"))
    assert np.isnan(q[1, 2])
    run = replace(effect, status=np.where(effect.status == 3, 1, effect.status).astype(np.uint8))
    assert run.summary("PIE").attrs["tests"] == 5
    assert run.q_values("PIE", "max-t")[0, 2] == 1
    assert effect.q_values("TE")[0, 2] < 0.01, "the total effect is 0 nowhere"


def test_one_cell_has_floats() -> None:
    one = grid().cell(*STRONG)
    assert isinstance(one.q_values("PIE"), float)
    assert isinstance(one.normalized("PIE"), float)
    assert isinstance(one.ratio("PIE"), float)
    assert isinstance(one.pairs_needed("PIE"), float)
    assert one.ci("PIE").shape == one.normalized_ci("PIE").shape == (2,)
    assert len(one.summary("PIE")) == len(one.interaction()) == 1


def test_clusters_widen_what_pairs_of_a_template_share() -> None:
    """A shift that a whole template has is no evidence of its pairs one by one."""
    effect = grid(24)
    shift = np.repeat(np.random.default_rng(3).normal(size=8) * 2, 3)
    edited = effect.edited.copy()
    edited[:, 1, 0, 0, 0] += shift
    single = replace(effect, edited=edited)
    whole = replace(single, clusters=templates(24))
    assert (single.n_clusters, whole.n_clusters) == (24, 8)
    widths = [np.subtract(*e.ci("PIE")[::-1])[0, 0] for e in (single, whole)]
    assert widths[1] > 1.2 * widths[0]
    assert whole.q_values("PIE")[0, 0] > single.q_values("PIE")[0, 0]
    assert list(whole.summary("PIE")["clusters"]) == [8, 8, 8, 8, 8, 0]
    rowwise = whole.normalized_ci("PIE")[:, 0, 0], single.normalized_ci("PIE")[:, 0, 0]
    assert np.diff(rowwise[0]) > np.diff(rowwise[1])


def test_the_unit_of_a_part_is_that_of_the_whole() -> None:
    """Pairs of one template of several are no evidence of others, however they are picked."""
    clusters, groups = ("a",) * 12 + ("b",) * 10 + ("c",) * 10, ("g1",) * 12 + ("g2",) * 20
    whole = grid(32, clusters=clusters, groups=groups)
    assert whole.n_clusters == 3
    assert whole.by_group("PIE")[["low", "high"]].isna().all(axis=None)
    part = whole.of_pairs(range(12))
    assert part.n_clusters == whole.pair(0).n_clusters == 1
    assert {half.n_clusters for half in whole.split()} == {1, 2}
    with pytest.raises(mw.MediationError, match="several pairs"):
        part.ci("PIE")
    assert not clusters_of([mw.PromptPair("a", "b", "x", "y", template="t")] * 3)


@pytest.mark.parametrize("ask", ["ci", "q_values", "summary", "normalized_ci", "pairs_needed"])
def test_two_clusters_are_too_few(ask: str) -> None:
    two = replace(grid(), clusters=("a", "b") * 12)
    with pytest.raises(mw.MediationError, match="several pairs") as caught:
        getattr(two, ask)("PIE")
    assert "template" in caught.value.expected
    for name in ("interaction", "rank_disagreement"):
        with pytest.raises(mw.MediationError, match="several pairs"):
            getattr(two, name)()


def test_a_view_of_two_templates_has_no_intervals() -> None:
    one = grid().cell(*STRONG)
    assert intervals(replace(one, clusters=("a", "b") * 12)) is None
    shown = intervals(replace(one, clusters=templates(24)))
    assert shown is not None
    expected = replace(one, clusters=templates(24)).ci("PIE")
    np.testing.assert_allclose(shown["PIE"], expected, rtol=1e-5)


# --- shares --------------------------------------------------------------------------------------


def test_an_interval_of_shares_holds_them() -> None:
    effect = grid()
    low, high = effect.normalized_ci("PIE")
    share = effect.normalized("PIE")
    np.testing.assert_allclose(share, effect["PIE"] / effect["TE"].flat[0])
    ran = np.isfinite(share)
    assert (low[ran] <= share[ran]).all()
    assert (share[ran] <= high[ran]).all()
    np.testing.assert_allclose(effect.normalized_ci("TE"), 1)


def test_no_share_of_a_total_effect_that_may_be_0() -> None:
    effect = grid()
    bases = effect.bases.copy()
    bases[::2] = bases[::2, ::-1]
    unsure = replace(effect, bases=bases)
    assert abs(unsure["TE"].flat[0]) > 1e-3
    for ask in (unsure.normalized, unsure.normalized_ci):
        with pytest.raises(mw.MediationError, match="too near 0") as caught:
            ask("PIE")
        assert "95% interval" in caught.value.value  # type: ignore[operator]
    two = unsure.of_pairs([0, 2])
    assert np.isfinite(two.normalized("PIE")[0, 0]), "two pairs have no interval to judge by"


# --- halves and power ----------------------------------------------------------------------------


@settings(deadline=None, max_examples=20)
@given(seeds)
def test_halves_are_all_pairs_once(seed: int) -> None:
    effect = grid(12, clusters=templates(12), groups=("g", "h") * 6)
    first, second = effect.split(seed)
    assert not set(first.clusters) & set(second.clusters)
    together = np.concatenate([first.bases, second.bases])
    assert {row.tobytes() for row in together} == {row.tobytes() for row in effect.bases}
    assert first.n_pairs == second.n_pairs == 6
    assert first.groups == tuple("gh"[i % 2] for i in np.flatnonzero(_in(effect, first)))


def _in(effect: Effect, part: Effect) -> Array:
    rows = {row.tobytes() for row in part.bases}
    return np.array([row.tobytes() in rows for row in effect.bases])


def test_what_one_half_picks_the_other_reports() -> None:
    effect = grid(40)
    first, second = effect.split(3)
    table = effect.select_and_report("PIE", n=2, seed=3)
    assert len(table) == 2
    top = table.iloc[0]
    assert top["site"] == "L1H0"
    assert top["picked"] == pytest.approx(first["PIE"][STRONG])
    assert top["mean"] == pytest.approx(second["PIE"][STRONG])
    np.testing.assert_allclose([top["low"], top["high"]], second.ci("PIE", seed=3)[:, *STRONG])
    assert "L1H2" not in set(effect.select_and_report("PIE")["site"]), "it has no number"


def test_the_winners_curse_shows_on_the_half_that_picked() -> None:
    """The strongest of 24 cells of noise looks strong where it was picked, and only there."""
    picked, reported = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        noise = Effect(
            axes={"unit": tuple(range(24))},
            bases=np.zeros((20, 2, 3)),
            edited=rng.normal(size=(20, 2, 24, 3)),
            status=np.full(24, Status.EXACT, dtype=np.uint8),
        )
        row = noise.select_and_report("PIE", n=1, resamples=50).iloc[0]
        picked.append(abs(row["picked"]))
        reported.append(row["mean"] * np.sign(row["picked"]))
    assert np.mean(picked) > 0.6
    assert abs(np.mean(reported)) < 0.25


def test_pairs_needed_falls_with_the_effect() -> None:
    effect = grid()
    needed = effect.pairs_needed("PIE")
    assert needed[STRONG] == np.nanmin(needed[needed < np.inf])
    assert needed[0, 2] == np.inf
    assert np.isnan(needed[1, 2])
    small = effect.pairs_needed("PIE", effect_size=0.1)
    assert small[STRONG] > needed[STRONG]
    clustered = replace(effect, clusters=templates(24)).pairs_needed("PIE", effect_size=0.1)
    assert (clustered[0, :2] % 1 == 0).all()


def test_copies_of_pairs_bring_no_power() -> None:
    effect = grid(10)
    copied = replace(
        effect,
        bases=np.repeat(effect.bases, 4, axis=0),
        edited=np.repeat(effect.edited, 4, axis=0),
        clusters=templates(40, 4),
    )
    np.testing.assert_allclose(copied.pairs_needed("PIE"), 4 * effect.pairs_needed("PIE"))
    np.testing.assert_allclose(copied.q_values("PIE"), effect.q_values("PIE"))
    np.testing.assert_allclose(copied.ci("PIE"), effect.ci("PIE"))
    np.testing.assert_allclose(copied["PIE"], effect["PIE"])


# --- groups --------------------------------------------------------------------------------------


def test_groups_stand_below_each_other() -> None:
    effect = grid(24, groups=("ABBA", "BABA", "BABA", "") * 6)
    table = effect.by_group("PIE")
    assert list(table["site"][:3]) == ["L0H0"] * 3
    assert list(table["group"][:3]) == ["ABBA", "BABA", "no group"]
    assert list(table["n"][:3]) == [6, 12, 6]
    part = effect.of_pairs([i for i in range(24) if i % 4 in (1, 2)])
    row = table[(table["site"] == "L1H0") & (table["group"] == "BABA")].iloc[0]
    assert row["mean"] == pytest.approx(part["PIE"][STRONG])
    np.testing.assert_allclose([row["low"], row["high"]], part.ci("PIE")[:, *STRONG])
    wide = table.pivot_table(index="site", columns="group", values="mean")
    assert wide.shape == (5, 3), "without the cell that was not run"


def test_a_small_group_has_no_interval() -> None:
    table = grid(5, groups=("a", "a", "a", "b", "b")).by_group("PIE")
    assert table[table["group"] == "b"]["low"].isna().all()
    assert np.isfinite(table[table["group"] == "a"]["low"].iloc[0])
    with pytest.raises(mw.MediationError, match="have no groups"):
        grid().by_group("PIE")


# --- of pairs, and what is refused ---------------------------------------------------------------


def test_some_pairs_are_an_effect_of_their_own() -> None:
    effect = grid(6, clusters=templates(6, 2), groups=tuple("abcdef"))
    some = effect.of_pairs(np.array([4, 1]))
    assert (some.clusters, some.groups) == (("t2", "t0"), ("e", "b"))
    np.testing.assert_array_equal(some.pairs("PIE"), effect.pairs("PIE")[[4, 1]])


def test_some_pairs_have_their_own_premises_and_prompts() -> None:
    effect = grid(3)
    bases = effect.bases.copy()
    bases[1, 0, :2] = 0, 9
    checks = (*premises(bases, effect.metric), Check("edit fired", ok=True, words="It did."))
    pairs = [mw.PromptPair(f"a {i}", f"b {i}", "x", "y") for i in range(3)]
    facts = {"model": "m", "contrast": mw.Contrast(pairs, "c").to_json()}
    whole = replace(effect, bases=bases, checks=checks, facts=facts)
    assert whole.checks[0].words.startswith("2 of 3 clean prompts prefer")
    some = whole.of_pairs([2, 0])
    assert some.checks[0].ok
    assert some.checks[0].words.startswith("2 of 2 clean prompts prefer")
    assert some.checks[-1] == checks[-1]
    assert some.facts["model"] == "m"
    assert mw.Contrast.from_json(some.facts["contrast"]).pairs == (pairs[2], pairs[0])
    assert whole.pair(1).checks[0].words.startswith("The clean prompt does not prefer")
    assert replace(whole, checks=()).pair(1).checks == ()
    assert replace(whole, facts={}).pair(1).facts == {}
    assert len(whole.facts["contrast"]["pairs"]) == 3, "the whole keeps its own"


@pytest.mark.parametrize("index", [[], [0, 0], [6], [-1], 3, "01", [True], [0.5], None, [[0]]])
def test_pairs_are_picked_by_number(index: Any) -> None:
    with pytest.raises(mw.MediationError, match="picked by their numbers"):
        grid(6).of_pairs(index)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda e: e.summary("XYZ"), "Unknown estimand"),
        (lambda e: e.q_values(3), "A quantity is asked for by its name"),
        (lambda e: e.q_values("PIE", "holm"), "Many tests are corrected for by one of three rules"),
        (lambda e: e.normalized_ci("NIE"), "'NIE' names two different quantities"),
        (lambda e: e.split(-1), "A seed is a number"),
        (lambda e: e.of_pairs([0]).split(), "Halves are made of several pairs"),
        (lambda e: e.select_and_report("PIE", n=-1), "The strongest cells are counted"),
        (lambda e: e.select_and_report("PIE", n="all"), "The strongest cells are counted"),
        (
            lambda e: e.of_pairs([0, 1, 2, 3]).select_and_report("PIE"),
            "Each half needs several pairs",
        ),
        (
            lambda e: e.pairs_needed("PIE", effect_size="large"),
            "The effect to be found is a number",
        ),
        (
            lambda e: e.pairs_needed("PIE", effect_size=float("nan")),
            "The effect to be found is a number",
        ),
        (lambda e: e.pairs_needed("PIE", power=2), "The power is a share"),
        (lambda e: e.pairs_ratio(["PIE"]), "A quantity is asked for by its name"),
        (lambda e: e.pairs_ratio(np.array(["PIE", "TIE"])), "A quantity is asked for by its name"),
        (lambda e: e.by_metric(3), "A quantity is asked for by its name"),
    ],
)
def test_bad_questions_are_refused(ask: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        ask(grid())


def test_a_repr_begins_with_what_a_student_looks_for() -> None:
    one = grid().cell(*STRONG)
    assert f"PIE {one['PIE']:+.3f}, TIE {one['TIE']:+.3f}" in repr(one)
    constant = replace(one, edit=mw.Zero())
    said = f"on clean {constant['clean']:+.3f}, on corrupt {constant['corrupt']:+.3f}"
    assert said in repr(constant)
    assert "PIE" not in repr(grid().cell(1, 2)), "it was not run"
    assert "PIE" not in repr(grid())


def test_shares_of_a_counted_metric_have_an_interval_or_none() -> None:
    """A pair whose ranks do not move has no total, nor has a resample of it alone."""
    lm = mw.load()
    pairs = list(mw.tasks.ioi(lm, n=3, corruption="abc"))
    one = pairs[0]
    still = mw.PromptPair(one.clean, one.clean.replace("station", "park"), one.answer, one.wrong)
    study = mw.Study(lm, [*pairs, still], metric=mw.Rank())
    effect = study.sweep("head", progress=False)
    assert effect.pairs("TE").reshape(4, -1)[3, 0] == 0
    curve = mw.evaluation.curve(study, effect)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shares, areas, sizes = effect.normalized_ci("PIE"), curve.areas_ci(), curve.f_ci()
        narrow = effect.normalized_ci("PIE", level=0.995)
    for low, high in (shares, areas, sizes, narrow):
        assert (np.isfinite(low) == np.isfinite(high)).all()
    assert np.isfinite(shares).all()
    assert (shares[0] <= effect.normalized("PIE") + 1e-12).all()
    assert (effect.normalized("PIE") <= shares[1] + 1e-12).all()
    assert areas[0, 0] <= curve.cpr <= areas[1, 0]
    assert np.isnan(narrow[:, 3, 2]).all()
