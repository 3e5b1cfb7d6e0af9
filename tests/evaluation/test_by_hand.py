"""Results of four pairs whose numbers are written down, and searches over dictated worths."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import evaluation as ev
from mediawidget.evaluation.complete import _drawn
from mediawidget.evaluation.scoring import circuit_of
from mediawidget.evaluation.shares import refused
from mediawidget.evaluation.values import Terms
from mediawidget.jobs import Job
from tests.asking import raised, study

A, B, C, D = (mw.Site("head", layer, head=1) for layer in range(4))
TERMS = Terms("node", "mean", ("head",), "logit_diff", "logits", (), 4)
EDGE = mw.Edge(A, mw.Site("query", 1, head=0))

MODEL = np.array([4.0, 5.0, 6.0, 5.0])  # mean 5
EMPTY = np.array([1.0, 0.0, 2.0, 1.0])  # mean 1
KEPT = np.array([3.0, 2.0, 4.0, 3.0])  # mean 3


class Judged(ev.CircuitValues):
    """Circuits worth what a function of their nodes says, the same for every pair."""

    mode = "node"

    def __init__(self, worth: Callable[[frozenset[mw.Site]], float]) -> None:
        super().__init__(study(), over=("head",))
        self.worth, self.asked = worth, list[Any]()

    @property
    def candidates(self) -> tuple[mw.Site, ...]:
        return (A, B, C, D)

    @property
    def empty(self) -> mw.Circuit:
        return mw.Circuit([])

    def job(self, circuits: Any) -> Job[np.ndarray]:
        rest = [isinstance(one, ev.Rest) for one in circuits]
        kept = [
            frozenset(self.candidates) - one.without if is_rest else one.nodes
            for one, is_rest in zip(circuits, rest, strict=True)
        ]
        self.asked.append(kept)
        found = np.array([[self.worth(some)] for some in kept])
        return Job(iter(()), 0, lambda: found)


def test_faithfulness_of_four_pairs() -> None:
    """(3 - 1) / (5 - 1) = 0.5, and |5 - 3| = 2."""
    result = ev.Faithfulness(mw.Circuit([A]), KEPT, MODEL, EMPTY, TERMS)
    assert (result.normalized, result.gap) == (0.5, 2.0)
    assert replace(result, kept=2 * MODEL - KEPT).gap == 2.0
    table = result.to_dataframe()
    assert table["gap"].tolist() == [1, 3, 2, 2]
    assert replace(result, kept=MODEL, model=KEPT).to_dataframe()["gap"].tolist() == [1, 3, 2, 2]
    low, high = result.normalized_ci()
    assert low < 0.5 < high
    narrow = result.normalized_ci(level=0.5)
    assert low < narrow[0] < 0.5 < narrow[1] < high


def test_a_curve_of_four_pairs() -> None:
    """m is 1, 3 and 5 at sizes 0.25, 0.5 and 1: f is 0, 0.5 and 1."""
    curve = ev.Curve(
        (A, B, C, D), "signed", (0.25, 0.5, 1.0), (1, 2, 4),
        np.stack([EMPTY, KEPT, MODEL]), MODEL, EMPTY, TERMS,
    )  # fmt: skip
    np.testing.assert_allclose(curve.f, [0, 0.5, 1])
    # Trapezoids: 0.25 * 0.25 + 0.5 * 0.75, and the same of 1, 0.5, 0.
    assert curve.cpr == pytest.approx(0.4375)
    assert curve.cmd == pytest.approx(0.3125)
    assert curve.circuit(0.5) == mw.Circuit([A, B])
    assert raised(lambda: curve.circuit(0.3)).expected == "0.25, 0.5, 1.0"
    table = curve.to_dataframe()
    assert table["kept"].tolist() == [1, 3, 5]
    assert table["count"].tolist() == [1, 2, 4]
    np.testing.assert_allclose(table["f"], [0, 0.5, 1])
    assert (table["low"] <= table["f"] + 1e-9).all()
    assert (table["f"] <= table["high"] + 1e-9).all()
    # Every resample has f = 0 at the first size and 1 at the last: one number moves both areas.
    low, high = curve.areas_ci()
    share = (KEPT - EMPTY) / (MODEL - EMPTY)
    ends = np.array([share.min(), share.max()])
    assert 0.375 * ends[0] + 0.25 < low[0] < curve.cpr < high[0] < 0.375 * ends[1] + 0.25
    np.testing.assert_allclose(low + high[::-1], 0.75, atol=1e-9)
    assert (curve.areas_ci(level=0.5)[0] > low).all()
    three = replace(TERMS, clusters=("a", "a", "b", "c"))
    assert np.isfinite(replace(curve, terms=three).areas_ci()).all()
    two = replace(TERMS, clusters=("a", "a", "b", "b"))
    assert np.isnan(replace(curve, terms=two).areas_ci()).all()


def test_sizes_go_up_and_end_at_all() -> None:
    values = Judged(lambda some: float(len(some)))
    scores = dict.fromkeys((A, B, C, D), 1.0)
    for sizes in ((0.5, 0.5), (0.2, 0.8, 0.5), (1.0,), (0.0, 1.0), (-0.5, 1.0), (0.5, 1.5), ()):
        raised(partial(ev.curve, values.study, scores, sizes=sizes, values=values))
    assert ev.curve(values.study, scores, sizes=(0.5, 0.9), values=values).counts == (2, 3)
    np.testing.assert_allclose(ev.areas(np.ones((2, 3)), (0.1, 0.2, 0.6))[0], [0.5, 0.5])
    for f, k in (
        ([1.0], [1.0]),
        ([1.0, 1.0], [0.5, 0.2]),
        ([1.0, 1.0], [0.2]),
        ([1.0] * 2, [0.1, 0.1]),
    ):
        raised(partial(ev.areas, np.array(f), k))


@pytest.mark.parametrize(
    ("model", "empty", "why"),
    [
        (MODEL, EMPTY, ""),
        (EMPTY, MODEL, ""),
        (MODEL, MODEL + 1e-7, "m(M) - m(empty) = -1e-07 logits"),
        (MODEL, MODEL + np.array([3, -3, 2, -2.4]), "m(M) - m(empty) = 0.1 logits, 95% interval "),
        (MODEL, MODEL - np.array([3, -3, 2, -1.6]), "m(M) - m(empty) = 0.1 logits, 95% interval "),
    ],
)
def test_what_is_nothing_to_divide_by(model: Any, empty: Any, why: str) -> None:
    assert refused(model, empty, TERMS).startswith(why)
    assert bool(refused(model, empty, TERMS)) == bool(why)


def test_few_pairs_are_divided_where_the_numbers_allow() -> None:
    """Two pairs have no interval that could hold 0."""
    terms = replace(TERMS, n_pairs=2)
    assert refused(np.array([5.0, -4.0]), np.zeros(2), terms) == ""


def test_completeness_of_three_sets() -> None:
    """Differences (0, 0, 0, 2), (-3, -3, -3, -3) and (1, -1, 1, -1): 0.5, 3 and 0."""
    ours = np.stack([MODEL, EMPTY, MODEL])
    apart = np.array([[0, 0, 0, 2.0], [-3, -3, -3, -3], [1, -1, 1, -1]])
    sets = (frozenset[mw.Site](), frozenset([A]), frozenset([A, B]))
    result = ev.Completeness(
        mw.Circuit([A, B]), sets, ("none", "class", "greedy"), ("", "first", "x"),
        ours, ours - apart, TERMS,
    )  # fmt: skip
    assert result.incompleteness.tolist() == [0.5, 3, 0]
    assert result.worst == (sets[1], 3.0)
    table = result.to_dataframe()
    assert list(table.columns) == [
        *("kind", "K", "size", "circuit", "model", "difference", "low", "high", "incompleteness")
    ]
    assert table["size"].tolist() == [0, 1, 2]
    assert table["circuit"].tolist() == [5, 1, 5]
    assert table["model"].tolist() == [4.5, 4, 5]
    assert table["difference"].tolist() == [0.5, -3, 0]
    assert "worst 3 logits, K = first (class)" in repr(result)


def test_minimality_of_two_nodes() -> None:
    """Without a node (1, 1, 1, 1) more or less: a score of 1 of a whole of 4."""
    without = np.stack([KEPT + 1, KEPT - 0.01])
    result = ev.Minimality(
        mw.Circuit([A, B], classes={B: "late"}), (A, B), (frozenset([B]), frozenset()),
        np.stack([KEPT, KEPT]), without, MODEL, EMPTY, TERMS,
    )  # fmt: skip
    np.testing.assert_allclose(result.scores, [1, 0.01])
    for turned in (result, replace(result, model=EMPTY, empty=MODEL)):
        assert turned.useless() == (B,)  # below 0.04
        assert turned.useless(0.3) == (A, B)
        assert turned.useless(0.25 / 101) == ()
        np.testing.assert_allclose(turned.to_dataframe()["share"], [0.25, 0.0025])
    table = result.to_dataframe()
    assert list(table.columns) == ["node", "class", "K", "score", "share", "adds", "low", "high"]
    np.testing.assert_allclose(table["adds"], [-1, 0.01])
    assert table["class"].tolist() == ["", "late"]
    assert table["K"].tolist() == [B.label(), ""]
    assert replace(result, empty=MODEL).to_dataframe()["share"].isna().all()


def backed_up(some: frozenset[mw.Site]) -> float:
    """A and B do the same thing, 4; either is enough. C does 1. D undoes 2."""
    return 4.0 * bool(some & {A, B}) + (C in some) - 2.0 * (D in some)


def test_a_backup_is_found_by_what_is_taken_out_beside_it() -> None:
    values = Judged(backed_up)
    circuit = mw.Circuit([A, B, C, D])
    alone = ev.minimality(values.study, circuit, size=0, values=values)
    np.testing.assert_allclose(alone.scores, [0, 0, 1, 2])
    found = ev.minimality(values.study, circuit, size=1, values=values)
    np.testing.assert_allclose(found.scores, [4, 4, 1, 2])
    assert found.sets[:2] == (frozenset([B]), frozenset([A]))
    assert found.with_node[:2].tolist() == [[3], [3]]
    assert found.without_node[:2].tolist() == [[-1], [-1]]
    classed = mw.Circuit([A, B, C, D], classes={A: "x", B: "x", C: "y", D: "z"})
    mates = ev.minimality(values.study, classed, size=0, values=values)
    np.testing.assert_allclose(mates.scores, [4, 4, 1, 2])
    given = ev.minimality(values.study, classed, {A: [C]}, size=3, values=values)
    assert given.sets[0] == frozenset([C]), "nothing is searched where it is given"
    assert given.scores.tolist() == [0, 4, 1, 2]
    before = len(values.asked)
    ev.minimality(values.study, circuit, size=1, values=values)
    asked = [some for call in values.asked[before:-1] for some in call]
    assert len(asked) == len(set(asked)), "what was run is run once"


def test_the_greedy_search_takes_the_worst_first() -> None:
    """A circuit of A, C and D misses the backup B: without A it loses 4 that the network keeps."""
    values = Judged(backed_up)
    circuit = mw.Circuit([A, C, D])
    result = ev.completeness(values.study, circuit, random=0, greedy=2, values=values)
    assert result.kinds == ("none", "greedy", "greedy")
    assert result.sets[:2] == (frozenset(), frozenset([A]))
    assert result.of_circuit.tolist()[:2] == [[3], [-1]]
    assert result.of_model.tolist()[:2] == [[3], [3]]
    assert result.incompleteness.tolist() == [0, 4, 4]
    assert len(result.sets[2]) == 2
    assert A in result.sets[2]
    assert ev.completeness(values.study, circuit, random=0, greedy=9, values=values).kinds == (
        *("none", "greedy", "greedy", "greedy"),
    )


def test_all_sets_are_drawn_where_there_are_no_more() -> None:
    every = {frozenset(some) for some in ([A], [B], [C], [A, B], [A, C], [B, C], [A, B, C])}
    assert set(_drawn([A, B, C], 7, 0)) == every == set(_drawn([A, B, C], 100, 3))
    assert len(_drawn([A, B, C], 7, 0)) == 7
    assert _drawn([], 5, 0) == []
    many = _drawn([A, B, C, D], 14, 1)
    assert len(set(many)) == 14
    assert frozenset() not in many


def test_stability_counted_by_hand() -> None:
    """Three resamples found {A, B}, {A} and {A, C}; all pairs {A, D}."""
    sets = tuple(map(frozenset, ([A, B], [A], [A, C])))
    found = ev.Stability((A, B, C, D, EDGE), frozenset([A, D]), sets, 4, 4)
    np.testing.assert_allclose(found.to_found, [1 / 3, 1 / 2, 1 / 3])
    assert found.jaccard == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    assert list(found.frequency.values()) == pytest.approx([1, 1 / 3, 1 / 3, 0, 0])
    table = found.to_dataframe()
    assert table["what"].tolist() == [A.label(), B.label(), C.label(), D.label()]
    assert table["found"].tolist() == [True, False, False, True]


def test_elements_become_the_circuit_of_their_kind() -> None:
    assert circuit_of((A, B), edges=False, name="n") == mw.Circuit([A, B], name="n")
    assert circuit_of((A, EDGE), edges=True, name="n").edges == frozenset([EDGE])
    assert circuit_of((EDGE,), edges=True, name="n").name == "n"
    assert circuit_of((A, EDGE), edges=False).nodes == frozenset([A])
