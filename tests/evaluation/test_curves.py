"""Curves of faithfulness over size: their areas, their order, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget import evaluation as ev
from mediawidget.jobs import Job
from tests.asking import pair, raised, study
from tests.engine.cases import case, random_pair

CANDIDATES = [mw.Site("head", layer, head=h) for layer in range(6) for h in range(5)]


class Dictated(ev.CircuitValues):
    """Circuits whose worth is dictated: the sum over their nodes, the same for every pair."""

    mode = "node"

    def __init__(self, asked: mw.Study, worth: dict[mw.Site, float]) -> None:
        super().__init__(asked, over=("head",))
        self.worth = worth

    @property
    def candidates(self) -> tuple[mw.Site, ...]:
        return tuple(self.worth)

    @property
    def empty(self) -> mw.Circuit:
        return mw.Circuit([])

    def job(self, circuits: Any) -> Job[np.ndarray]:
        n = len(self.study.contrast)
        kept = [
            set(self.worth) - set(one.without) if isinstance(one, ev.Rest) else one.nodes
            for one in circuits
        ]
        found = np.array([[sum(self.worth[site] for site in some)] * n for some in kept])
        return Job(iter(()), 0, lambda: found)


def test_areas_of_the_grid() -> None:
    """A perfect curve and one that jumps at the end: 0.999 and 0, 0.25 and 0.749."""
    cpr, cmd = ev.areas(np.ones(10))
    assert float(cpr) == pytest.approx(0.999, abs=1e-12)
    assert float(cmd) == 0
    cpr, cmd = ev.areas(np.array([0.0] * 9 + [1.0]))
    assert float(cpr) == pytest.approx(0.25, abs=1e-12)
    assert float(cmd) == pytest.approx(0.749, abs=1e-12)


@settings(deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=10, max_size=10))
def test_areas_in_general(numbers: list[float]) -> None:
    f = np.array(numbers)
    cpr, cmd = ev.areas(f)
    width = ev.SIZES[-1] - ev.SIZES[0]
    # What is missing to 1, in sum, is no more than what is apart from it.
    assert cmd >= abs(width - cpr) - 1e-9
    if (f <= 1).all():
        assert cmd == pytest.approx(width - cpr, abs=1e-9)
    mirrored = ev.areas(2 - f)
    assert mirrored[1] == pytest.approx(cmd, abs=1e-9)
    several = ev.areas(np.stack([f, 2 - f]))
    np.testing.assert_allclose(several[0], [cpr, mirrored[0]])


@settings(deadline=None, max_examples=25)
@given(st.permutations(range(30)), st.sampled_from(["signed", "absolute"]))
def test_the_best_order_is_the_best_curve(order: list[int], rank: Any) -> None:
    """Of worths that add up no order has a larger area than that of the worths themselves."""
    worth = {site: float(i) for i, site in enumerate(CANDIDATES)}
    values = Dictated(study(), worth)
    any_order = dict(zip([CANDIDATES[i] for i in order], range(30), strict=True))
    best = ev.curve(values.study, worth, rank=rank, values=values)
    other = ev.curve(values.study, any_order, rank=rank, values=values)
    assert other.cpr <= best.cpr + 1e-12
    assert best.counts == (0, 0, 0, 0, 0, 1, 3, 6, 15, 30)
    assert best.f[-1] == other.f[-1] == 1
    assert (np.diff(best.f) >= 0).all()


def test_a_curve_of_a_network_begins_at_nothing_and_ends_at_everything() -> None:
    lm = mw.load()
    asked = mw.Study(lm, mw.tasks.ioi(lm, n=6))
    effect = asked.sweep("head", progress=False)
    found = ev.curve(asked, effect)
    values = ev.NodeValues(asked, over=("head",))
    assert found.f[0] == pytest.approx(0, abs=1e-6)
    assert found.f[-1] == pytest.approx(1, abs=1e-6)
    at = found.sizes.index(0.5)
    (kept,) = values([found.circuit(0.5)])
    np.testing.assert_allclose(found.kept[at], kept, atol=1e-4)
    best = effect.top(found.counts[at])["site"]
    assert {site.label() for site in found.circuit(0.5).nodes} == set(best)
    # f is what faithfulness says of the same circuit, and so is its interval.
    same = ev.faithfulness(asked, found.circuit(0.5), over=("head",))
    assert found.f[at] == pytest.approx(same.normalized, abs=1e-5)
    np.testing.assert_allclose(found.f_ci()[:, at], same.normalized_ci(), atol=1e-5)
    low, high = found.areas_ci()
    assert (low <= high).all()
    assert low[0] <= found.cpr <= high[0]
    assert list(found.to_dataframe()["count"]) == list(found.counts)


def test_scores_of_mlps_and_of_positions_are_read() -> None:
    asked = study()
    mlps = ev.as_scores(asked.sweep("mlp_out", progress=False))
    assert mw.Site("mlp_out", 1) in mlps
    placed = asked.sweep("head", by="position", progress=False)
    scores = ev.as_scores(placed, "TIE")
    site = mw.Site("head", 1, head=2, position=4)
    assert scores[site] == placed["TIE"][1, 2, 4]
    found = ev.curve(asked, placed, sizes=(0.5, 1))
    assert found.counts == (len(scores) // 2, len(scores))
    assert found.f[-1] == pytest.approx(1, abs=1e-9)


def test_scores_at_some_positions_are_refused() -> None:
    """What no circuit holds would be ablated in all of them, and f would not end at 1."""
    asked = study(pair(roles={"END": 4}))
    some = asked.sweep("head", by="role", progress=False)
    error = raised(lambda: ev.curve(asked, some))
    assert "every position" in error.message
    edges = [mw.Edge(e.sender, replace(e.receiver, position=4)) for e in asked.lm.wiring.edges]
    raised(lambda: ev.curve(asked, dict.fromkeys(edges, 1.0)))
    n = len(asked.token_pairs[0])
    placed = {
        mw.Edge(e.sender, replace(e.receiver, position=p)): 1.0
        for e in asked.lm.wiring.edges
        for p in range(n)
    }
    assert ev.curve(asked, placed, sizes=(0.5, 1)).f[-1] == pytest.approx(1, abs=1e-9)


def test_an_order_is_by_size_or_by_sign() -> None:
    scores: dict[Any, float] = dict(zip(CANDIDATES, [1.0, -2.0, 0.5, 0.5], strict=False))
    first, second, third, fourth = CANDIDATES[:4]
    assert ev.ranked(scores, "absolute") == (second, first, third, fourth)
    assert ev.ranked(scores, "signed") == (first, third, fourth, second)


def test_a_signed_order_begins_with_what_supports_the_clean_behaviour() -> None:
    """Under a metric that falls that is what is negative; plain numbers stay as they are."""
    lm = mw.load()
    asked = mw.Study(lm, mw.tasks.ioi(lm, n=4), metric=mw.KL("clean"))
    effect = asked.sweep("head", progress=False)
    assert (effect["TE"] < 0).all()
    found = ev.curve(asked, effect, rank="signed")
    numbers = ev.as_scores(effect)
    assert found.order == ev.ranked({k: -v for k, v in numbers.items()}, "signed")
    assert ev.curve(asked, numbers, rank="signed").order == ev.ranked(numbers, "signed")
    assert found.cpr > ev.curve(asked, numbers, rank="signed").cpr + 0.3
    assert ev.curve(asked, effect).order == ev.ranked(numbers, "absolute")
    scores = mw.search.eap(asked, base="corrupt", steps=5)
    assert scores.total < 0
    found = ev.curve(asked, scores, rank="signed", sizes=(0.5, 1))
    assert found.order == tuple(edge for edge, _ in scores.edges("signed"))


def test_parts_of_all_candidates_are_counted_as_written() -> None:
    worth = {mw.Site("head", i, head=0): 1.0 for i in range(100)}
    values = Dictated(study(), worth)
    found = ev.curve(values.study, worth, sizes=(0.019, 0.29, 1), values=values)
    assert found.counts == (1, 29, 100)
    np.testing.assert_allclose(found.f, [0.01, 0.29, 1])


def test_few_pairs_have_no_interval() -> None:
    found = ev.curve(study(), study().sweep("head", progress=False))
    assert np.isnan(found.f_ci()).all()
    assert np.isnan(found.areas_ci()).all()


def test_nothing_to_divide_by_is_refused() -> None:
    """A circuit of a network in which the candidates do nothing has no normalised figure."""
    values = Dictated(study(), dict.fromkeys(CANDIDATES, 0.0))
    found = ev.curve(values.study, dict.fromkeys(CANDIDATES, 1.0), values=values)
    assert "too little" in str(raised(lambda: found.f))
    whole = ev.faithfulness(values.study, mw.Circuit(CANDIDATES), values=values)
    raised(lambda: whole.normalized)
    assert "not normalised" in repr(whole)
    assert whole.gap == 0


def test_a_difference_that_may_be_nothing_is_refused() -> None:
    """Pairs on which ablating all heads moves the metric now up, now down."""
    known = case("gpt2", [random_pair("gpt2", seed) for seed in range(4)])
    result = ev.faithfulness(known.study, mw.Circuit([]), over=("head",))
    apart = result.model - result.empty
    assert apart.min() < 0 < apart.max()
    assert abs(apart.mean()) > 0.1
    assert "interval" in str(raised(lambda: result.normalized))
    assert "interval" in str(raised(result.normalized_ci))
    found = ev.curve(known.study, known.study.sweep("head", progress=False))
    for call in (lambda: found.cpr, lambda: found.cmd, found.areas_ci, found.f_ci):
        raised(call)
    assert "not normalised" in repr(found)
    assert found.to_dataframe()["f"].isna().all()
    assert found.to_dataframe()["kept"].notna().all()


def test_edges_have_a_curve_in_edge_mode() -> None:
    lm = mw.load()
    asked = mw.Study(lm, mw.tasks.ioi(lm, n=4))
    eap = mw.search.eap(asked)
    scores = dict(eap.edges())
    found = ev.curve(asked, scores, sizes=(0.1, 0.2, 0.5, 1))
    assert found.terms.mode == "edge"
    assert found.f[-1] == pytest.approx(1, abs=1e-5)
    assert found.f[2] == pytest.approx(1, abs=0.1)  # half of all edges do nothing here
    assert found.circuit(0.1).size == found.counts[0] == len(scores) // 10
    assert "edges by absolute score" in repr(found)
    np.testing.assert_array_equal(ev.curve(asked, eap, sizes=(0.1, 0.2, 0.5, 1)).f, found.f)
    same = ev.faithfulness(asked, found.circuit(0.2))
    assert found.f[1] == pytest.approx(same.normalized, abs=1e-4)


def test_mistakes_are_told() -> None:
    asked = study()
    effect = asked.sweep("head", progress=False)
    heads = ev.as_scores(effect)
    edge = mw.Edge(CANDIDATES[0], mw.Site("query", 1, head=0))
    calls: list[Any] = [
        lambda: ev.curve(asked, dict(list(heads.items())[:3])),
        lambda: ev.curve(asked, effect, rank="largest"),  # type: ignore[arg-type]
        lambda: ev.curve(asked, effect, sizes=(0.5, 0.2)),
        lambda: ev.curve(asked, effect, sizes=(0.5, 2)),
        lambda: ev.curve(asked, {}),
        lambda: ev.curve(asked, {**heads, CANDIDATES[0]: float("nan")}),
        lambda: ev.curve(asked, {edge: 1.0}),
        lambda: ev.curve(asked, asked.sweep("residual", progress=False)),
        lambda: ev.curve(asked, asked.sweep("query", progress=False)),
        lambda: ev.curve(asked, effect).circuit(0.3),
        lambda: ev.areas(np.ones(9)),
    ]
    for call in calls:
        raised(call)
