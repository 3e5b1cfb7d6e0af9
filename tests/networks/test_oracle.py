"""Every edit of every kind of component, in every kind of network, against plain passes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES
from tests.networks.nets import KINDS, made
from tests.networks.oracle import EXACT, asked, engine_of, off_by, positions


def sites_of(kind: str) -> list[mw.Site]:
    """A few of every kind of component: everywhere, at one position, at two."""
    study, _ = asked(kind)
    anatomy = engine_of(study).anatomy
    found: list[mw.Site] = []
    for mediator in made(kind).kinds:
        for layer, spot in enumerate(anatomy.of_kind(mediator)):
            last = spot.n_positions - 1
            places = (None, last, (0, last) if last else None)
            unit = min(layer + 1, spot.width - 1)
            each = mediator in ("unit", "channel", "hidden_unit", "cell_unit")
            place = places[(layer + len(found)) % 3]
            found.append(mw.Site(mediator, layer, None, place, unit if each else None))
    return found


def edits_of(study: mw.Study, site: mw.Site) -> list[mw.Edit]:
    values = study.activations(site, mw.Run("clean", {site: mw.Scale(2.0)}))
    width = values.array.shape[2]
    return [
        mw.Patch(),
        mw.Patch("clean", alpha=0.3),
        mw.Patch(values),
        mw.Zero(),
        mw.Mean(),
        mw.Mean("clean"),
        mw.Resample(seed=4),
        mw.Resample(seed=1, base="corrupt"),
        mw.Noise(0.7, seed=3, first=2),
        mw.Steer(np.arange(1, width + 1) / 4, scale=-0.5),
        mw.Scale(-1.5),
        mw.Within(mw.Subspace.random(1, width, seed=5), mw.Patch()),
        mw.Within(mw.Subspace.random(1, width, seed=6), mw.Mean()),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_at_every_kind_of_site(kind: str) -> None:
    study, oracle = asked(kind)
    runs = [
        mw.Run(base, {site: edit})
        for i, site in enumerate(sites_of(kind))
        # Every edit at every other site: a plain pass a run takes its time.
        for edit in edits_of(study, site)[i % 2 :: 2]
        for base in BASES
    ]
    assert off_by(study, oracle, runs) < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_runs_that_take_values_from_runs(kind: str) -> None:
    study, oracle = asked(kind)
    sites = sites_of(kind)
    first, last = sites[0], sites[-1]
    lender = mw.Run("clean", {first: mw.Scale(3.0)})
    deeper = mw.Run("corrupt", {first: mw.Patch(lender, alpha=0.6)})
    runs = [
        mw.Run("corrupt", {last: mw.Patch(lender)}),
        mw.Run("corrupt", {first: mw.Patch(lender)}),
        mw.Run("clean", {last: mw.Patch(deeper)}),
        mw.Run("corrupt", {first: mw.Patch(deeper, alpha=0.5)}),
    ]
    assert off_by(study, oracle, runs) < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_frozen_does_not_follow(kind: str) -> None:
    study, oracle = asked(kind)
    kinds = [k for k in made(kind).kinds if not k.endswith("_unit")]
    part = mw.Site(kinds[-1], 0, unit=2 if kinds[-1] in ("unit", "channel") else None)
    all_held: list[str | mw.Site] = [*kinds, part]
    runs = [
        mw.Run(base, {site: edit}, freeze=(held,))
        for site in sites_of(kind)[::3]
        for held in all_held
        for edit in (mw.Patch(), mw.Zero())
        for base in BASES
    ]
    assert off_by(study, oracle, runs) < EXACT
    free = [mw.Run(run.base, dict(run.edits)) for run in runs]
    kept = study.engine.evaluate([*runs, *free]).kept
    assert np.abs(kept[: len(runs)] - kept[len(runs) :]).max() > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_joint_edits_of_several_kinds(kind: str) -> None:
    study, oracle = asked(kind)
    sites = [s for s in sites_of(kind) if s.position is None or s.mediator in ("hidden", "cell")]
    draw = np.random.default_rng(0)
    runs: list[mw.Run] = []
    edits: list[Any] = [mw.Patch(), mw.Zero(), mw.Mean(), mw.Scale(0.5)]
    while len(runs) < 24:
        chosen = draw.permutation(len(sites))[:3]
        named = {(oracle.name(sites[i])): sites[i] for i in chosen}
        run = mw.Run(BASES[len(runs) % 2], {s: edits[draw.integers(4)] for s in named.values()})
        runs.append(run)
    assert off_by(study, oracle, runs) < EXACT


@pytest.mark.parametrize("kind", KINDS)
def test_activations_are_those_of_the_run(kind: str) -> None:
    study, oracle = asked(kind)
    for site in sites_of(kind):
        run = mw.Run("corrupt", {site: mw.Patch()})
        found = study.activations(site, run).array
        every = [oracle.value(site, run, pair).numpy() for pair in range(3)]
        wanted = np.stack([value[positions(site, len(value))] for value in every])
        assert np.abs(found - wanted).max() < EXACT
