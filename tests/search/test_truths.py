"""Searches on models whose circuit is known, and on copies whose heads have changed places."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.evaluation import agreement
from mediawidget.wiring import Edge
from tests.search.permuted import before, edge_before, with_heads

FIRST, SECOND = mw.Site("head", 0, head=0), mw.Site("head", 1, head=0)
"""The two heads of the induction circuit; all others are decoys."""

ORDERS = ([2, 0, 3, 1], [1, 3, 0, 2], [3, 2, 1, 0], [1, 0, 3, 2], [2, 3, 1, 0], [3, 0, 1, 2])


def induction(beta: float = 20.0, seed: int = 0) -> mw.Study:
    lm = mw.models.induction(beta=beta, decoys=3, seed=seed)
    return mw.Study(lm, mw.models.induction_pairs()["key swap"])


def ioi_mini(seed: int = 0) -> mw.Study:
    lm = mw.models.ioi_mini(decoys=2, seed=seed)
    return mw.Study(lm, mw.models.ioi_mini_pairs()["flip"])


# --- models of known truth ------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_cutting_edges_finds_those_that_carry_what_differs(seed: int) -> None:
    """Of the seven edges that were built, queries and the word copied are the same in both."""
    study = induction(seed=seed)
    embed = mw.Site("embedding", 0)
    carrying = [
        Edge(embed, mw.Site("value", 0, head=0)),
        Edge(FIRST, mw.Site("key", 1, head=0)),
        Edge(SECOND, mw.Site("residual", 2)),
    ]
    silent = [Edge(embed, mw.Site(kind, 0, head=0)) for kind in ("query", "key")]
    silent += [Edge(embed, mw.Site(kind, 1, head=0)) for kind in ("query", "value")]
    scores = mw.search.exact_edges(study, progress=False)
    found = agreement(dict(scores.edges()), carrying)
    assert (found.auroc, found.auprc) == (1.0, 1.0)
    assert [scores[edge] for edge in carrying] == pytest.approx([2, 2, 2], abs=0.1)
    assert [scores[edge] for edge in silent] == pytest.approx([0] * 4, abs=0.1)


def test_the_sharper_a_head_chooses_the_less_a_gradient_sees_of_it() -> None:
    shares = []
    for beta in (1.0, 3.0, 5.0, 8.0):
        study = induction(beta)
        exact = study.sweep("head", progress=False)["TIE"]
        estimate = study.estimate("head")["TIE"]
        shares.append(float(estimate[0, 0] / exact[0, 0]))
        # What the logits read is linear in the head that writes them.
        assert estimate[1, 0] == pytest.approx(exact[1, 0], rel=1e-6)
    assert shares == sorted(shares, reverse=True)
    assert shares[0] > 0.9
    assert shares[1] > 0.5
    assert shares[3] < 0.01


def test_integrated_over_inputs_the_saturated_head_is_back() -> None:
    study = induction(beta=8.0)
    true = [FIRST, SECOND]
    plain, integrated = (
        agreement(study.estimate("head", method=method), true, by="TIE")
        for method in ("attribution", "ig-inputs")
    )
    assert plain.auroc < 1
    assert integrated.auroc == 1


@pytest.mark.parametrize("seed", range(3))
def test_pairs_rank_the_circuit_where_single_sites_do_not(seed: int) -> None:
    """Mover and backup hide each other; what a pair gains, and single effects, find all five."""
    study, true = ioi_mini(seed), mw.models.ioi_mini_heads().values()
    alone = study.sweep("head", progress=False)
    assert agreement(alone, list(true)).auroc < 0.95
    gains = mw.search.pairs(study, progress=False).nodes()
    single = dict(zip(gains, np.abs(alone["PIE"]).ravel().tolist(), strict=True))
    both = {site: max(single[site], gains[site]) for site in gains}
    assert agreement(both, list(true)).auroc == 1


@pytest.mark.parametrize("direction", ["restore", "break"])
def test_of_heads_in_a_row_greedy_takes_one(direction: Any) -> None:
    """Each of the two moves the whole effect, so that the other one adds nothing to it."""
    found = mw.search.greedy(induction(), 2, direction=direction, progress=False)
    assert found.sites[0] in (FIRST, SECOND)
    assert found.joint_mean[0] == pytest.approx(2, abs=0.1)
    assert found.joint_mean[1] - found.joint_mean[0] == pytest.approx(0, abs=0.1)


# --- heads that have changed places ---------------------------------------------------------------


@pytest.fixture(scope="module")
def twins() -> tuple[mw.LM, mw.LM]:
    lm = mw.load()
    return lm, with_heads(lm, ORDERS)


def both(twins: tuple[mw.LM, mw.LM], task: Any, n: int = 2) -> tuple[mw.Study, mw.Study]:
    one, two = (mw.Study(lm, task(lm, n=n)) for lm in twins)
    return one, two


def test_a_copy_computes_the_same(twins: tuple[mw.LM, mw.LM]) -> None:
    one, two = both(twins, mw.tasks.ioi)
    np.testing.assert_allclose(two.total.pairs("Y11"), one.total.pairs("Y11"), atol=1e-4)
    assert before(mw.Site("key", 1, head=1), ORDERS) == mw.Site("key", 1, head=3)


@pytest.mark.parametrize("how", ["exact", "attribution", "atp*", "ig-inputs", "relp"])
def test_scores_of_heads_go_with_them(twins: tuple[mw.LM, mw.LM], how: str) -> None:
    one, two = (
        study.sweep("head", progress=False)
        if how == "exact"
        else study.estimate("head", method=how)
        for study in both(twins, mw.tasks.ioi)
    )
    for key in ("PIE", "TIE"):
        moved = np.take_along_axis(one[key], np.array(ORDERS), axis=1)
        np.testing.assert_allclose(two[key], moved, atol=1e-3)
        assert np.abs(two[key] - one[key]).max() > 1


@pytest.mark.parametrize("steps", [1, 4])
def test_scores_of_edges_go_with_them(twins: tuple[mw.LM, mw.LM], steps: int) -> None:
    one, two = (mw.search.eap(study, steps=steps) for study in both(twins, mw.tasks.ioi))
    old = dict(one.edges())
    for edge, value in two.edges():
        assert value == pytest.approx(old[edge_before(edge, ORDERS)], abs=1e-3)


def test_greedy_chooses_the_same_heads(twins: tuple[mw.LM, mw.LM]) -> None:
    one, two = (mw.search.greedy(s, 3, progress=False) for s in both(twins, mw.tasks.ioi))
    assert tuple(before(site, ORDERS) for site in two.sites) == one.sites
    np.testing.assert_allclose(two.joint, one.joint, atol=1e-3)


def pruned(twins: tuple[mw.LM, mw.LM], task: Any, level: float) -> tuple[set[Edge], set[Edge]]:
    """The edges that ACDC keeps of a model and of its copy, both as the model names them."""
    one, two = (
        mw.search.acdc(study, level, progress=False).circuit().edges or frozenset()
        for study in both(twins, task)
    )
    return set(one), {edge_before(edge, ORDERS) for edge in two}


@pytest.mark.slow
def test_acdc_keeps_the_same_edges_where_no_two_heads_do_the_same(
    twins: tuple[mw.LM, mw.LM],
) -> None:
    kept, moved = pruned(twins, mw.tasks.induction, 1.0)
    assert kept == moved
    assert {edge.sender for edge in kept} >= {mw.Site("head", 0, head=0), SECOND}


@pytest.mark.slow
def test_of_heads_that_do_the_same_acdc_keeps_what_it_meets_last(
    twins: tuple[mw.LM, mw.LM],
) -> None:
    """Its order is that of the heads' numbers, so that among equals a new number changes edges."""
    kept, moved = pruned(twins, mw.tasks.ioi, 0.1)
    assert kept != moved
    assert len(kept & moved) > 0.8 * len(kept)
