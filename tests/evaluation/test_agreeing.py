"""Scores and circuits held against a known circuit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget import evaluation as ev
from tests.asking import raised, study

SITES = [mw.Site("head", layer, head=h) for layer in range(4) for h in range(5)]
KNOWN = mw.Circuit(SITES[:4])


def slow_auroc(scores: list[float], members: list[bool]) -> float:
    """Every pair of a member and another candidate, one by one."""
    ours = [s for s, m in zip(scores, members, strict=True) if m]
    theirs = [s for s, m in zip(scores, members, strict=True) if not m]
    wins = [(a > b) + 0.5 * (a == b) for a in ours for b in theirs]
    return sum(wins) / len(wins)


def slow_precision(scores: list[float], members: list[bool]) -> float:
    """Every threshold, one by one."""
    area = recall = 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = [m for s, m in zip(scores, members, strict=True) if s >= threshold]
        gained = sum(taken) / sum(members) - recall
        recall += gained
        area += gained * sum(taken) / len(taken)
    return area


@settings(deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=20, max_size=20), st.integers(1, 19))
def test_areas_are_those_of_the_definition(numbers: list[int], n: int) -> None:
    scores = dict(zip(SITES, map(float, numbers), strict=True))
    members = [i < n for i in range(20)]
    found = ev.agreement(scores, SITES[:n], rank="signed", shuffles=10)
    assert found.auroc == pytest.approx(slow_auroc(list(scores.values()), members))
    assert found.auprc == pytest.approx(slow_precision(list(scores.values()), members))
    assert found.prevalence == n / 20
    sized = ev.agreement(scores, SITES[:n], shuffles=10)
    same = ev.agreement(
        {s: abs(v) for s, v in scores.items()}, SITES[:n], rank="signed", shuffles=10
    )
    assert (sized.auroc, sized.auprc) == (same.auroc, same.auprc)


def test_perfect_reversed_and_tied_scores() -> None:
    perfect = ev.agreement({s: float(s in KNOWN) for s in SITES}, KNOWN)
    assert (perfect.auroc, perfect.auprc, perfect.tied) == (1, 1, 0)
    reversed_ = ev.agreement({s: float(s not in KNOWN) for s in SITES}, KNOWN)
    assert reversed_.auroc == 0
    tied = ev.agreement(dict.fromkeys(SITES, 1.0), KNOWN)
    assert (tied.auroc, tied.auprc, tied.tied) == (0.5, 0.2, 20)
    assert "20 tied" in repr(tied)


def test_shuffled_scores_are_at_chance() -> None:
    rng = np.random.default_rng(0)
    found = ev.agreement({s: float(rng.normal()) for s in SITES}, KNOWN, shuffles=4000)
    mean, low, high = found.chance_auroc
    assert mean == pytest.approx(0.5, abs=0.01)
    assert low < 0.5 < high
    # Average precision of few members is above the prevalence by chance, and not far.
    assert found.prevalence < found.chance_auprc[0] < found.prevalence + 0.15
    assert list(found.to_dataframe()["measure"]) == ["AUROC", "AUPRC"]


def test_edges_are_held_against_edges() -> None:
    edges = study().lm.wiring.edges
    known = mw.Circuit([], edges[:3])
    found = ev.agreement({edge: float(edge in known) for edge in edges}, known, shuffles=10)
    assert found.auroc == 1
    assert found.n == len(edges)
    raised(lambda: ev.agreement(dict.fromkeys(edges, 1.0), mw.Circuit(SITES[:1])))


def test_what_a_search_scored_is_held_as_it_is() -> None:
    scores = mw.search.eap(study())
    known = scores.circuit(40)
    found = ev.agreement(scores, known, shuffles=10)
    same = ev.agreement(dict(scores.edges()), known, shuffles=10)
    assert (found.auroc, found.auprc, found.n) == (same.auroc, same.auprc, same.n)
    assert found.n == scores.wiring.n_edges


def test_signed_scores_are_high_that_have_the_sign_of_the_total_effect() -> None:
    lm = mw.load()
    asked = mw.Study(lm, mw.tasks.ioi(lm, n=4), metric=mw.KL("clean"))
    effect = asked.sweep("head", progress=False)
    known = [mw.Site("head", *at[:1], head=at[1]) for at in ((0, 1), (3, 0), (3, 1))]
    assert ev.agreement(effect, known, rank="signed", shuffles=10).auroc > 0.95
    plain = ev.agreement(ev.as_scores(effect), known, rank="signed", shuffles=10)
    assert plain.auroc < 0.05
    scores = mw.search.eap(asked, base="corrupt", steps=5)
    best = [edge for edge, _ in scores.edges("signed")[:9]]
    assert ev.agreement(scores, best, rank="signed", shuffles=10).auroc == 1


def test_how_many_were_found_by_class() -> None:
    known = ev.known("ioi")
    movers = [s for s, name in known.classes.items() if "mover" in name]
    found = ev.overlap(mw.Circuit([*movers[:7], mw.Site("head", 11, head=0)]), known)
    assert (len(found.shared), len(found.missed), len(found.extra)) == (7, 19, 1)
    assert found.recall == 7 / 26
    assert found.precision == 7 / 8
    assert found.jaccard == 7 / 27
    assert "found 7 of 26 of IOI" in repr(found)
    table = found.to_dataframe().set_index("class")
    assert table.loc["name mover", "found"] == 3
    assert table["of"].sum() == 26
    assert np.isnan(ev.overlap(mw.Circuit([]), known).precision)


def test_a_node_found_at_a_position_counts_for_one_that_names_none() -> None:
    placed = mw.Circuit([mw.Site("head", 0, head=1, position="END")])
    anywhere = mw.Circuit([mw.Site("head", 0, head=1)])
    assert ev.overlap(placed, anywhere).recall == 1
    assert ev.overlap(placed, anywhere).precision == 1
    # The other way round it is the same: found everywhere, so found there too.
    assert ev.overlap(anywhere, placed).recall == 1
    assert ev.overlap(anywhere, placed).precision == 1
    elsewhere = mw.Circuit([mw.Site("head", 0, head=1, position="S2")])
    assert ev.overlap(placed, elsewhere).recall == ev.overlap(placed, elsewhere).precision == 0
    edge = study().lm.wiring.edges[0]
    at_end = mw.Circuit([], [mw.Edge(edge.sender, replace(edge.receiver, position="END"))])
    for one, other in ((at_end, mw.Circuit([], [edge])), (mw.Circuit([], [edge]), at_end)):
        assert ev.overlap(one, other).recall == ev.overlap(one, other).precision == 1


def test_edges_overlap_where_both_name_them() -> None:
    first, second, third = study().lm.wiring.edges[:3]
    found = ev.overlap(mw.Circuit([], [first, second]), mw.Circuit([], [second, third]))
    assert (found.shared, found.missed, found.extra) == ((second,), (third,), (first,))


def test_mistakes_are_told() -> None:
    scores = {site: float(i) for i, site in enumerate(SITES)}
    many: Any = SITES
    calls: dict[str, Any] = {
        "was not scored": lambda: ev.agreement(scores, [mw.Site("head", 9, head=9)]),
        "20 of 20 candidates": lambda: ev.agreement(scores, SITES),
        "0 of 20 candidates": lambda: ev.agreement(scores, []),
        "as they are or by size": lambda: ev.agreement(scores, KNOWN, rank="largest"),  # type: ignore[arg-type]
        "shuffles are counted": lambda: ev.agreement(scores, KNOWN, shuffles=1),
        "numbers of components": lambda: ev.agreement([1.0], KNOWN),  # type: ignore[arg-type]
        "A known circuit has members": lambda: ev.overlap(KNOWN, mw.Circuit([])),
        "Circuits are held against each other": lambda: ev.overlap(many, KNOWN),
    }
    for words, call in calls.items():
        assert words in str(raised(call))
