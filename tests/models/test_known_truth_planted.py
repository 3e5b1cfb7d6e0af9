"""The planted network: where its variables are, and that no set of neurons is one of them."""

from itertools import product

import pytest
import torch
from torch import Tensor

import mediawidget as mw
from mediawidget.models._planted import Planted, interchanged


def answers(net: Planted, hidden: Tensor) -> Tensor:
    with torch.no_grad():
        found: Tensor = net.answer(torch.relu(net.read(hidden))).argmax(-1)
    return found


def accuracy(net: Planted, part: Tensor) -> float:
    """Of z1's interchange by h_b + part (h_s - h_b), on pairs of its own inputs."""
    base, source = mw.models.planted_inputs(2000, 1), mw.models.planted_inputs(2000, 2)
    with torch.no_grad():
        hidden, other = net.turn(base), net.turn(source)
    moved = hidden + (other - hidden) @ part
    return float((answers(net, moved) == interchanged(net.gate, base, source, 0)).double().mean())


@pytest.mark.parametrize(
    ("gate", "truth"),
    [("XOR", (0, 1, 1, 0)), ("AND", (0, 0, 0, 1)), ("OR", (0, 1, 1, 1))],
)
def test_the_network_computes_its_gate_whatever_the_noise(
    gate: str, truth: tuple[int, ...]
) -> None:
    inputs = mw.models.planted_inputs(400, 0)
    net = mw.models.planted(gate)
    with torch.no_grad():
        said = net(inputs).argmax(-1).tolist()
    assert said == [truth[int(2 * z1 + z2)] for z1, z2 in inputs[:, :2].tolist()]


def test_h_holds_the_inputs_along_the_rows_of_q() -> None:
    inputs, net = mw.models.planted_inputs(5, 0), mw.models.planted(seed=3)
    with torch.no_grad():
        assert torch.allclose(net.turn(inputs) @ net.planted.T, inputs)
    assert torch.allclose(net.planted @ net.planted.T, torch.eye(8).double())


@pytest.mark.parametrize(("gate", "best"), [("XOR", 0.55), ("AND", 0.78)])
def test_row_0_is_z1_and_no_set_of_neurons_is(gate: str, best: float) -> None:
    net = mw.models.planted(gate)
    row = net.planted[0]
    assert accuracy(net, row.outer(row)) == 1.0
    masks = [torch.tensor(kept).double().diag() for kept in product((0, 1), repeat=8)]
    assert max(accuracy(net, mask) for mask in masks) < best


@pytest.mark.parametrize("gate", ["XOR", "AND"])
def test_without_the_rotation_neuron_0_is_z1(gate: str) -> None:
    only = torch.eye(8).double()[0]
    assert accuracy(mw.models.planted(gate, rotated=False), only.diag()) == 1.0


def test_another_gate_is_refused() -> None:
    with pytest.raises(mw.MediationError, match="NAND"):
        mw.models.planted("NAND")
    with pytest.raises(mw.MediationError, match="NAND"):
        mw.models.planted_counterfactuals("NAND")
