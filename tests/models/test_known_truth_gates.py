"""Gates of two inputs: four corners that are a truth table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget.validity import PREMISES
from tests.asking import raised

GATES: dict[str, Callable[[float, float], float]] = {
    "ADD": lambda a, b: a + b,
    "AND": lambda a, b: a and b,
    "OR": lambda a, b: a or b,
    "XOR": lambda a, b: float(a != b),
}
#: Denoising, noising, interaction and total effect of either head, from (1, 1) to (0, 0).
TABLE = {"ADD": (1, 1, 0, 2), "AND": (0, 1, 1, 1), "OR": (1, 0, -1, 1), "XOR": (1, -1, -2, 0)}

INPUTS = [(a, b) for a in (0, 1) for b in (0, 1)]
CONTRASTS = [(clean, corrupt) for clean in INPUTS for corrupt in INPUTS if clean != corrupt]
HEADS = [mw.Site("head", 0, head=0), mw.Site("head", 0, head=1)]
EXACT = 1e-12

Corners = tuple[float, float, float, float]


def asked(kind: str, **contrast: Any) -> mw.Study:
    return mw.Study(mw.models.gate(kind), mw.models.gate_pair(**contrast))


def assert_corners(effect: mw.Effect, expected: Corners) -> None:
    """Y11, Y10, Y01, Y00 of one cell: the gate's numbers, less the half that they are shown at."""
    found = [effect[key] for key in ("Y11", "Y10", "Y01", "Y00")]
    np.testing.assert_allclose(found, np.subtract(expected, 0.5), atol=EXACT)


@pytest.mark.parametrize("kind", TABLE)
def test_the_table_of_gates(kind: str) -> None:
    study = asked(kind)
    effect = study.sweep("head", progress=False)
    denoise, noise, interaction, total = TABLE[kind]
    np.testing.assert_allclose(effect["PIE"], [[denoise, denoise]], atol=EXACT)
    np.testing.assert_allclose(effect["TIE"], [[noise, noise]], atol=EXACT)
    np.testing.assert_allclose(effect["INT"], [[interaction, interaction]], atol=EXACT)
    assert study.total["TE"] == pytest.approx(total, abs=EXACT)
    # That the clean answer is right and the total effect is not 0, XOR's pair cannot say.
    of_engine = [check for check in effect.checks if check.name not in PREMISES]
    assert len(of_engine) >= 4
    assert all(check.ok for check in of_engine)


@pytest.mark.parametrize("kind", GATES)
def test_every_contrast_of_inputs(kind: str) -> None:
    """Head by head and jointly, for each of the twelve ways to change the inputs."""
    gate, lm = GATES[kind], mw.models.gate(kind)
    for clean, corrupt in CONTRASTS:
        study = mw.Study(lm, mw.models.gate_pair(clean, corrupt))
        y11, y00 = gate(*clean), gate(*corrupt)
        first, second = (study.intervene(head) for head in HEADS)
        assert_corners(first, (y11, gate(corrupt[0], clean[1]), gate(clean[0], corrupt[1]), y00))
        assert_corners(second, (y11, gate(clean[0], corrupt[1]), gate(corrupt[0], clean[1]), y00))
        assert_corners(study.intervene(HEADS), (y11, y00, y11, y00))


@pytest.mark.parametrize("kind", GATES)
def test_the_answer_is_the_gates_value(kind: str) -> None:
    """The likeliest next word is "yes" where the gate is 1 (or 2), and "no" where it is 0."""
    for clean in INPUTS:
        corrupt = (1 - clean[0], clean[1])
        study = mw.Study(mw.models.gate(kind), mw.models.gate_pair(clean, corrupt), mw.Prob())
        logit = GATES[kind](*clean) - 0.5
        assert study.total["Y11"] == pytest.approx(1 / (1 + np.exp(-logit)), abs=EXACT)


def test_where_the_inputs_are() -> None:
    """Before the block each input stands at its own position, after it both are at the last."""
    effect = asked("ADD").sweep("residual", by="position", progress=False)
    np.testing.assert_allclose(effect["PIE"], [[0, 1, 1], [0, 0, 2]], atol=EXACT)
    effect = asked("ADD").sweep("embedding", by="position", progress=False)
    np.testing.assert_allclose(effect["PIE"][0], [0, 1, 1], atol=EXACT)


@pytest.mark.parametrize("kind", GATES)
def test_complete_cuts_have_no_interaction(kind: str) -> None:
    """Everything goes through the MLP, and through the heads together (identity 3)."""
    study = asked(kind)
    for mediator in ("mlp_out", "attn_out", "residual_post"):
        effect = study.sweep(mediator, progress=False)
        for key in ("TIE", "PIE"):
            np.testing.assert_allclose(effect[key], study.total["TE"], atol=EXACT)


def test_a_neuron_is_a_term() -> None:
    """XOR is a + b - 2 a b; the neurons add up, so each has its term's change and no INT."""
    effect = asked("XOR").sweep("neuron", progress=False)
    np.testing.assert_allclose(effect["PIE"], [[0, 0, 1, 1, 0, 0, -2]], atol=EXACT)
    np.testing.assert_allclose(effect["INT"], 0, atol=EXACT)


def test_swapping_the_sides_turns_and_into_or() -> None:
    """Prompts and answers exchanged: TE stays, TIE and PIE exchange, INT changes its sign."""
    study = asked("AND")
    study.swap()
    effect = study.intervene(HEADS[0])
    assert [effect[key] for key in ("TE", "PIE", "TIE", "INT")] == pytest.approx(
        [1, 1, 0, -1], abs=EXACT
    )


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("held", [0.0, 0.5, 2.0])
def test_the_controlled_direct_effect(kind: str, held: float) -> None:
    """CDE(m) = Y(1, m) - Y(0, m), at a value that neither prompt gives the head."""
    study = asked(kind)
    (a, b, both) = {"ADD": (1, 1, 0), "AND": (0, 0, 1), "OR": (1, 1, -1), "XOR": (1, 1, -2)}[kind]
    values = mw.Values(HEADS[0], np.full((1, 3, 1), held))
    effect = study.intervene({HEADS[0]: mw.Patch(values)})
    assert effect["CDE"] == pytest.approx(b + both * held, abs=EXACT)
    assert effect["clean"] == pytest.approx((a + both) * (1 - held), abs=EXACT)


def test_a_cut_edge() -> None:
    """Without its edge to the first input L0H0 looks at the other two tokens evenly: 0 and b."""
    study = asked("ADD", clean=(1, 1), corrupt=(0, 0))
    edge = mw.Site("edge", 0, head=0, position=2, key=1)
    effect = study.intervene({edge: mw.Knockout()})
    # From 1 to (0 + 1) / 2 on the clean prompt; on the corrupt one all inputs are 0.
    assert effect["clean"] == pytest.approx(0.5, abs=EXACT)
    assert effect["corrupt"] == pytest.approx(0, abs=EXACT)


def test_queries_keys_values_and_patterns() -> None:
    """Only what is looked at differs between the prompts, not where the heads look."""
    study = asked("ADD")
    for mediator in ("query", "key", "pattern"):
        np.testing.assert_allclose(study.sweep(mediator, progress=False)["PIE"], 0, atol=EXACT)
    value = study.sweep("value", by="position", progress=False)
    np.testing.assert_allclose(value["PIE"][0], [[0, 1, 0], [0, 0, 1]], atol=EXACT)


@pytest.mark.parametrize("kind", ["NAND", "and", "", None, 1])
def test_gates_that_are_none(kind: Any) -> None:
    assert "gate" in raised(lambda: mw.models.gate(kind)).message
    assert "gate" in raised(lambda: mw.models.planted_subspace(kind)).message


NONE: list[Any] = [(1,), (1, 2), (0, 1, 1), "11", 1, None, ([1], 0)]


@pytest.mark.parametrize("inputs", [*NONE, (np.array([1, 0]), 1), (True, 0), (1.0, 0)])
def test_inputs_that_are_none(inputs: Any) -> None:
    raised(lambda: mw.models.gate_pair(inputs, (0, 0)))
    raised(lambda: mw.models.gate_pair((1, 1), inputs))


def test_whole_numbers_of_numpy_are_inputs_and_seeds() -> None:
    zero, one, seed, n = (cast(int, number) for number in np.arange(4))
    assert mw.models.gate_pair((one, zero), (zero, zero)) == mw.models.gate_pair((1, 0), (0, 0))
    assert mw.models.planted_pairs(n, seed=seed) == mw.models.planted_pairs(3, seed=2)
    turned = (mw.models.planted_subspace(seed=s).hf.planted for s in (seed, 2, 3))
    turns = [cast(torch.Tensor, turn) for turn in turned]
    assert torch.equal(turns[0], turns[1])
    assert not torch.equal(turns[1], turns[2])


def test_the_two_sides_differ() -> None:
    raised(lambda: mw.models.gate_pair((1, 0), (1, 0)))
