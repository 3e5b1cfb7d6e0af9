"""Games whose worth is written down, with no model: dividends, shares and tables by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mediawidget as mw
from mediawidget import games
from mediawidget.effects import Effect
from mediawidget.errors import MediationError
from mediawidget.statistics import mean_interval
from mediawidget.validity import Check

Array = NDArray[np.float64]
A, B, C = (mw.Site("head", 0, head=head) for head in range(3))
PAIRS = np.array([1.0, 2, 3, 10])
"""By how much each pair has all of it: their mean is 4."""
TIMES = 4.0


def game(
    y01: Mapping[int, float],
    y10: Mapping[int, float],
    ends: tuple[float, float] = (0, 0),
    **more: Any,
) -> mw.Interactions:
    """A game of Y01 and Y10 by bitmask, with ``ends`` Y11 and Y00."""
    masks, n = tuple(y01), len(PAIRS)
    bases, edited = np.zeros((n, 2, 3)), np.zeros((n, 2, len(masks), 3))
    bases[:, :, 0] = PAIRS[:, None] * ends
    edited[:, 0, :, 0] = PAIRS[:, None] * [y10[mask] for mask in masks]
    edited[:, 1, :, 0] = PAIRS[:, None] * list(y01.values())
    status = np.full(len(masks), 1, dtype=np.uint8)
    effect = Effect({"set": masks}, bases, edited, status, metric=mw.Logit())
    given = {"game": "recomputed", "direction": "denoising"} | more
    n_players = max(masks).bit_length()
    players = tuple((mw.Site("head", 0, head=head),) for head in range(n_players))
    labels = tuple("abcdef"[:n_players])
    study: Any = None
    return mw.Interactions(study, players, labels, effect, **given)


def worth(a: int, b: int, rest: int) -> float:
    """Of two players and all else: every product of them counts for a power of 2 of its own."""
    alone, twos = a + 2 * b + 4 * rest, 8 * a * b + 16 * a * rest + 32 * b * rest
    return alone + twos + 64 * a * b * rest


def frozen(direction: str = "denoising", **more: Any) -> mw.Interactions:
    """That game: what is not set stays corrupt in Y01; what is set is broken in Y10."""
    sets = {0b01: (1, 0), 0b10: (0, 1), 0b11: (1, 1)}
    return game(
        {mask: 5 + worth(a, b, 0) for mask, (a, b) in sets.items()},
        {mask: 5 + worth(1 - a, 1 - b, 1) for mask, (a, b) in sets.items()},
        ends=(5 + 127, 5),
        game="frozen",
        direction=direction,
        **more,
    )


DIVIDENDS = {1: 1, 2: 2, 3: 8, 4: 4, 5: 16, 6: 32, 7: 64}
SHARES = {"a": 1 + 4 + 8 + 64 / 3, "b": 2 + 4 + 16 + 64 / 3, "bypass": 4 + 8 + 16 + 64 / 3}

# --- recomputed ----------------------------------------------------------------------------------


def test_restoring_gains_over_the_corrupt_run() -> None:
    """Alone 1 and 2, together 9: 6 more than the sum."""
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0}, ends=(50, 2))
    np.testing.assert_array_equal(found.values([0]), 3 * PAIRS)
    np.testing.assert_array_equal(found.values([]), 2 * PAIRS)
    np.testing.assert_array_equal(found.worth([0, "b"]), 9 * PAIRS)
    np.testing.assert_array_equal(found.matrix, [[np.nan, 6 * TIMES], [6 * TIMES, np.nan]])
    np.testing.assert_array_equal(found.dividends_pairs, np.outer([0, 1, 2, 6], PAIRS))
    shares = found.shapley()
    assert shares["shapley"].to_dict() == {"a": 4 * TIMES, "b": 5 * TIMES}
    assert (shares["error"] == 0).all()
    assert shares.index.name == "player"


def test_breaking_loses_from_the_clean_run() -> None:
    """Either of two is enough: alone nothing is lost, together 6."""
    found = game({1: 0, 2: 0, 3: 0}, {1: 7, 2: 7, 3: 1}, ends=(7, 50), direction="noising")
    np.testing.assert_array_equal(found.values([]), 7 * PAIRS)
    np.testing.assert_array_equal(found.worth(["a"]), 0 * PAIRS)
    np.testing.assert_array_equal(found.worth([1, 0]), 6 * PAIRS)
    assert found.shapley()["shapley"].to_dict() == {"a": 3 * TIMES, "b": 3 * TIMES}


def test_a_table_of_pairs_by_hand() -> None:
    """Of three players, one pair of whom was not run: the largest INT first, by size."""
    found = game({1: 1, 2: 2, 4: 4, 3: 4, 5: -5}, dict.fromkeys((1, 2, 4, 3, 5), 0.0))
    assert not found.exact
    table = found.to_dataframe()
    assert table.to_dict("list") == {
        "a": ["a", "a"],
        "b": ["c", "b"],
        "a alone": [1 * TIMES, 1 * TIMES],
        "b alone": [4 * TIMES, 2 * TIMES],
        "together": [-5 * TIMES, 4 * TIMES],
        "interaction": [-10 * TIMES, 1 * TIMES],
        "INT": [-10 * TIMES, 1 * TIMES],
    }
    assert list(table.index) == [0, 1]
    assert np.isnan(found.matrix[1, 2])
    empty = game({1: 1, 2: 2}, {1: 0, 2: 0}).to_dataframe()
    assert list(empty.columns) == list(table.columns)
    assert empty.empty


def test_intervals_are_those_of_each_number_over_pairs() -> None:
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0}, ends=(50, 2))
    once = mean_interval(PAIRS[:, None], (), 0.8)[:, 0]
    table = found.dividends(level=0.8)
    assert table["players"].tolist() == ["a + b", "b", "a"]
    assert table["size"].tolist() == [2, 1, 1]
    assert table["dividend"].tolist() == [6 * TIMES, 2 * TIMES, 1 * TIMES]
    np.testing.assert_allclose(table[["low", "high"]], np.outer([6, 2, 1], once))
    np.testing.assert_allclose(found.shapley(0.8)[["low", "high"]], np.outer([4, 5], once))
    ends = found.matrix_ci(0.8)
    np.testing.assert_allclose(ends[:, 0, 1], 6 * once)
    np.testing.assert_array_equal(ends[:, 1, 0], ends[:, 0, 1])
    other = mean_interval(PAIRS[:, None], (), 0.95, 300, 5)[:, 0]
    np.testing.assert_allclose(found.matrix_ci(resamples=300, seed=5)[:, 0, 1], 6 * other)
    nothing_said = mean_interval(PAIRS[:, None], (), 0.95, 2000, 0)[:, 0]
    np.testing.assert_allclose(found.matrix_ci()[:, 0, 1], 6 * nothing_said)


def test_intervals_draw_clusters_whole() -> None:
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0}, ends=(50, 2))
    clusters = ("s", "s", "t", "u")
    whole = replace(found, effect=replace(found.effect, clusters=clusters))
    once = mean_interval(PAIRS[:, None], clusters, 0.95)[:, 0]
    assert not np.allclose(once, mean_interval(PAIRS[:, None], (), 0.95)[:, 0])
    np.testing.assert_allclose(whole.dividends()[["low", "high"]], np.outer([6, 2, 1], once))
    np.testing.assert_allclose(whole.shapley()[["low", "high"]], np.outer([4, 5], once))
    np.testing.assert_allclose(whole.matrix_ci()[:, 0, 1], 6 * once)


def test_a_picture_has_the_ten_largest_and_no_numbers_of_rows() -> None:
    masks = games._masks(6, 2, None)
    found = game({mask: float(mask) ** 3 for mask in masks}, dict.fromkeys(masks, 0.0))
    table = found.to_dataframe()
    assert len(table) == 15
    html = found._repr_html_()
    assert html.count("<tr") == 1 + 10
    assert "<th></th>" not in html
    assert f"{table['INT'][9]:+.3f}" in html
    assert f"<td>{table['INT'][10]:+.3f}" not in html


# --- frozen --------------------------------------------------------------------------------------


def test_a_frozen_game_has_the_dividends_it_was_made_of() -> None:
    found = frozen()
    assert found.names == ("a", "b", "bypass")
    np.testing.assert_array_equal(found.dividends_pairs[0], 0 * PAIRS)
    for mask, expected in DIVIDENDS.items():
        np.testing.assert_allclose(found.dividends_pairs[mask], expected * PAIRS)
    table = found.dividends().set_index("players")
    assert table.loc["a + b + bypass", "dividend"] == 64 * TIMES
    assert table.loc["b + bypass", "size"] == 2


@pytest.mark.parametrize("direction", ["denoising", "noising"])
def test_shares_of_a_frozen_game_are_alike_both_ways(direction: str) -> None:
    """A game and its dual have the same Shapley values."""
    shares = frozen(direction).shapley()["shapley"]
    assert list(shares.index) == list(SHARES)
    np.testing.assert_allclose(shares, [share * TIMES for share in SHARES.values()])


def test_breaking_a_frozen_set_costs_every_dividend_that_it_touches() -> None:
    found = frozen("noising")
    np.testing.assert_allclose(found.worth(["a"]), (1 + 8 + 16 + 64) * PAIRS)
    np.testing.assert_allclose(found.dividends_pairs[0b100], (4 + 16 + 32 + 64) * PAIRS)
    np.testing.assert_allclose(found.dividends_pairs[0b011], -(8 + 64) * PAIRS)
    table = found.dividends()
    assert table["players"][:3].tolist() == ["bypass", "b", "b + bypass"]
    np.testing.assert_allclose(table["dividend"][:3], TIMES * np.array([116, 106, -96]))
    assert (table["dividend"].abs().diff().dropna() <= 0).all()
    assert list(table.index) == list(range(7))


# --- drawn orders --------------------------------------------------------------------------------


def test_a_share_of_drawn_orders_is_the_mean_gain_and_has_their_error() -> None:
    """First a, then b, then the bypass; and the other way round."""
    orders = np.array([[0, 1, 2], [2, 1, 0]])
    found = frozen(orders=orders)
    drawn = replace(found, effect=_without(found.effect, 0))
    assert not drawn.exact
    forth, back = [1, 2 + 8, 4 + 16 + 32 + 64], [1 + 8 + 16 + 64, 2 + 32, 4]
    table = drawn.shapley()
    np.testing.assert_allclose(table["shapley"], TIMES * np.mean([forth, back], axis=0))
    error = np.abs(np.subtract(forth, back)) / 2  # the error of a mean of two
    np.testing.assert_allclose(table["error"], TIMES * error)
    assert list(table.index) == ["a", "b", "bypass"]


def _without(effect: Effect, last: int) -> Effect:
    """The effect with a set more, of no players that there are: not every set, nor all."""
    return replace(
        effect,
        axes={"set": (*effect.axes["set"], 64 + last)},
        edited=np.concatenate([effect.edited, effect.edited[:, :, :1]], axis=2),
        status=np.ones(4, dtype=np.uint8),
    )


# --- words ---------------------------------------------------------------------------------------


def test_a_game_says_what_it_is() -> None:
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0})
    assert repr(found) == "Interactions(2 players, 3 sets, recomputed, denoising; logits)"
    assert found.sites == (A, B)
    assert found.title == (
        "Restoring sites in the corrupt run, what follows recomputed: "
        "together minus the sum (logits)."
    )
    assert frozen("noising").title == (
        "Breaking sites in the clean run, the other players held, so what sites pass to each "
        "other is lost: together minus the sum (logits)."
    )
    constant = replace(found, effect=replace(found.effect, edit=mw.Zero()))
    assert constant.title.startswith("Setting sites in the corrupt run, what follows recomputed")


def test_only_what_spoils_numbers_has_failed() -> None:
    checks = [
        Check("clean answer", ok=False, words="Not."),
        Check("precision", ok=False, words="Not."),
        Check("plain forward", ok=None, words="Not checked."),
        Check("edit fired", ok=True, words="It did."),
        Check("self-patch", ok=False, words="It <i>moves</i>."),
    ]
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0})
    found = replace(found, effect=replace(found.effect, checks=tuple(checks)))
    assert [check.name for check in found.failed] == ["self-patch"]
    assert repr(found).endswith("; logits; a check failed)")
    html = found._repr_html_()
    assert html.startswith(f"<p>{found.title}</p><p>It &lt;i&gt;moves&lt;/i&gt;.</p><table")
    assert "<td>+16.000</td>" in html


def test_players_are_named_alone_or_several() -> None:
    found = game({1: 3, 2: 4, 3: 11}, {1: 0, 2: 0, 3: 0})
    one: Any = np.array(1)
    for players, mask in (([], 0), (0, 1), ("b", 2), ((1, "b"), 2), (["a", 1], 3), ([0, 0], 1)):
        assert found.mask(players) == mask  # type: ignore[arg-type]
    with pytest.raises(MediationError, match="no such player") as caught:
        found.mask(one)
    assert caught.value.expected == "0 to 1, or one of a, b"


def test_a_set_that_was_not_run_is_named() -> None:
    found = game({1: 1, 2: 2, 4: 4, 3: 4}, dict.fromkeys((1, 2, 4, 3), 0.0))
    with pytest.raises(MediationError, match="was not run") as caught:
        found.group(["a", 2])
    assert caught.value.value == "a + c"
    assert str(caught.value.expected).startswith("one of the 4 sets")
    with pytest.raises(MediationError, match="every set") as caught:
        found.dividends()
    assert caught.value.value == "4 of 7 sets were run"


# --- which sets are run --------------------------------------------------------------------------


def test_up_to_ten_players_all_sets_are_run() -> None:
    assert games._masks(10, None, None) == list(range(1, 1024))
    with pytest.raises(MediationError, match="too many players") as caught:
        games._masks(11, None, None)
    assert caught.value.value == "11 players, 2,047 sets"
    assert games._masks(4, 2, None) == [1, 2, 3, 4, 5, 6, 8, 9, 10, 12]
    assert games._masks(3, 1, None) == [1, 2, 4]
    assert games._masks(3, 9, None) == list(range(1, 8))
    assert len(games._masks(12, 2, None)) == 12 + 66


def test_of_drawn_orders_the_beginnings_are_run_and_all_pairs() -> None:
    order = np.array([[3, 1, 4, 0, 2]])
    begun = {0b01000, 0b01010, 0b11010, 0b11011, 0b11111}
    pairs = {1 << i | 1 << j for i in range(5) for j in range(5)}
    assert games._masks(5, None, order) == sorted(begun | pairs)
    # The last of four is the bypass of a frozen game of three: its worth is read off complements.
    assert games._masks(3, None, np.array([[0, 3, 2, 1]])) == list(range(1, 8))
    few = games._masks(5, None, np.array([[2, 0, 5, 1, 3, 4]]))
    begun = {0b00100, 0b00101, 0b00111, 0b01111, 0b11111}
    assert few == sorted((begun | {31 ^ mask for mask in begun} | pairs) - {0})


def test_orders_are_permutations_that_differ() -> None:
    orders = games._orders(6, 20, 3)
    assert orders.shape == (20, 6)
    np.testing.assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(6), (20, 1)))
    assert len({row.tobytes() for row in orders}) > 15
    np.testing.assert_array_equal(orders, games._orders(6, 20, 3))
    assert not np.array_equal(orders, games._orders(6, 20, 4))


def test_a_set_sets_its_players_and_holds_the_others() -> None:
    players = ((A, B), (C,), (mw.Site("mlp_out", 1),))
    assert games._cell(players, 0b011, mw.Zero()) == dict.fromkeys((A, B, C), mw.Zero())
    assert games._others(players, 0b010) == (A, B, mw.Site("mlp_out", 1))
    assert games._others(players, 0b111) == ()


@pytest.mark.parametrize(("name", "first"), [("game", "recomputed"), ("direction", "denoising")])
@pytest.mark.parametrize("value", ["chess", 1, None])
def test_what_is_no_game_is_told_what_is(name: str, first: str, value: Any) -> None:
    asked: Any = {"game": "recomputed", "direction": "denoising", "edit": mw.Patch()}
    games._refuse_no_game(**asked)
    with pytest.raises(MediationError, match=f"There is no such {name}") as caught:
        games._refuse_no_game(**{**asked, name: value})
    assert caught.value.fix == f"mw.interactions(study, sites, {name}={first!r})"


def test_orders_and_samples_are_counted() -> None:
    for right in (None, 1, 2, games.MOST_ORDERS):
        games._refuse_no_number("order", right, 1)
    for value in (0, games.MOST_ORDERS + 1, 2.0, True, "2"):
        with pytest.raises(MediationError, match="order is a number") as caught:
            games._refuse_no_number("order", value, 1)
        assert caught.value.fix == "mw.interactions(study, sites, order=2)"
    with pytest.raises(MediationError, match="samples is a number") as caught:
        games._refuse_no_number("samples", 2, 3)
    assert caught.value.expected == "an int from 3 to 100000, or None"
    assert str(caught.value.fix).endswith("samples=3)")


def test_a_game_of_two_draws_is_refused() -> None:
    games._refuse_no_game("recomputed", "denoising", mw.Noise(samples=1))
    with pytest.raises(MediationError, match="one run for every set"):
        games._refuse_no_game("recomputed", "denoising", mw.Noise(samples=2))
