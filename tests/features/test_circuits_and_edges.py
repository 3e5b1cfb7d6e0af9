"""Circuits of features and edges between them, against plain hooks."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import features
from mediawidget.edits.base import BASES, Base, other
from mediawidget.features import Node
from tests.asking import raised
from tests.engine.cases import Case, lm_of
from tests.engine.judging import Judge, judge, pairs_of
from tests.features.made import by_definition, made, set_by_hand
from tests.oracle import key_of, logit_diff

LENGTH, N = 6, 11


@lru_cache
def of() -> tuple[Case, Judge, features.SAE, features.SAE]:
    width = lm_of("gpt2").d_model
    low = made("topk", width, N, mw.Site("residual", 1), centred=True)
    high = made("relu", width, N, mw.Site("mlp_out", 2), seed=1)
    pairs = pairs_of("gpt2", 3, LENGTH)
    lost = features.circuit(judge("gpt2", pairs)[0].study, [Node(low, 3, 4), Node(high, 2, 5)])
    # Of a random network it may be less than nothing, and then nothing to give shares of.
    turned = [
        pair if gained else replace(pair, answer=pair.wrong, wrong=pair.answer)
        for pair, gained in zip(pairs, lost.model > lost.empty, strict=True)
    ]
    return *judge("gpt2", turned), low, high


def means(oracle: Judge, sae: features.SAE) -> tuple[np.ndarray, np.ndarray]:
    """Mean codes (position, feature) and errors (position, width) over all prompts."""
    x = [
        oracle.values(getattr(pair, base))[key_of(sae.site)].numpy()
        for pair in oracle.pairs
        for base in BASES
    ]
    codes = np.array([[by_definition(sae, row) for row in one] for one in x])
    return codes.mean(0), (np.array(x) - codes @ sae.w_dec - sae.b_dec).mean(0)


def ablated(oracle: Judge, index: int, left: set[Node], saes: list[features.SAE]) -> float:
    """The metric of the clean run with all nodes but ``left`` at their mean."""
    edits: list[Any] = []
    for sae in saes:
        code, error = means(oracle, sae)
        x = oracle.values_in("clean", edits, index)[key_of(sae.site)].numpy()
        for at in range(LENGTH):
            mine = {node.unit for node in left if node.sae == sae and node.position == at}
            units = [unit for unit in range(N) if unit not in mine]
            rest = None if None in mine else error[at]
            value = torch.from_numpy(set_by_hand(sae, x[at], code[at], units, rest))
            edits.append((sae.at(at), ("value", value)))
    return float(logit_diff(oracle.run("clean", edits, index)))


def test_a_circuit_its_complement_and_nothing_are_what_hooks_do() -> None:
    case, oracle, low, high = of()
    kept = [Node(low, 3, 4), Node(low, None, 5), Node(high, 2, 5), Node(high, 7, 5)]
    everything = {Node(s, u, at) for s in (low, high) for at in range(6) for u in (*range(N), None)}
    found = features.circuit(case.study, kept)
    for i in range(3):
        for name, left in [
            ("circuit", set(kept)),
            ("empty", set()),
            ("complement", everything - set(kept)),
        ]:
            expected = ablated(oracle, i, left, [low, high])
            assert getattr(found, name)[i] == pytest.approx(expected, abs=1e-9), (name, i)
    model = case.study.total.pairs("Y11").reshape(-1)
    np.testing.assert_allclose(found.model, model, atol=1e-9)
    share = (found.circuit.mean() - found.empty.mean()) / (model.mean() - found.empty.mean())
    assert found.faithfulness == pytest.approx(share)
    low_end, high_end = found.ci()
    assert low_end <= found.faithfulness <= high_end
    assert list(found.to_dataframe()["feature"].fillna(-1)) == [3, -1, 2, 7]


def test_all_nodes_are_the_model_and_none_of_them_is_left() -> None:
    case, _, *both = of()
    units = (*range(N), None)
    every = [Node(sae, unit, at) for sae in both for at in range(LENGTH) for unit in units]
    found = features.circuit(case.study, every)
    assert found.faithfulness == pytest.approx(1)
    assert found.completeness == pytest.approx(0)
    np.testing.assert_allclose(found.complement, found.empty, atol=1e-9)


def test_no_share_is_given_of_what_may_be_nothing() -> None:
    _, _, low, _ = of()
    empty, model = np.zeros(4), np.array([2.0, -1.5, 1.0, -1.0])
    kept = features.FeatureCircuit(
        (Node(low, 3, 4),),
        9,
        circuit=model / 2,
        empty=empty,
        model=model,
        complement=empty,
        unit="",
    )
    assert np.isnan(
        [kept.faithfulness, kept.completeness, *kept.ci(), *kept.ci("completeness")]
    ).all()
    assert "no shares, as m(M) - m(empty) = 0.125" in repr(kept)
    sure = replace(kept, model=model + 3, circuit=(model + 3) / 2)
    assert sure.faithfulness == pytest.approx(0.5)
    assert "faithfulness 0.50 [0.50, 0.50], completeness 0.00" in repr(sure)


def test_nodes_above_a_threshold() -> None:
    case, _, low, _ = of()
    effect = features.sweep(case.study, low, progress=False)
    nodes = features.nodes_of([low], [effect], 0.05)
    table = effect.to_dataframe()
    assert len(nodes) == int((table["TIE"].abs() > 0.05).sum())
    assert 0 < len(nodes) < len(table)
    with pytest.raises(mw.MediationError, match="its autoencoder"):
        features.nodes_of([made("relu", low.width)], [effect], 0.1)
    with pytest.raises(mw.MediationError, match="a size"):
        features.nodes_of([low], [effect], -1)


@pytest.mark.parametrize("direction", ["restore", "break"])
def test_edges_are_read_in_runs_and_estimated_by_slopes(direction: str) -> None:
    case, oracle, low, high = of()
    ups = [Node(low, 3, 4), Node(low, 5, (3, 5)), Node(low, None, 5)]
    downs = [Node(high, unit, 5) for unit in range(N)]
    found = features.edges(case.study, ups, downs, direction)  # type: ignore[arg-type]
    base: Base = "corrupt" if direction == "restore" else "clean"
    for i, up in enumerate(ups):
        at: Any = list(up.position) if isinstance(up.position, tuple) else [up.position]
        for index, pair in enumerate(case.pairs):
            own, lent = (
                oracle.values(getattr(pair, one))[key_of(low.site)].numpy()[at]
                for one in (base, other(base))
            )
            before = oracle.values(getattr(pair, base))[key_of(high.site)].numpy()[5]
            for scale, into in ((1.0, found.exact), (1e-6, found.estimate)):
                moved = []
                for x, y in zip(own, lent, strict=True):
                    rest = None if up.unit is not None else y - low.decode(by_definition(low, y))
                    units = [] if up.unit is None else [up.unit]
                    to = set_by_hand(low, x, by_definition(low, y), units, rest)
                    moved.append(x + scale * (to - x))
                value = torch.from_numpy(np.array(moved))
                run = oracle.values_in(base, [(up.site, ("value", value))], index)
                after = run[key_of(high.site)].numpy()[5]
                change = by_definition(high, after) - by_definition(high, before)
                rtol, atol = (0.0, 1e-9) if scale == 1 else (1e-3, 1e-4)
                np.testing.assert_allclose(into[i, :, index], change / scale, rtol=rtol, atol=atol)
    assert np.abs(found.exact).max() > 0.01
    assert len(found.to_dataframe()) == len(ups) * N


def test_what_is_refused() -> None:
    case, _, low, high = of()
    study, node = case.study, Node(low, 3, 4)
    for given, words in [
        ([Node(low, 1, 4), Node(low, 1)], "at positions, at roles"),
        ([node, node], "different nodes"),
        ([Node(low, 1, 9)], "do not have the node's position"),
        ([], "means over pairs"),
    ]:
        with pytest.raises(mw.MediationError, match=words):
            features.circuit(study, given)
    for ups, downs in [
        ([Node(high, 1, 4)], [node]),
        ([node], [Node(high, None, 4)]),
        ([node], [Node(low, 2, 5)]),
        ([], [node]),
    ]:
        with pytest.raises(mw.MediationError, match="earlier node to a later feature"):
            features.edges(study, ups, downs)
    with pytest.raises(mw.MediationError, match="no such feature"):
        Node(low, 99)
    assert Node(low, None, 4).label() == "L1 error @ 4"


def test_two_autoencoders_of_one_site_are_refused() -> None:
    case, _, low, high = of()
    again = made("relu", low.width, N, low.site, seed=7)
    nodes = [Node(low, 3, 4), Node(again, 2, 4)]
    error = raised(lambda: features.circuit(case.study, [*nodes, Node(high, 2, 5)]))
    assert "Two autoencoders of one site" in str(error)


def test_nodes_of_groups_are_at_their_positions_whatever_the_group_is_called() -> None:
    case, _, low, _ = of()
    pairs = [replace(pair, roles={"END": 3}) for pair in case.study.contrast]
    study = mw.Study(case.study.lm, pairs)
    groups: dict[str, Any] = {"END": 5, "both": (3, 4)}
    for effect in (
        features.attribute(study, low, by=groups),
        features.sweep(study, low, by=groups, progress=False),
    ):
        nodes = features.nodes_of([low], [effect], 0.0)
        assert {node.position for node in nodes} == {5, (3, 4)}
    error = raised(lambda: features.circuit(study, [Node(low, 3, (3, 4))]))
    assert "by position or role" in str(error)


def test_edges_of_answers_of_several_tokens_are_refused() -> None:
    case, _, low, high = of()
    first, second = (one.answer for one in case.study.contrast[:2])
    pair = replace(case.study.contrast[0], answer=f"{first} {second}")
    study = mw.Study(case.study.lm, pair)
    error = raised(lambda: features.edges(study, [Node(low, 3)], [Node(high, 2)]))
    assert "an answer of several tokens" in str(error)
