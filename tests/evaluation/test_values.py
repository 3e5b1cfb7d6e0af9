"""What a circuit is worth, node by node and edge by edge, beside one forward pass a number."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.evaluation import EdgeValues, NodeValues, Rest, proving
from mediawidget.plain import plain_run
from tests.asking import raised, study
from tests.engine.cases import Case, case, random_pair
from tests.oracle import logit_diff

KINDS = ("gpt2", "llama")
HOW = {"resample": "corrupt", "zero": "zero", "mean": "mean:clean"}


def pairs_with_roles(kind: str) -> list[mw.PromptPair]:
    """Prompts of two lengths, whose roles lie at different places in prompts of one length."""
    found = []
    for seed, (length, middle) in enumerate([(7, 4), (7, 5), (9, 4), (9, 6)]):
        pair = random_pair(kind, seed, length=length, first=3, changes=2)
        found.append(replace(pair, roles={"MID": middle, "END": length - 1}))
    return found


@pytest.fixture(scope="module", params=KINDS)
def known(request: pytest.FixtureRequest) -> Case:
    return case(request.param, pairs_with_roles(request.param))


def head(layer: int, h: int, position: Any = None) -> mw.Site:
    return mw.Site("head", layer, head=h, position=position)


#: By name: nodes that are kept.
CIRCUITS: dict[str, list[mw.Site]] = {
    "heads and an MLP": [head(0, 1), head(1, 0), mw.Site("mlp_out", 0)],
    "at a role": [head(0, 1), head(1, 2, "END"), mw.Site("mlp_out", 1)],
    "at roles and a number": [head(0, 0, ("MID", 2)), head(0, 0, "END"), head(1, 1, "MID")],
    "an MLP at a role": [head(0, 0), head(1, 0), mw.Site("mlp_out", 1, position="END")],
}


def outside(
    known: Case, kept: Iterable[mw.Site], index: int, *, over: Iterable[str]
) -> list[mw.Site]:
    """In one pair every component that is not kept, at the positions where it is not."""
    oracle, roles = known.oracle, known.pairs[index].roles
    everywhere = set(range(oracle.length(index)))
    inside: dict[Any, set[int]] = {}
    for node in kept:
        named = node.position if isinstance(node.position, tuple) else (node.position,)
        places = {roles[p] if isinstance(p, str) else p for p in named}
        held = everywhere if None in places else places
        inside.setdefault((node.mediator, node.layer, node.head), set()).update(held)  # type: ignore[arg-type]
    found = []
    for layer in range(oracle.n_layers):
        units = [("head", h) for h in range(oracle.n_heads)] + [("mlp_out", None)]
        for kind, unit in units:
            left = everywhere - inside.get((kind, layer, unit), set())
            if kind in over and left:
                found.append(mw.Site(kind, layer, head=unit, position=tuple(sorted(left))))
    return found


def expected(known: Case, kept: Iterable[mw.Site], how: str, over: Iterable[str]) -> np.ndarray:
    """(pair,) the metric by one forward pass a pair."""
    kept, over = list(kept), tuple(over)
    runs = [
        known.oracle.run("clean", [(s, how) for s in outside(known, kept, i, over=over)], i)
        for i in range(len(known.pairs))
    ]
    return np.array([logit_diff(run) for run in runs])


@pytest.mark.parametrize("ablation", HOW)
@pytest.mark.parametrize("over", [("head", "mlp_out"), ("head",)])
def test_all_but_the_circuit_is_ablated(known: Case, ablation: str, over: tuple[str, ...]) -> None:
    values = NodeValues(known.study, ablation, over)  # type: ignore[arg-type]
    found = values([mw.Circuit(nodes) for nodes in CIRCUITS.values()])
    for row, nodes in zip(found, CIRCUITS.values(), strict=True):
        theirs = expected(known, nodes, HOW[ablation], over)
        np.testing.assert_allclose(row, theirs, atol=known.tolerance)


@pytest.mark.parametrize("ablation", HOW)
def test_the_rest_is_the_network_without_some_nodes(known: Case, ablation: str) -> None:
    gone = [head(0, 1, "MID"), head(1, 0), mw.Site("mlp_out", 0)]
    values = NodeValues(known.study, ablation)  # type: ignore[arg-type]
    (found,) = values([Rest(frozenset(gone))])
    for index, value in enumerate(found):
        roles = known.pairs[index].roles
        at = [replace(s, position=roles["MID"]) if s.position else s for s in gone]
        theirs = known.oracle.run("clean", [(site, HOW[ablation]) for site in at], index)
        assert value == pytest.approx(logit_diff(theirs), abs=known.tolerance)


def test_everything_is_the_network_and_nothing_is_the_empty_circuit(known: Case) -> None:
    values = NodeValues(known.study)
    whole, named, empty, none = values(
        [values.full, mw.Circuit(values.candidates), values.empty, mw.Circuit([])]
    )
    np.testing.assert_allclose(whole, known.study.total.corners()["Y11"], atol=1e-9)
    np.testing.assert_allclose(named, whole, atol=1e-9)
    np.testing.assert_array_equal(empty, none)
    np.testing.assert_allclose(empty, expected(known, [], "corrupt", ("head", "mlp_out")))
    # The last token is the same in both prompts, so all that is left is what the corrupt one does.
    same = [pair.clean.split()[-1] == pair.corrupt.split()[-1] for pair in known.pairs]
    assert any(same)
    y00 = known.study.total.corners()["Y00"]
    np.testing.assert_allclose(empty[same], y00[same], atol=1e-9)


def test_many_circuits_are_one_experiment(known: Case) -> None:
    values = NodeValues(known.study)
    values([values.empty])  # with what proves the engine
    one_by_one = [mw.Circuit([site]) for site in values.candidates]
    costs = []
    for asked in (one_by_one, one_by_one * 3):
        before = values.passes, values.rows
        values(asked)
        costs.append((values.passes - before[0], values.rows - before[1]))
    assert costs[0][0] == len({len(pair) for pair in known.study.token_pairs})
    assert costs[1] == costs[0]  # what is alike is run once
    assert values([]).shape == (0, len(known.pairs))


def test_a_job_can_be_watched_and_cancelled() -> None:
    known = case("gpt2", pairs_with_roles("gpt2"))
    for way in (NodeValues(known.study), EdgeValues(known.study)):
        asked: list[mw.Circuit | Rest] = [way.full, way.empty]
        job = way.job(asked)
        assert job.step()  # the pairs of one length
        job.cancel()
        part, whole = job.result(), way(asked)
        ran = np.flatnonzero(np.isfinite(part).all(axis=0))
        assert 0 < len(ran) < len(known.pairs)
        np.testing.assert_allclose(part[:, ran], whole[:, ran], atol=1e-9)


@pytest.mark.parametrize("ablation", HOW)
def test_edge_mode_says_the_same_of_whole_nodes(known: Case, ablation: str) -> None:
    """Two ways that share no forward pass: a run with edits, and readers with inputs of theirs."""
    nodes, edges = NodeValues(known.study, ablation), EdgeValues(known.study, ablation)  # type: ignore[arg-type]
    asked = [mw.Circuit(some) for some in CIRCUITS.values()]
    asked.append(mw.Circuit(nodes.candidates))
    rests = [Rest(frozenset([head(0, 1), head(1, 0, "END")])), Rest()]
    np.testing.assert_allclose(edges([*asked, *rests]), nodes([*asked, *rests]), atol=1e-8)


def test_edges_of_a_circuit_are_told_apart(known: Case) -> None:
    """All edges but one are the network with that edge cut; none of them is everything cut."""
    values = EdgeValues(known.study)
    direct = mw.Edge(head(0, 1), mw.Site("residual", known.lm.n_layers))
    others = [edge for edge in values.candidates if edge != direct]
    cut, whole, empty = values([mw.Circuit([], others), values.full, values.empty])
    held = [s for s in NodeValues(known.study).candidates if s != head(0, 1)]
    effect = known.study.intervene({head(0, 1): mw.Patch()}, freeze=held)
    np.testing.assert_allclose(whole - cut, effect.pairs("TIE"), atol=1e-8)
    np.testing.assert_allclose(whole, known.study.total.corners()["Y11"], atol=1e-8)
    everything = known.study.intervene(mw.Site("residual", known.lm.n_layers, position="END"))
    np.testing.assert_allclose(empty, everything.corners()["Y10"], atol=1e-8)


def test_an_edge_at_a_position_is_cut_elsewhere(known: Case) -> None:
    values = EdgeValues(known.study)
    last = known.lm.n_layers
    whole = [e for e in values.candidates if e.receiver.mediator == "residual"]
    placed = [mw.Edge(e.sender, replace(e.receiver, position="END")) for e in whole]
    others = [edge for edge in values.candidates if edge not in whole]
    full, same = values([values.full, mw.Circuit([], [*others, *placed])])
    # The logits are read at the end alone, so nothing is lost.
    np.testing.assert_allclose(same, full, atol=1e-8)
    elsewhere = [mw.Edge(e.sender, mw.Site("residual", last, position="MID")) for e in whole]
    lost, none = values([mw.Circuit([], [*others, *elsewhere]), mw.Circuit([], others)])
    np.testing.assert_allclose(lost, none, atol=1e-8)


def test_unequal_prompts_are_ablated_through_their_alignment() -> None:
    """Under resampling what has no partner keeps its value; the rest is the partner's."""
    pair = mw.PromptPair("ant bee cat dog eel", "ant owl rat cat dog eel", "fox", "gnu")
    asked = study(replace(pair, roles={"END": 4}))
    sites = NodeValues(asked).candidates
    (empty,) = NodeValues(asked)([mw.Circuit([])])
    joint = asked.intervene(list(sites))
    np.testing.assert_allclose(empty, joint.corners()["Y10"], atol=1e-9)
    kept = mw.Circuit([head(1, 0, "END")])
    (found,) = NodeValues(asked)([kept])
    partners = [clean for clean, _ in asked.token_pairs[0].alignment if clean != 4]
    edits = {s: mw.Patch() for s in sites if s != head(1, 0)}
    edits[head(1, 0, tuple(partners))] = mw.Patch()
    np.testing.assert_allclose(found, asked.intervene(edits).corners()["Y10"], atol=1e-9)


def test_answers_of_several_tokens() -> None:
    """The fed tokens are positions too; where their number differs no position can be left out."""
    roles = {"END": 4}
    pair = mw.PromptPair(
        "ant bee cat dog eel", "ant owl cat dog eel", "fox gnu", "hen yak", roles=roles
    )
    asked = study(pair)
    values = NodeValues(asked)
    kept = head(1, 0, "END")
    (found,) = values([mw.Circuit([kept])])
    edits = {s: mw.Patch() for s in values.candidates if s != head(1, 0)}
    edits[head(1, 0, (0, 1, 2, 3, 5))] = mw.Patch()
    np.testing.assert_allclose(found, asked.intervene(edits).corners()["Y10"], atol=1e-9)
    uneven = study(replace(pair, wrong="hen"))
    error = raised(lambda: NodeValues(uneven)([mw.Circuit([kept])]))
    assert "different numbers of tokens" in error.message


@pytest.mark.parametrize(
    ("nodes", "words"),
    [
        ([head(7, 0)], "layer"),
        ([head(0, 99)], "head"),
        ([head(0, 1, "NOWHERE")], "role"),
        ([head(0, 1, 50)], "position"),
    ],
)
def test_what_is_not_there_is_refused(nodes: list[mw.Site], words: str) -> None:
    node_mode, edge_mode = NodeValues(study()), EdgeValues(study())
    assert words in str(raised(lambda: node_mode([mw.Circuit(nodes)]))).lower()
    raised(lambda: edge_mode([mw.Circuit(nodes)]))


def test_other_mistakes_are_told() -> None:
    asked = study()
    edge = mw.Edge(head(0, 1), mw.Site("query", 1, head=0))
    backward = mw.Edge(head(1, 0), mw.Site("query", 0, head=0))
    calls: list[Any] = [
        lambda: NodeValues(asked, "none"),  # type: ignore[arg-type]
        lambda: NodeValues(asked, over=("query",)),
        lambda: NodeValues(asked)([mw.Circuit([], [edge])]),
        lambda: NodeValues(asked)(["L0H1"]),  # type: ignore[list-item]
        lambda: NodeValues(asked, "mean")([mw.Circuit([])]),
        lambda: EdgeValues(asked, mw.Mean("corrupt")),
        lambda: EdgeValues(asked)([mw.Circuit([], [backward])]),
        lambda: NodeValues("gpt2"),  # type: ignore[arg-type]
    ]
    for call in calls:
        raised(call)


def test_an_engine_that_is_wrong_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:

    asked = study()
    plain = plain_run
    monkeypatch.setattr(proving, "plain_run", lambda *given: plain(*given) + 0.1)
    assert "plain forward" in str(raised(lambda: NodeValues(asked)([mw.Circuit([])])))


def test_means_within_a_part_are_not_compared_where_they_would_be_too_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = case("gpt2", [random_pair("gpt2", seed) for seed in range(3)])
    compared: list[mw.Run] = []
    plain = plain_run

    def counted(engine: Any, run: mw.Run) -> Any:
        compared.append(run)
        return plain(engine, run)

    monkeypatch.setattr(proving, "plain_run", counted)
    part = mw.Subspace.random(2, known.study.lm.d_model)
    for edit in (mw.Mean(), mw.Within(part, mw.Mean())):
        for most, expected in ((3, 1), (2, 0)):
            monkeypatch.setattr(proving, "MOST_PROMPTS", most)
            compared.clear()
            NodeValues(known.study, edit, over=("mlp_out",))([mw.Circuit([])])
            assert len(compared) == expected, (edit, most)


def test_terms_say_what_moves_the_numbers() -> None:
    words = repr(NodeValues(study(), "zero", ("head",)))
    for said in ("node mode", "zero ablation", "over head;", "n=1 pair"):
        assert said in words
    assert "Mean" in NodeValues(study(), mw.Mean("corrupt")).terms.words
    assert "edge mode" in repr(EdgeValues(study()))
