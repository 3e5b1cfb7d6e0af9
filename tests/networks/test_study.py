"""A study of a network: sweeps, checks, history, metrics, parts that fit, and plain passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.networks import differentiated, forward
from tests.networks.nets import KINDS, made
from tests.networks.oracle import EXACT, asked, engine_of

NETS = tuple(KINDS)


@pytest.mark.parametrize("kind", NETS)
def test_a_sweep_is_its_cells_and_every_check_holds(kind: str) -> None:
    study, oracle = asked(kind)
    mediator = next(k for k in made(kind).kinds if k not in ("layer", "hidden"))
    effect = study.sweep(mediator, by="position")
    assert [check.ok for check in effect.checks if check.name in PROOFS].count(False) == 0
    anatomy = engine_of(study).anatomy
    spots = anatomy.of_kind(mediator)
    assert effect.axes["layer"] == tuple(spot.name for spot in spots)
    there = np.zeros(effect.shape, dtype=bool)
    for layer, spot in enumerate(spots):
        there[layer, : spot.width, : spot.n_positions] = True
    assert np.array_equal(effect.status == Status.EXACT, there)
    assert np.array_equal(effect.status == Status.IMPOSSIBLE, ~there)
    assert np.array_equal(np.isnan(effect["PIE"]), ~there)
    draw = np.random.default_rng(1)
    for flat in draw.choice(np.flatnonzero(there), 6, replace=False):
        layer, unit, position = np.unravel_index(flat, effect.shape)
        site = mw.Site(mediator, int(layer), unit=int(unit), position=int(position))
        for base, corner in (("corrupt", "Y01"), ("clean", "Y10")):
            out = oracle.output(mw.Run(base, {site: mw.Patch()}), 1)  # type: ignore[arg-type]
            pair = oracle.pairs[1]
            wanted = float(out[pair.answer] - out[pair.wrong])
            assert abs(effect.corners()[corner][1, layer, unit, position] - wanted) < EXACT


PROOFS = ("edit fired", "self-patch", "full cut", "plain forward")


def test_checks_speak_of_inputs_for_there_are_no_prompts() -> None:
    study, _ = asked("cnn")
    study = mw.Study(study.lm, study.contrast)
    found = [study.total, study.sweep("layer"), study.intervene(mw.Site("layer", 0))]
    study.metric = mw.LogProb()
    found += [study.total, found[1].rescore(mw.LogProb())]
    for effect in found:
        words = {check.name: check.words for check in effect.checks}
        assert " clean input" in words["clean answer"]
        assert not any("prompt" in one for one in words.values())


def test_the_full_cut_is_found_where_there_is_one() -> None:
    found = {kind: engine_of(asked(kind)[0]).network.full_cut for kind in KINDS}
    # In the residual net the first convolutions are bypassed; states are no single point.
    assert engine_of(asked("cnn")[0]).anatomy.cut in ("third", "wide")
    assert [found[kind] for kind in ("lstm", "gru", "rnn")] == [None] * 3
    for kind in ("cnn", "mlp", "mixer"):
        study, _ = asked(kind)
        whole = study.intervene(found[kind])  # type: ignore[arg-type]
        assert np.abs(whole.pairs("PIE") - whole.pairs("TE")).max() < EXACT
    bypassed = asked("cnn")[0].intervene(mw.Site("layer", 2))
    assert np.abs(bypassed.pairs("PIE") - bypassed.pairs("TE")).max() > 1e-3


def test_a_way_around_without_a_gradient_is_no_cut() -> None:
    class Thresholded(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = (torch.nn.Linear(4, n) for n in (4, 3, 3))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = self.b(self.a(x).tanh()) + self.c((x > 0.5).to(x))
            return out

    pair = mw.InputPair(np.zeros(4), np.ones(4), 0, 1)
    effect = mw.Study(mw.load(Thresholded().double(), points=["a"]), pair).sweep("unit")
    assert {check.name: check.ok for check in effect.checks}["full cut"] is None
    assert (effect.status == Status.EXACT).all()


def test_all_channels_together_are_the_whole_point() -> None:
    study, _ = asked("cnn")
    every = study.intervene([mw.Site("channel", 1, unit=c) for c in range(3)])
    whole = study.intervene(mw.Site("layer", 1))
    assert np.abs(every.pairs("PIE") - whole.pairs("PIE")).max() < EXACT


def test_nothing_is_taken_for_zero_before_the_first_difference() -> None:
    """Time steps look both ways here: a patch of what is equal in the input is no zero."""
    network = asked("mixer")[0].lm
    x = np.random.default_rng(0).standard_normal((6, 3))
    y = x.copy()
    y[3] += 1.0
    effect = mw.Study(network, mw.InputPair(x, y, 0, 1)).sweep("channel", by="position")
    assert np.all(effect.status == Status.EXACT)
    # The convolution brings the difference to the step before it.
    assert np.abs(effect["PIE"][0, :, 2]).min() > 1e-6
    assert np.abs(effect["PIE"][0, :, :2]).max() == 0


@pytest.mark.parametrize("kind", ["cnn", "lstm"])
def test_parts_that_fit_come_to_the_same(kind: str) -> None:
    study, oracle = asked(kind)
    engine = engine_of(study)
    small = type(engine)(engine.network, oracle.pairs, budget=1)
    lender = mw.Run("clean", {mw.Site(next(iter(made(kind).kinds)), 0): mw.Mean()})
    sites = [mw.Site(k, 0, unit=0) for k in made(kind).kinds if k in ("channel", "hidden", "cell")]
    runs = [
        mw.Run("corrupt", {site: edit})
        for site in sites
        for edit in (mw.Patch(), mw.Resample(), mw.Noise(1.0), mw.Patch(lender))
    ]
    whole, parts = engine.evaluate(runs), small.evaluate(runs)
    assert parts.passes > len(runs)
    assert whole.passes < 4
    assert np.abs(whole.kept - parts.kept).max() < EXACT
    assert np.abs(whole.fired - parts.fired).max() < EXACT
    assert small.cost(runs)[1] <= parts.passes


def test_a_job_is_cancelled_between_parts() -> None:
    study, oracle = asked("cnn")
    engine = engine_of(study)
    small = type(engine)(engine.network, oracle.pairs, budget=1)
    runs = [mw.Run("clean", {mw.Site("channel", 0, unit=c): mw.Patch()}) for c in range(3)]
    job = small.job(runs)
    assert job.step()
    job.cancel()
    outcomes = job.result()
    assert job.progress == (1, 9)
    assert outcomes.ran.sum() == 1


def test_history_metric_and_sides() -> None:
    study = mw.Study(asked("cnn")[0].lm, asked("cnn")[1].pairs)
    one = study.intervene(
        {mw.Site("channel", 0, unit=1): mw.Patch(), mw.Site("unit", 0, unit=2): mw.Zero()}
    )
    assert one.labels == ("first[1] + wide[2]",)
    study.intervene(mw.Site("layer", 3))
    assert study.undo()
    assert study.last is one
    assert study.redo()
    rows = study.total.bases
    study.metric = mw.LogProb()
    assert np.allclose(study.total["Y11"], (rows[:, 0, 0] - rows[:, 0, 2]).mean())
    study.metric = mw.KL("clean")
    assert study.sweep("layer")["PIE"].shape == (5,)
    study.swap()
    assert [str(pair.answer) for pair in study.contrast] == ["0", "1", "0"]
    assert "third" in study.sweep("layer")._repr_html_()


def test_a_changed_weight_is_seen_and_older_results_go() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 2))
    pair = mw.InputPair(np.zeros(4), np.ones(4), 0, 1)
    study = mw.Study(mw.load(net.double(), points=["1"]), pair)
    before = study.sweep("unit")
    study.intervene(mw.Site("unit", 0, unit=1))
    with torch.no_grad():
        net.get_parameter("2.weight").mul_(2.0)
    assert study.total["TE"] == pytest.approx(2 * before["TE"].flat[0])
    assert not study.grids
    assert len(study.history) == 1
    assert np.allclose(study.sweep("unit")["PIE"], 2 * before["PIE"])


def test_modules_of_another_size_are_looked_at_anew() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).eval()
    model = mw.load(net, points={"first": "0"})
    pair = mw.InputPair(np.zeros(4), np.ones(4), 0, 1)
    study = mw.Study(model, [pair])
    assert study.sweep("unit")["PIE"].shape == (1, 6)
    net[0], net[2] = torch.nn.Linear(4, 12).eval(), torch.nn.Linear(12, 3).eval()
    with pytest.raises(mw.MediationError, match="not what they were"):
        study.intervene(mw.Site("unit", 0, unit=1))
    again = mw.Study(model, [pair]).sweep("unit")
    assert (again.status == Status.EXACT).all()
    assert again["PIE"].shape == (1, 12)
    net[2].weight = torch.nn.Parameter(torch.ones(3, 5))
    net[0].weight = torch.nn.Parameter(torch.ones(5, 4))
    net[0].bias = None  # type: ignore[assignment]
    assert mw.Study(model, [pair]).sweep("unit")["PIE"].shape == (1, 5)


def test_interactions_and_doses_are_asked_of_networks_too() -> None:
    study = mw.Study(asked("mlp")[0].lm, asked("mlp")[1].pairs)
    sites = [mw.Site("unit", 1, unit=u) for u in range(6)]
    found = mw.interactions(study, sites[:3], progress=False)
    together = study.intervene(sites[:3])["PIE"]
    assert abs(found.dividends_pairs.sum(0).mean() - together) < EXACT
    curve: Any = mw.dose_curve(study, sites[0], [0.5], progress=False)
    assert curve["PIE"].shape == (2,)


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_from_given_activations_is_a_patch(kind: str) -> None:
    study, _ = asked(kind)
    network, inputs = engine_of(study).network, engine_of(study).inputs
    for spot in engine_of(study).anatomy.spots:
        donor = forward(network, inputs[0], see=[spot.name])[1][spot.name]
        out, _ = forward(network, inputs[1], {spot.name: donor})
        site = network.site(spot.kinds[0], spot.name)
        kept = study.engine.evaluate([mw.Run("corrupt", {site: mw.Patch()})]).kept[0]
        assert float(np.abs(out[:, 2].numpy() - kept[:, 0]).max()) < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_are_finite_differences(kind: str) -> None:
    study, _ = asked(kind)
    network, inputs = engine_of(study).network, engine_of(study).inputs[0]
    for spot in engine_of(study).anatomy.spots[:3]:
        shift = torch.zeros(len(inputs), spot.n_positions, spot.width, dtype=torch.float64)
        with differentiated(network, inputs, [spot.name], score, shifts={spot.name: shift}) as one:
            slope, number = one.slopes()[spot.name], one.number
        assert slope.gradient.shape == slope.value.shape == shift.shape
        shift[1, -1, 1] = 1e-6
        with differentiated(network, inputs, [], score, shifts={spot.name: shift}) as moved:
            pass
        step = float((moved.number - number).detach()) / 1e-6
        assert abs(step - float(slope.gradient[1, -1, 1])) < 1e-5
    assert all(parameter.grad is None for parameter in network.hf.parameters())


def score(out: torch.Tensor) -> torch.Tensor:
    return (out[:, 2] ** 2).sum()


def test_a_gradient_goes_through_what_is_given() -> None:
    study, _ = asked("mlp")
    network, inputs = engine_of(study).network, engine_of(study).inputs[0]
    turn = torch.eye(7, dtype=torch.float64, requires_grad=True)
    out, _ = forward(network, inputs, {"narrow": lambda own: own @ turn}, gradients=True)
    (gradient,) = torch.autograd.grad(score(out), turn)
    with torch.no_grad():
        moved = turn + 1e-6 * torch.outer(torch.eye(7)[2], torch.eye(7)[3]).double()
    out_moved, _ = forward(network, inputs, {"narrow": lambda own: own @ moved})
    assert (
        abs(float((score(out_moved) - score(out)).detach()) / 1e-6 - float(gradient[2, 3])) < 1e-5
    )


class Steps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.b(torch.relu(self.a(x)))
        return out


def test_what_a_class_computes_is_what_it_computes_now(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = mw.load(Steps().double(), points={"a": "a"})
    pair = mw.InputPair(np.zeros(4), np.ones(4), 0, 1)
    study = mw.Study(network, pair)
    before = study.sweep("unit", progress=False)["Y01"]

    def squared(self: Steps, x: Tensor) -> Tensor:
        out: Tensor = self.b(self.a(x) ** 2)
        return out

    monkeypatch.setattr(Steps, "forward", squared)
    after = study.sweep("unit", progress=False)["Y01"]
    again = mw.Study(mw.load(network.hf, points={"a": "a"}), pair)
    assert (after != before).any()
    assert np.array_equal(again.sweep("unit", progress=False)["Y01"], after)
    net: Any = network.hf
    with torch.no_grad():
        clean, corrupt = (net.a(torch.tensor(x)[None]) for x in (pair.clean, pair.corrupt))
        mixed = corrupt.repeat(8, 1)
        mixed[range(8), range(8)] = clean[0]
        scores = net.b(mixed**2)
    assert np.allclose(after.flatten(), (scores[:, 0] - scores[:, 1]).numpy())
