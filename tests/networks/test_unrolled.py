"""Recurrent layers a step at a time are the fused ones, and their states are all they remember."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mediawidget as mw
from mediawidget.networks.unrolled import Unrolled, unrolled
from tests.networks.nets import made
from tests.networks.oracle import EXACT, asked, engine_of

FUSED: dict[str, Any] = {
    "lstm": lambda **more: nn.LSTM(3, 5, 2, **more),
    "gru": lambda **more: nn.GRU(3, 5, 3, **more),
    "tanh": lambda **more: nn.RNN(3, 5, 1, **more),
    "relu": lambda **more: nn.RNN(3, 5, 2, nonlinearity="relu", **more),
}


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", FUSED)
def test_it_is_the_fused_layer(kind: str, *, bias: bool, first: bool) -> None:
    torch.manual_seed(1)
    fused = FUSED[kind](batch_first=first, bias=bias).double().eval()
    steps = Unrolled(fused)
    x = torch.randn(4, 7, 3, dtype=torch.float64)
    state = torch.randn(fused.num_layers, 4 if first else 7, 5, dtype=torch.float64)
    begun = (state, state.flip(0)) if kind == "lstm" else state
    for more in ((), (begun,)):
        for one, other in zip(flat(steps(x, *more)), flat(fused(x, *more)), strict=True):
            assert one.shape == other.shape
            assert float((one - other).detach().abs().max()) < EXACT


def flat(result: Any) -> list[torch.Tensor]:
    out, states = result
    return [out, *(states if isinstance(states, tuple) else (states,))]


def test_the_module_stays_as_it_is_and_its_weights_are_read() -> None:
    net = made("lstm").net
    copied = unrolled(net, ["memory"])
    assert isinstance(net.get_submodule("memory"), nn.LSTM)
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    weight = net.get_parameter("memory.weight_hh_l1")
    kept = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.mul_(2.0)
            assert float((net(x) - copied(x)).detach().abs().max()) < EXACT
    finally:
        with torch.no_grad():
            weight.copy_(kept)


def test_a_shorter_sequence_after_a_longer_one() -> None:
    net = nn.Sequential(nn.Flatten(0, 0), Reader()).double()
    network = mw.load(net, points={"memory": "1.memory"})
    for n in (5, 3, 6):
        pair = mw.InputPair(np.random.default_rng(n).random((n, 2)), np.zeros((n, 2)), 0, 1)
        effect = mw.Study(network, pair).sweep("hidden", by="position")
        assert effect.shape == (1, n)
        assert abs(effect["PIE"][0, -1] - effect["TE"][0, 0]) < EXACT


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.memory = nn.GRU(2, 4, batch_first=True)
        self.last = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.last(self.memory(x)[0][:, -1])
        return out


def same_suffix(kind: str, t: int) -> mw.Study:
    """A study whose inputs differ up to step t and are the same from then on."""
    network = asked(kind)[0].lm
    draw = np.random.default_rng(2)
    pairs = []
    for _ in range(2):
        clean, corrupt = draw.standard_normal((2, 6, 3))
        corrupt[t + 1 :] = clean[t + 1 :]
        pairs.append(mw.InputPair(clean, corrupt, 1, 0))
    return mw.Study(network, pairs)


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_all_states_at_one_step_are_all_that_the_past_is(kind: str) -> None:
    for t in (1, 4):
        study = same_suffix(kind, t)
        kinds = [k for k in ("hidden", "cell") if k in made(kind).kinds]
        states = [mw.Site(k, layer, position=t) for k in kinds for layer in range(2)]
        whole = study.intervene(states)
        assert np.abs(whole.pairs("PIE") - whole.pairs("TE")).max() < EXACT
        assert np.abs(whole.pairs("TIE") - whole.pairs("TE")).max() < EXACT
        part = study.intervene(states[:-1])
        assert np.abs(part.pairs("PIE") - part.pairs("TE")).max() > 1e-6


def test_a_patch_at_one_step_is_no_clamp_from_there_on() -> None:
    study, oracle = asked("lstm")
    once = mw.Run("corrupt", {mw.Site("hidden", 0, position=2, unit=1): mw.Zero()})
    held = mw.Run("corrupt", {mw.Site("hidden", 0, position=(2, 3, 4, 5), unit=1): mw.Zero()})
    kept = engine_of(study).evaluate([once, held]).kept
    assert np.abs(kept[0] - kept[1]).max() > 1e-4
    values = study.activations(mw.Site("hidden", 0, unit=1), held).array[..., 0]
    assert np.all(values[:, 2:] == 0)
    assert np.all(values[:, :2] != 0)
    assert np.all(study.activations(mw.Site("hidden", 0, unit=1), once).array[:, 3:] != 0)
    assert abs(kept[1, 0, 0] - float(oracle.output(held, 0)[2])) < EXACT
