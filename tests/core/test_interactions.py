"""Games of sites: every worth is that of runs one by one, and the identities hold."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.errors import MediationError
from mediawidget.validity import Check
from tests.engine.judging import pairs_of
from tests.small_models import random_model, tokenizer_of

HEADS = [mw.Site("head", layer, head=head) for layer in (0, 1, 2) for head in (0, 1)][:4]
TOLERANCE = 1e-9


@pytest.fixture(scope="module")
def study() -> mw.Study:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    return mw.Study(lm, pairs_of("gpt2", 4))


def test_a_recomputed_worth_is_that_of_the_joint_run(study: mw.Study) -> None:
    gain = mw.interactions(study, HEADS, progress=False)
    loss = mw.interactions(study, HEADS, direction="noising", progress=False)
    for players in ([0], [1, 3], [0, 1, 2, 3]):
        alone = study.intervene([HEADS[i] for i in players])
        np.testing.assert_allclose(gain.worth(players), alone.pairs("PIE"), atol=TOLERANCE)
        np.testing.assert_allclose(loss.worth(players), alone.pairs("TIE"), atol=TOLERANCE)
        assert gain.group(players)["INT"] == pytest.approx(alone["INT"], abs=TOLERANCE)


def test_what_sets_two_directions_interactions_apart_is_int(study: mw.Study) -> None:
    """Joint less sum, breaking, less that of restoring: INT of the two less INT of each."""
    gain = mw.interactions(study, HEADS, progress=False)
    loss = mw.interactions(study, HEADS, direction="noising", progress=False)
    turned = loss.matrix_pairs - gain.matrix_pairs
    for i, j in ((0, 1), (1, 3), (0, 2)):
        joint, *alone = (study.intervene([HEADS[k] for k in some]) for some in ((i, j), (i,), (j,)))
        own = joint.pairs("INT") - sum(one.pairs("INT") for one in alone)
        np.testing.assert_allclose(turned[:, i, j], own, atol=TOLERANCE)
        assert np.abs(own).max() > 1e-6
        assert not np.allclose(gain.matrix_pairs[:, i, j], joint.pairs("INT"))


@pytest.mark.parametrize("level", [0, 1, 3, 95, "x", None, True])
@pytest.mark.parametrize("n", [2, 4])
def test_a_level_is_a_coverage_whether_or_not_there_is_an_interval(
    study: mw.Study, level: Any, n: int
) -> None:
    some = mw.Study(study.lm, list(study.contrast)[:n])
    game = mw.interactions(some, HEADS[:2], progress=False)
    for asked in (game.dividends, game.shapley, game.matrix_ci):
        with pytest.raises(mw.MediationError, match="level"):
            asked(level=level)


@pytest.mark.parametrize(("direction", "whole"), [("denoising", "PIE"), ("noising", "TIE")])
def test_recomputed_dividends_add_up_to_the_joint_effect(
    study: mw.Study, direction: str, whole: str
) -> None:
    game = mw.interactions(study, HEADS, direction=direction, progress=False)  # type: ignore[arg-type]
    total = game.group(range(4)).pairs(whole)
    np.testing.assert_allclose(game.dividends_pairs.sum(axis=0), total, atol=TOLERANCE)
    assert game.shapley()["shapley"].sum() == pytest.approx(total.mean(), abs=TOLERANCE)


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_frozen_dividends_add_up_to_the_total_effect(study: mw.Study, direction: str) -> None:
    game = mw.interactions(study, HEADS, game="frozen", direction=direction, progress=False)  # type: ignore[arg-type]
    total = study.total.pairs("TE")
    np.testing.assert_allclose(game.dividends_pairs.sum(axis=0), total, atol=TOLERANCE)
    assert game.shapley()["shapley"].sum() == pytest.approx(total.mean(), abs=TOLERANCE)
    assert list(game.shapley().index) == [*game.labels, "bypass"]


def test_a_frozen_worth_is_that_of_a_run_that_holds_the_others(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS, game="frozen", progress=False)
    for players in ([0], [1, 3]):
        others = [HEADS[i] for i in range(4) if i not in players]
        alone = study.intervene([HEADS[i] for i in players], freeze=others)
        np.testing.assert_allclose(game.worth(players), alone.pairs("PIE"), atol=TOLERANCE)


def test_a_frozen_effect_is_sums_of_dividends(study: mw.Study) -> None:
    """Denoising is the dividends inside a group, noising those that touch it, INT the rest."""
    game = mw.interactions(study, HEADS, game="frozen", progress=False)
    found = game.dividends_pairs
    for players in ([0], [1, 2], [0, 1, 3]):
        own, group = game.mask(players), game.group(players)
        masks = np.arange(len(found))
        inside, touching = masks & ~own == 0, masks & own != 0
        straddling = touching & ~inside
        for key, some in (("PIE", inside), ("TIE", touching), ("INT", straddling)):
            expected = group.pairs(key)
            np.testing.assert_allclose(found[some].sum(axis=0), expected, atol=TOLERANCE)


def test_frozen_and_recomputed_differ_where_one_player_feeds_another() -> None:
    """In the induction circuit the first head acts through the second alone."""
    study = mw.Study(mw.models.induction(), mw.models.induction_pairs()["key swap"])
    heads = [mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)]
    free = mw.interactions(study, heads, progress=False)
    held = mw.interactions(study, heads, game="frozen", progress=False)
    for players in ([0], [1], [0, 1]):
        assert free.worth(players) == pytest.approx(2, abs=1e-6)
    assert held.worth([0]) == pytest.approx(0, abs=1e-6)
    assert held.worth([1]) == pytest.approx(2, abs=1e-6)
    assert free.matrix[0, 1] == pytest.approx(-2, abs=1e-6)
    assert held.matrix[0, 1] == pytest.approx(0, abs=1e-6)
    assert "recomputed" in free.title
    assert "held" in held.title


def test_pairs_alone_are_the_pairs_of_the_whole_game(study: mw.Study) -> None:
    for game in ("recomputed", "frozen"):
        whole = mw.interactions(study, HEADS, game=game, progress=False)
        pairs = mw.interactions(study, HEADS, game=game, order=2, progress=False)
        np.testing.assert_allclose(pairs.matrix, whole.matrix, atol=TOLERANCE)
        assert np.isnan(np.diag(pairs.matrix)).all()
        by_mask = whole.dividends_pairs.mean(axis=1)
        assert whole.matrix[1, 2] == pytest.approx(by_mask[0b110], abs=TOLERANCE)
        with pytest.raises(MediationError, match="every set"):
            pairs.dividends()
        with pytest.raises(MediationError, match="larger sets"):
            pairs.shapley()
        with pytest.raises(MediationError, match="was not run"):
            pairs.worth([0, 1, 2])


def test_a_sample_of_orders_comes_near_the_exact_values(study: mw.Study) -> None:
    heads = [mw.Site("head", layer, head=head) for layer in (0, 1, 2) for head in range(3)]
    exact = mw.interactions(study, heads, progress=False).shapley()
    drawn, again = (
        mw.interactions(study, heads, samples=30, seed=3, progress=False).shapley() for _ in "ab"
    )
    assert (exact["error"] == 0).all()
    assert (drawn["error"] > 0).any()
    off = (drawn["shapley"] - exact["shapley"]).abs()
    assert (off <= 4 * drawn["error"] + 1e-9).all()
    assert drawn["shapley"].sum() == pytest.approx(exact["shapley"].sum(), abs=TOLERANCE)
    assert drawn.equals(again)


def test_groups_of_sites_are_players(study: mw.Study) -> None:
    game = mw.interactions(study, [HEADS[:2], HEADS[2]], progress=False)
    together = study.intervene(HEADS[:2]).pairs("PIE")
    np.testing.assert_allclose(game.worth([0]), together, atol=TOLERANCE)
    assert game.labels == ("L0H0 + L0H1", "L1H0")
    np.testing.assert_allclose(game.worth(["L0H0 + L0H1"]), together, atol=TOLERANCE)


def test_knockouts_have_a_recomputed_game_alone(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS, edit=mw.Zero(), direction="noising", progress=False)
    alone = study.intervene(dict.fromkeys(HEADS[:2], mw.Zero()))
    np.testing.assert_allclose(game.worth([0, 1]), alone.pairs("clean"), atol=TOLERANCE)
    assert game.title.startswith("Setting sites in the clean run")
    with pytest.raises(MediationError, match="between the two prompts"):
        mw.interactions(study, HEADS, edit=mw.Zero(), game="frozen")


def test_another_metric_runs_nothing(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS[:2], progress=False)
    other = game.rescore(mw.Prob())
    fresh = mw.interactions(
        mw.Study(study.lm, study.contrast, mw.Prob()), HEADS[:2], progress=False
    )
    np.testing.assert_allclose(other.matrix, fresh.matrix, atol=TOLERANCE)
    assert not np.allclose(other.worth([0]), game.worth([0]))


def test_the_table_and_the_picture_say_the_same(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS, progress=False)
    table = game.to_dataframe()
    assert len(table) == 6
    np.testing.assert_allclose(
        table["INT"], table["together"] - table["a alone"] - table["b alone"], atol=TOLERANCE
    )
    assert (table["INT"].abs().diff().dropna() <= 0).all()
    assert (table["interaction"] == table["INT"]).all()
    assert "interaction" in game._repr_html_()
    assert "INT" not in game._repr_html_()
    low, high = game.matrix_ci()
    inside = (low <= game.matrix) & (game.matrix <= high)
    assert inside[~np.eye(4, dtype=bool)].all()
    assert game.title.split(":")[0] in game._repr_html_()
    assert [check.ok for check in game.effect.checks if check.name == "plain forward"] == [True]


@pytest.mark.parametrize(
    ("players", "more", "words"),
    [
        ([HEADS[0]], {}, "at least two"),
        ("heads", {}, "at least two"),
        ([HEADS[0], []], {}, "at least two"),
        ([HEADS[0], HEADS[0]], {}, "overlap"),
        ([HEADS[:2], HEADS[1]], {}, "overlap"),
        (HEADS, {"game": "chess"}, "recomputed"),
        (HEADS, {"direction": "up"}, "denoising"),
        (HEADS, {"order": 0}, "from 1"),
        (HEADS, {"samples": 1}, "from 2"),
        (HEADS, {"samples": True}, "from 2"),
        ([mw.Site("head", layer, head=h) for layer in range(3) for h in range(4)], {}, "order=2"),
    ],
)
def test_other_than_a_game_is_refused(
    study: mw.Study, players: object, more: dict[str, object], words: str
) -> None:
    with pytest.raises(MediationError, match=words):
        mw.interactions(study, players, **more)  # type: ignore[arg-type]


def test_a_player_that_there_is_not_is_refused(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS[:2], progress=False)
    for player in (2, -1, "L9H9", True, 0.5):
        with pytest.raises(MediationError, match="no such player"):
            game.worth([player])  # type: ignore[list-item]


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_a_sample_of_a_frozen_game_has_the_bypass_among_its_players(
    study: mw.Study, direction: str
) -> None:
    heads = [mw.Site("head", layer, head=head) for layer in (0, 1) for head in range(3)]
    options = {"game": "frozen", "direction": direction, "progress": False}
    exact = mw.interactions(study, heads, **options).shapley()  # type: ignore[arg-type]
    drawn = mw.interactions(study, heads, samples=25, **options).shapley()  # type: ignore[arg-type]
    assert list(drawn.index) == list(exact.index)
    off = (drawn["shapley"] - exact["shapley"]).abs()
    assert (off <= 4 * drawn["error"] + 1e-9).all()
    assert drawn["shapley"].sum() == pytest.approx(study.total["TE"], abs=TOLERANCE)


def test_edits_of_single_players_are_refused_not_dropped(study: mw.Study) -> None:
    zeroed = {HEADS[0]: mw.Zero()}
    with pytest.raises(MediationError, match="one edit"):
        mw.interactions(study, [zeroed, HEADS[1]])  # type: ignore[list-item]
    with pytest.raises(MediationError, match="one edit"):
        mw.interactions(study, zeroed)  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="without edits"):
        mw.dose_curve(study, zeroed)  # type: ignore[arg-type]


def test_a_failed_check_is_named_where_the_numbers_are_missing(study: mw.Study) -> None:
    game = mw.interactions(study, HEADS[:2], progress=False)
    broken = replace(
        game.effect,
        edited=np.full_like(game.effect.edited, np.nan),
        checks=(Check("plain forward", ok=False, words="It <b>differs</b>."),),
    )
    failed = replace(game, effect=broken)
    assert "check failed" in repr(failed)
    assert "It &lt;b&gt;differs&lt;/b&gt;." in failed._repr_html_()
    assert "check failed" not in repr(game)


def test_intervals_draw_whole_templates(study: mw.Study) -> None:
    """Pairs that are copies of one another say no more than one of them."""
    copies = [replace(pair, template=str(i)) for i, pair in enumerate(study.contrast)] * 3
    once = mw.interactions(mw.Study(study.lm, copies[:4]), HEADS, progress=False)
    thrice = mw.interactions(mw.Study(study.lm, copies), HEADS, progress=False)
    loose = mw.Study(study.lm, [replace(pair, template="") for pair in copies])
    apart = mw.interactions(loose, HEADS, progress=False)

    def widths(game: mw.Interactions) -> list[float]:
        low, high = game.matrix_ci()
        tables = (game.dividends(), game.shapley())
        return [*((t["high"] - t["low"]).sum() for t in tables), float(np.nansum(high - low))]

    for whole, single, pairs in zip(widths(thrice), widths(once), widths(apart), strict=True):
        assert whole == pytest.approx(single, rel=0.15)
        assert pairs < 0.75 * whole


def test_orders_are_those_of_seed_0_where_nothing_is_said(study: mw.Study) -> None:
    seeds: list[dict[str, Any]] = [{}, {"seed": 1}]
    drawn, other = (
        mw.interactions(study, HEADS, samples=6, progress=False, **more).orders for more in seeds
    )
    expected = np.stack([np.random.default_rng(0).permutation(4)])
    np.testing.assert_array_equal(drawn[:1], expected)  # type: ignore[index]
    assert not np.array_equal(drawn, other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("order", 0, "order is a number"),
        ("samples", 1, "samples is a number"),
        ("seed", -1, "seed"),
    ],
)
def test_the_number_that_is_none_is_named(
    study: mw.Study, name: str, value: int, says: str
) -> None:
    with pytest.raises(MediationError, match=says) as caught:
        mw.interactions(study, HEADS, **{name: value})  # type: ignore[arg-type]
    assert f"{name}=" in str(caught.value.fix)
    assert "interactions(" in str(caught.value.fix)


def test_a_game_knows_its_study_and_what_the_others_did(study: mw.Study) -> None:
    kinds: dict[Any, str] = {"recomputed": "recomputed", "frozen": "frozen: other players"}
    for asked, downstream in kinds.items():
        game = mw.interactions(study, HEADS[:2], game=asked, progress=False)
        assert game.study is study
        assert game.effect.facts["downstream"] == downstream


def test_players_that_can_be_read_once_are_refused(study: mw.Study) -> None:
    once: Any = iter(HEADS)
    with pytest.raises(MediationError, match="A game needs players"):
        mw.interactions(study, once)
