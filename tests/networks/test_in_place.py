"""A forward that writes over its input has the numbers of one that does not, at every time."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.networks import Point, differentiated, forward
from tests.networks.nets import Made
from tests.networks.oracle import EXACT, Oracle, engine_of, off_by


class Halved(nn.Module):
    """It writes over its input, and its points read what it wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x /= 2
        out: Tensor = self.c(torch.tanh(self.b(torch.relu(self.a(x)))))
        return out


class Counted(nn.Module):
    """The same of whole numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        x += 1
        out: Tensor = self.b(torch.tanh(self.a(x).sum(1)))
        return out


@lru_cache
def made(kind: str) -> Made:
    torch.manual_seed(5)
    if kind == "vectors":
        kinds = {"layer": ("a", "b"), "unit": ("a", "b")}
        return Made(
            Halved().double(), {"a": "a", "b": "b"}, kinds, {"a": "flat", "b": "flat"}, (4,)
        )
    steps = (nn.ELU(inplace=True), nn.Conv2d(2, 3, 2), nn.ReLU(inplace=True), nn.Flatten())
    net = nn.Sequential(*steps, nn.Linear(27, 3)).double()
    return Made(net, {"a": "1"}, {"layer": ("a",), "channel": ("a",)}, {"a": "maps"}, (2, 4, 4))


def asked(kind: str) -> tuple[mw.Study, Oracle]:
    here, draw = made(kind), np.random.default_rng(2)
    pairs = tuple(
        mw.InputPair(draw.standard_normal(here.shape), draw.standard_normal(here.shape), 0, 1)
        for _ in range(3)
    )
    return mw.Study(mw.load(here.net, points=here.points), pairs), Oracle(here, pairs)


KINDS = ("vectors", "images")


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_drifts_and_every_check_holds(kind: str) -> None:
    study, _ = asked(kind)
    inputs, total = engine_of(study).inputs.clone(), study.total["TE"]
    part = "unit" if kind == "vectors" else "channel"
    cells = [
        engine_of(study).network.site("layer", "a"),
        engine_of(study).network.site(part, "a", unit=2),
    ]
    effects = [study.intervene(cell) for cell in cells] + [study.sweep(part, progress=False)]
    for effect in effects:
        assert _failed(effect) == []
        assert not np.isnan(effect.pairs("PIE")).all()
    assert study.total["TE"] == total
    assert torch.equal(engine_of(study).inputs, inputs)
    whole = effects[0]
    assert np.abs(whole.pairs("PIE") - whole.pairs("TE")).max() < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_runs_and_activations_are_those_of_hooks(kind: str) -> None:
    study, oracle = asked(kind)
    first = engine_of(study).network.site("layer", "a")
    part = engine_of(study).network.site("unit" if kind == "vectors" else "channel", "a", unit=1)
    edits = [mw.Patch(), mw.Mean(), mw.Resample(seed=3), mw.Noise(0.5, seed=1), mw.Scale(2.0)]
    runs = [
        mw.Run(base, {site: edit}) for base in BASES for site in (first, part) for edit in edits
    ]
    runs.append(mw.Run("corrupt", {part: mw.Patch(mw.Run("clean", {first: mw.Scale(3.0)}))}))
    for _ in range(2):  # the checks of a study run between
        assert off_by(study, oracle, runs) < EXACT
        for run in (mw.Run("clean"), runs[1]):
            found = study.activations(first, run).array
            wanted = [oracle.value(first, run, pair).numpy() for pair in range(3)]
            assert np.abs(found - np.stack(wanted)).max() < EXACT
        study.intervene(part)


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_keeps_its_own_tensor(kind: str) -> None:
    study, oracle = asked(kind)
    network = engine_of(study).network
    rows = torch.stack([oracle.input("clean", pair) for pair in range(3)])
    kept = rows.clone()
    wanted = torch.stack([oracle.output(mw.Run("clean"), pair) for pair in range(3)])
    for gradients in (False, True):
        output, seen = forward(network, rows, see=["a"], gradients=gradients)
        assert torch.equal(rows, kept)
        assert (output - wanted).abs().max() < EXACT
    with differentiated(network, rows, ["a"], lambda out: out[:, 0].sum()) as done:
        assert (done.output - wanted).abs().max() < EXACT
        assert torch.equal(done.seen["a"], seen["a"])
    assert torch.equal(rows, kept)


def test_whole_numbers_and_the_input_of_a_module() -> None:
    torch.manual_seed(0)
    net = Counted().double()
    pairs = [mw.InputPair([0, 1, 2], [5, i, 7], 0, 1) for i in (1, 3)]
    study = mw.Study(mw.load(net, points={"sum": Point("b", side="input")}), pairs)
    effect = study.sweep("unit", progress=False)
    whole = study.intervene(engine_of(study).network.site("layer", "sum"))
    assert _failed(whole) == []
    for index, pair in enumerate(pairs):
        clean, corrupt = (_summed(net, getattr(pair, base)) for base in BASES)
        start = _difference(net, corrupt)
        total = _difference(net, clean) - start
        assert abs(study.total.pairs("TE")[index] - total) < EXACT
        for unit in range(4):
            mixed = torch.where(torch.arange(4) == unit, clean, corrupt)
            moved = _difference(net, mixed) - start
            assert abs(effect.pairs("PIE")[index, 0, unit] - moved) < EXACT


def _failed(effect: mw.Effect) -> list[str]:
    """Of what must hold of any network; a drawn one need not prefer the answers."""
    return [c.words for c in effect.checks if c.ok is False and c.name != "clean answer"]


def _summed(net: Counted, text: np.ndarray) -> Tensor:
    with torch.no_grad():
        return torch.tanh(net.a(torch.tensor(text) + 1).sum(0))


def _difference(net: Counted, summed: Tensor) -> float:
    with torch.no_grad():
        out = net.b(summed)
    return float(out[0] - out[1])
