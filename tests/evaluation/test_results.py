"""What results say of themselves: numbers, tables, intervals, words; and their controls."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget import evaluation as ev
from mediawidget.evaluation import transfers
from mediawidget.statistics import mean_interval
from mediawidget.wiring import at as read_at
from tests.asking import raised, study

HEADS = [mw.Site("head", layer, head=h) for layer in range(6) for h in range(4)]


@pytest.fixture(scope="module")
def ioi() -> mw.Study:
    lm = mw.load()
    return mw.Study(lm, mw.tasks.ioi(lm, n=12))


@pytest.fixture(scope="module")
def found(ioi: mw.Study) -> mw.Circuit:
    return ev.curve(ioi, ioi.sweep("head", progress=False)).circuit(0.5)


def test_faithfulness_is_told_both_ways(ioi: mw.Study, found: mw.Circuit) -> None:
    values = ev.NodeValues(ioi, "mean", ("head",))
    result = ev.faithfulness(ioi, found, "mean", ("head",))
    kept, model, empty = values([found, values.full, values.empty])
    assert result.gap == pytest.approx(abs(model.mean() - kept.mean()), abs=1e-5)
    share = (kept - empty).sum() / (model - empty).sum()
    assert result.normalized == pytest.approx(share, abs=1e-6)
    low, high = result.normalized_ci()
    assert low < result.normalized < high
    ends = mean_interval(model - kept, (), 0.95)
    np.testing.assert_allclose(result.difference_ci(), ends, atol=1e-4)
    assert list(result.to_dataframe().columns) == ["kept", "model", "empty", "gap"]
    for said in ("12 nodes", "logits", "mean ablation over head", "node mode", "n=12 pairs"):
        assert said in repr(result)
    placed = mw.Circuit([replace(site, position="END") for site in found.nodes])
    assert "at positions" in repr(ev.faithfulness(ioi, placed))
    edges = ev.EdgeValues(ioi).candidates
    assert "edge mode" in repr(ev.faithfulness(ioi, found, values=ev.EdgeValues(ioi)))
    assert "2 edges" in repr(ev.faithfulness(ioi, mw.Circuit([], edges[:2])))


def test_intervals_draw_templates_whole(ioi: mw.Study, found: mw.Circuit) -> None:
    pairs = [replace(pair, template=f"{i % 4}") for i, pair in enumerate(ioi.contrast)]
    grouped = mw.Study(ioi.lm, pairs)
    result = ev.faithfulness(grouped, found, over=("head",))
    assert len(set(result.terms.clusters)) == 4
    ends = mean_interval(result.model - result.kept, result.terms.clusters, 0.95)
    np.testing.assert_allclose(result.difference_ci(), ends)
    two = mw.Study(
        ioi.lm, [replace(pair, template="a" if i else "b") for i, pair in enumerate(pairs)]
    )
    assert np.isnan(ev.faithfulness(two, found, over=("head",)).normalized_ci()).all()


def test_completeness_compares_the_same_sets(ioi: mw.Study, found: mw.Circuit) -> None:
    nodes = found.ordered
    circuit = mw.Circuit(nodes, classes={nodes[0]: "first", nodes[1]: "first", nodes[2]: "last"})
    given = [nodes[3], nodes[4]]
    result = ev.completeness(ioi, circuit, [given], random=3, greedy=2, over=("head",))
    kinds = Counter(result.kinds)
    assert kinds == {"none": 1, "class": 2, "given": 1, "random": 3, "greedy": 2}
    at = result.kinds.index("given")
    values = ev.NodeValues(ioi, over=("head",))
    ours, theirs = values([ev.without(circuit, given), ev.Rest(frozenset(given))])
    np.testing.assert_allclose(result.of_circuit[at], ours, atol=1e-4)
    np.testing.assert_allclose(result.of_model[at], theirs, atol=1e-4)
    assert result.incompleteness[at] == pytest.approx(abs((ours - theirs).mean()), abs=1e-4)
    # A greedy step is the best of all candidates: no other first node does more.
    first = result.kinds.index("greedy")
    asked = [ev.without(circuit, [node]) for node in nodes]
    each = values([*asked, *(ev.Rest(frozenset([node])) for node in nodes)])
    apart = np.abs((each[: len(nodes)] - each[len(nodes) :]).mean(axis=1))
    assert result.incompleteness[first] == pytest.approx(apart.max(), abs=1e-4)
    assert result.sets[first] < result.sets[first + 1]
    table = result.to_dataframe()
    assert (table["low"] <= table["high"]).all()
    assert "first" in set(table["K"])
    assert "worst" in repr(result)
    again = ev.completeness(ioi, circuit, random=3, greedy=0, over=("head",))
    assert again.sets[3:6] == result.sets[4:7]  # the same seed draws the same sets


@pytest.mark.parametrize("asked", [0, 4, 6, 7, 50])
def test_random_sets_are_distinct_and_none_is_empty(ioi: mw.Study, asked: int) -> None:
    """Three nodes have seven sets that are not empty; more cannot be drawn."""
    circuit = mw.Circuit(HEADS[:3])
    result = ev.completeness(ioi, circuit, random=asked, greedy=0, over=("head",))
    drawn = [k for k, kind in zip(result.sets, result.kinds, strict=True) if kind == "random"]
    assert len(drawn) == min(asked, 7) == len(set(drawn))
    assert all(drawn)
    again = ev.completeness(ioi, circuit, random=asked, greedy=0, over=("head",))
    assert again.sets == result.sets


def test_what_is_taken_out_takes_its_edges() -> None:
    wiring = study().lm.wiring
    nodes = [mw.Site("head", 0, head=1), mw.Site("head", 1, head=0), mw.Site("mlp_out", 1)]
    some = [
        mw.Edge(mw.Site("embedding", 0), mw.Site("query", 0, head=1)),
        mw.Edge(nodes[0], mw.Site("query", 1, head=0)),
        mw.Edge(nodes[1], mw.Site("mlp_out", 1)),
        mw.Edge(nodes[2], mw.Site("residual", wiring.shape.n_layers)),
    ]
    circuit = mw.Circuit([], some, classes={nodes[0]: "early"})
    left = ev.without(circuit, [nodes[0]])
    assert left.edges == frozenset(some[2:])
    assert left.nodes == frozenset(nodes[1:])
    assert left.classes == {}
    raised(lambda: ev.without(left, [nodes[0]]))


def test_nodes_at_positions_beside_edges_are_not_taken_out() -> None:
    """Both sides of a comparison lose the same, and a circuit's edges go with whole components."""
    asked, sender = study(), mw.Site("head", 0, head=1)
    some = [mw.Edge(sender, mw.Site("query", 1, head=0))]
    placed = mw.Circuit([replace(sender, position=2)], some)
    calls: list[Any] = [ev.completeness, ev.minimality]
    for call in calls:
        assert "edges that have positions" in str(raised(partial(call, asked, placed)))
        call(asked, mw.Circuit([], some))
    assert np.isfinite(ev.faithfulness(asked, placed).kept).all()


def test_minimality_tells_every_node(ioi: mw.Study, found: mw.Circuit) -> None:
    result = ev.minimality(ioi, found, over=("head",))
    values = ev.NodeValues(ioi, over=("head",))
    for node, some, score in zip(result.nodes, result.sets, result.scores, strict=True):
        one, other = values([ev.without(found, some), ev.without(found, some | {node})])
        assert score == pytest.approx(abs((one - other).mean()), abs=1e-4)
        assert node not in some
    alone = ev.minimality(ioi, found, size=0, over=("head",))
    assert (result.scores >= alone.scores - 1e-4).all()
    table = result.to_dataframe()
    assert list(table["node"]) == [node.label() for node in found.ordered]
    assert (table["low"] <= table["high"]).all()
    assert "at most 1%" in repr(result)
    nothing = ev.minimality(ioi, mw.Circuit([]), over=("head",))
    assert nothing.nodes == ()
    assert "no nodes" in repr(nothing)


def test_nodes_that_do_nothing_are_useless_where_the_whole_does_nothing() -> None:
    """A rank that ablation leaves where it is: the whole is worth 0, and so is every node."""
    lm, clean = mw.load(), "When Mary and John went to the store, John gave a book to"
    pair = mw.PromptPair(clean, clean.replace("store", "park"), "Mary", "John")
    circuit = mw.Circuit([mw.Site("head", 5, head=3), mw.Site("head", 5, head=2)])
    result = ev.minimality(mw.Study(lm, pair, metric=mw.Rank()), circuit)
    assert (result.model == result.empty).all()
    assert (result.scores == 0).all()
    assert result.useless() == result.useless(0) == result.nodes
    assert "L5H2, L5H3" in repr(result)
    above, below = result.with_node + 5 + 1e-14, result.without_node + 5
    assert (above != below).all()
    rounding = replace(result, with_node=above, without_node=below)
    assert rounding.useless() == result.nodes
    moved = replace(result, with_node=np.add(result.with_node, [[1.0], [0.0]]))
    assert moved.useless() == result.nodes[1:]


def test_random_circuits_match_what_they_are_held_against() -> None:
    nodes = [mw.Site("head", 0, head=1), mw.Site("head", 3, head=0, position="END")]
    nodes += [mw.Site("head", 3, head=2), mw.Site("mlp_out", 2)]
    circuit = mw.Circuit(nodes)
    everything = [*HEADS, *(mw.Site("mlp_out", layer) for layer in range(6))]

    def kinds(one: mw.Circuit) -> Counter[Any]:
        return Counter((site.mediator, site.position) for site in one.nodes)

    def layers(one: mw.Circuit) -> Counter[Any]:
        return Counter((site.mediator, site.layer, site.position) for site in one.nodes)

    drawn = ev.random_circuits(circuit, everything, 20)
    assert all(kinds(one) == kinds(circuit) for one in drawn)
    assert len(set(drawn)) > 10
    assert drawn == ev.random_circuits(circuit, everything, 20)
    assert drawn != ev.random_circuits(circuit, everything, 20, seed=1)
    matched = ev.random_circuits(circuit, everything, 20, per_layer=True)
    assert all(layers(one) == layers(circuit) for one in matched)
    edges = study().lm.wiring.edges
    wired = ev.random_circuits(mw.Circuit([], edges[:7]), edges, 5)
    assert {one.size for one in wired} == {7}
    placed = [read_at(edges[i], where) for i, where in ((0, 2), (0, "END"), (5, "END"))]
    placed.append(edges[9])
    for layers_too in (False, True):
        known = mw.Circuit([], placed)
        several = ev.random_circuits(known, edges, 5, per_layer=layers_too)
        for one in several:
            where = Counter(edge.receiver.position for edge in one.edges or ())
            assert where == {2: 1, "END": 2, None: 1}
        assert several == ev.random_circuits(known, edges, 5, per_layer=layers_too)
    raised(lambda: ev.random_circuits(circuit, everything[:1], 5))
    raised(lambda: ev.random_circuits(circuit, everything, 0))


def test_a_found_circuit_beats_random_ones(ioi: mw.Study, found: mw.Circuit) -> None:
    result = ev.against_random(ioi, found, 20, over=("head",))
    np.testing.assert_allclose(
        result.gaps, np.abs(result.of_random.mean(axis=1) - result.model.mean()), atol=1e-9
    )
    assert result.less_faithful > 0.9
    assert len(result.to_dataframe()) == 21
    assert "random circuits, matched by kind" in repr(result)
    whole = ev.against_random(ioi, mw.Circuit(HEADS), 3, per_layer=True, over=("head",))
    assert whole.less_faithful == 0  # nothing differs from itself


def test_stability_of_what_every_pair_shows() -> None:
    rng = np.random.default_rng(0)
    clear = np.zeros((20, 24))
    clear[:, :5] = 10
    found = ev.stability(clear + 0.01 * rng.normal(size=clear.shape), 5, elements=HEADS)
    assert found.jaccard == 1
    assert found.found == set(HEADS[:5])
    assert found.frequency[HEADS[0]] == 1
    noise = ev.stability(rng.normal(size=clear.shape), 5, elements=HEADS)
    assert noise.jaccard < 0.6
    assert len(noise.to_dataframe()) > 5
    assert "20 pairs" in repr(noise)


def test_stability_draws_clusters_and_takes_any_search(ioi: mw.Study) -> None:
    effect = ioi.sweep("head", progress=False)
    found = ev.stability(effect, lambda s: {one for one, x in s.items() if abs(x) > 1})
    means = dict(zip(HEADS, np.reshape(effect["PIE"], -1), strict=True))
    assert found.found == {site for site, mean in means.items() if abs(mean) > 1}
    # Of pairs that are alike within each of three clusters, 3 units are drawn.
    scores = np.repeat(np.random.default_rng(1).normal(size=(3, 24)), 4, axis=0)
    clusters = [name for name in "abc" for _ in range(4)]
    grouped = ev.stability(scores, 5, elements=HEADS, clusters=clusters)
    assert grouped.n_units == 3
    assert "3 clusters" in repr(grouped)
    assert ev.stability(scores, mw.Circuit, elements=HEADS).jaccard == 1  # type: ignore[arg-type]
    calls: list[Any] = [
        lambda: ev.stability(scores, 5),
        lambda: ev.stability(scores, 0, elements=HEADS),
        lambda: ev.stability(scores, lambda _: ["L0H1"], elements=HEADS),  # type: ignore[list-item]
        lambda: ev.stability(scores[:2], 5, elements=HEADS),
        lambda: ev.stability(np.full((4, 24), np.nan), 5, elements=HEADS),
    ]
    for call in calls:
        raised(call)


def test_stability_takes_first_what_has_the_sign_of_the_total_effect(ioi: mw.Study) -> None:
    risen, fallen = (
        mw.Study(ioi.lm, ioi.contrast, metric=one).sweep("head", progress=False)
        for one in (mw.LogitDiff(), mw.KL("clean"))
    )
    assert (fallen["TE"] < 0).all()
    best = {HEADS[i] for i in np.argsort(fallen["PIE"].ravel())[:3]}
    assert ev.stability(fallen, 3, rank="signed", resamples=20).found == best
    best = {HEADS[i] for i in np.argsort(-risen["PIE"].ravel())[:3]}
    assert ev.stability(risen, 3, rank="signed", resamples=20).found == best
    # An array knows no total effect: it is ranked as it is.
    plain = fallen.pairs("PIE").reshape(fallen.n_pairs, -1)
    given = ev.stability(plain, 3, rank="signed", elements=HEADS, resamples=20)
    assert given.found == {HEADS[i] for i in np.argsort(-fallen["PIE"].ravel())[:3]}


def test_jaccard() -> None:
    assert ev.jaccard([], []) == 1
    assert ev.jaccard(HEADS[:2], HEADS[1:4]) == 0.25


def test_transfer_of_circuits_to_other_templates(
    ioi: mw.Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = [replace(pair, template="a" if i < 6 else "b") for i, pair in enumerate(ioi.contrast)]
    studies = ev.by_template(mw.Study(ioi.lm, pairs))
    assert list(studies) == ["a", "b"]

    def find(asked: mw.Study) -> mw.Circuit:
        return ev.curve(asked, asked.sweep("head", progress=False)).circuit(0.5)

    result = ev.transfer(studies, find, over=("head",))
    alone = ev.faithfulness(studies["b"], result.circuits[0], over=("head",))
    assert result.normalized[0, 1] == pytest.approx(alone.normalized, abs=1e-5)
    assert result.gaps[0, 1] == pytest.approx(alone.gap, abs=1e-4)
    np.testing.assert_array_equal(np.diag(result.jaccard), 1)
    assert result.jaccard[0, 1] == ev.jaccard(*(c.nodes for c in result.circuits))
    assert len(result.to_dataframe()) == 4
    assert "2 circuits on 2 contrasts" in repr(result)
    asked_for, share = list[ev.Faithfulness](), transfers._share

    def watched(one: ev.Faithfulness) -> float:
        asked_for.append(one)
        return share(one)

    monkeypatch.setattr(transfers, "_share", watched)
    result.to_dataframe()
    assert len(asked_for) == 4  # each is a bootstrap, and is drawn once
    one = ev.transfer(studies, {"whole": mw.Circuit(HEADS)}, over=("head",))
    np.testing.assert_allclose(one.normalized, 1, atol=1e-6)
    raised(lambda: ev.transfer({}, find))
    raised(lambda: ev.by_template(study()))


def test_side_effects_are_shares_of_each_task(ioi: mw.Study, found: mw.Circuit) -> None:
    other = mw.Study(ioi.lm, mw.tasks.greater_than(ioi.lm, n=6))
    result = ev.side_effects(found, {"ioi": ioi, "years": other}, ablation="resample")
    # Under resampling, ablating nodes is patching them: the loss is their TIE.
    for at, asked in enumerate((ioi, other)):
        joint = asked.intervene(list(found.nodes))
        assert result.lost[at] == pytest.approx(joint["TIE"] / joint["TE"], abs=1e-4)
    assert list(result.to_dataframe()["task"]) == ["ioi", "years"]
    assert "TE lost ioi" in repr(result)
    placed = mw.Circuit([mw.Site("head", 5, head=0, position="S2")])
    raised(lambda: ev.side_effects(placed, {"years": other}))
    anywhere = ev.side_effects(placed, {"years": other}, everywhere=True)
    assert np.isfinite(anywhere.lost).all()
    assert anywhere.nodes == {mw.Site("head", 5, head=0)}


def test_side_effects_say_what_was_ablated() -> None:
    asked, sender = study(), mw.Site("head", 0, head=1)
    edges = [mw.Edge(sender, mw.Site(kind, 1, head=0)) for kind in ("query", "key", "value")]
    result = ev.side_effects(mw.Circuit([], edges), {"a": asked}, ablation="resample")
    assert result.nodes == {sender, mw.Site("head", 1, head=0)}
    assert "2 nodes ablated, with all that they write" in repr(result)
    alone = ev.side_effects(mw.Circuit([sender]), {"a": asked}, ablation="resample")
    assert "(1 node ablated: TE" in repr(alone)


def test_what_is_no_candidate_is_not_said_to_do_nothing() -> None:
    asked, mixed = study(), mw.Circuit([HEADS[0], mw.Site("mlp_out", 0)])
    calls: list[Any] = [
        lambda: ev.side_effects(mixed, {"a": asked}, ablation="resample", over=("head",)),
        lambda: ev.minimality(asked, mixed, over=("head",)),
        lambda: ev.completeness(asked, mixed, over=("head",)),
    ]
    for call in calls:
        error = raised(call)
        assert error.value == "mlp0"
        assert "never ablated" in error.message
    assert len(ev.minimality(asked, mixed).nodes) == 2
    # Edge by edge there are no kinds of node to leave out.
    assert len(ev.minimality(asked, mixed, values=ev.EdgeValues(asked)).nodes) == 2


def test_other_mistakes_are_told(found: mw.Circuit) -> None:
    asked = study()
    edge = mw.Edge(HEADS[0], mw.Site("query", 1, head=0))
    calls: list[Any] = [
        lambda: ev.faithfulness(asked, HEADS),  # type: ignore[arg-type]
        lambda: ev.faithfulness(asked, mw.Circuit([], [edge]), over=("head",)),
        lambda: ev.faithfulness(asked, found, values=abs),  # type: ignore[arg-type]
        lambda: ev.completeness(asked, mw.Circuit(HEADS[:2]), [[HEADS[7]]]),
        lambda: ev.completeness(asked, mw.Circuit(HEADS[:2]), greedy=-1),
        lambda: ev.minimality(asked, mw.Circuit(HEADS[:2]), {HEADS[7]: []}),
        lambda: ev.minimality(asked, mw.Circuit(HEADS[:2]), {HEADS[0]: [HEADS[0]]}),
        lambda: ev.minimality(asked, mw.Circuit(HEADS[:2]), size=-1),
    ]
    for call in calls:
        raised(call)
