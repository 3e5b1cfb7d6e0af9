"""The engine on a server: the numbers of a run here, for every mediator and edit.

A job takes seconds, so that much is asked at once. What is asked goes the way of any user's: a
model loaded without its weights, HTTP, the ids of jobs, results by their address.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import Edit
from mediawidget.lens import logit_lens
from mediawidget.mediators import MEDIATORS, mediator_named
from mediawidget.plain import plain_run
from tests.remote.sandbox import Sandbox

pytestmark = pytest.mark.remote

PAIRS = [
    mw.PromptPair("ant bee cat dog eel", "ant owl cat dog eel", "fox", "gnu"),
    mw.PromptPair("hen pig cat zebra jay", "hen pig rat zebra jay", "owl", "kite"),
    mw.PromptPair("toad wasp flint newt yak", "toad lime flint newt yak", "dust", "bee"),
]
LONGER = [mw.PromptPair("ant bee cat dog eel", "ant owl lark cat dog eel", "fox", "gnu")]
TOLERANCE = 1e-9
EAGER = ("pattern", "edge")
"""These look inside an attention that is computed step by step."""
HEAD, STREAM, OUT = mw.Site("head", 2, head=1), mw.Site("residual", 1), mw.Site("mlp_out", 3)

Gaps = dict[tuple[str, str], float]
Asked = dict[str, list[mw.Run]]


def studies(sandbox: Sandbox, pairs: list[mw.PromptPair]) -> tuple[mw.Study, mw.Study]:
    """The same question here and on the server."""
    return mw.Study(sandbox.here(), pairs), mw.Study(sandbox.there(), pairs)


@pytest.fixture(scope="module")
def two(sandbox: Sandbox) -> tuple[mw.Study, mw.Study]:
    """The same, after first contact."""
    found = studies(sandbox, PAIRS)
    found[1].engine.prove()
    return found


def compare(sandbox: Sandbox, gaps: Gaps, what: str, here: Any, there: Any) -> None:
    """Note the largest difference, and refuse one that is no rounding."""
    here, there = np.asarray(here, np.float64), np.asarray(there, np.float64)
    np.testing.assert_allclose(there, here, rtol=0, atol=TOLERANCE, err_msg=what)
    gap = float(np.nan_to_num(np.abs(there - here)).max())
    gaps[what, sandbox.kind] = max(gap, gaps.get((what, sandbox.kind), 0.0))


def compare_all(
    sandbox: Sandbox, gaps: Gaps, two: tuple[mw.Study, mw.Study], asked: Asked, **options: Any
) -> None:
    """All of it asked at once; compared run by run, each of which must do something."""
    runs = [run for several in asked.values() for run in several]
    own, found = (study.engine.evaluate(runs, **options) for study in two)
    np.testing.assert_array_equal(found.implied, own.implied)
    compare(sandbox, gaps, "the prompts themselves", own.bases, found.bases)
    at = 0
    for what, several in asked.items():
        part = slice(at, at := at + len(several))
        assert own.fired[part].max() > 1e-3, f"{what} did nothing"
        base = own.bases[:, [int(run.base == "corrupt") for run in several]].swapaxes(0, 1)
        assert np.abs(own.kept[part] - base).max() > 1e-6, f"{what} changed nothing"
        compare(sandbox, gaps, what, own.kept[part], found.kept[part])
        compare(sandbox, gaps, what, own.fired[part], found.fired[part])


def sites(lm: mw.LM, mediator: str) -> list[mw.Site]:
    """Units of the first, of a middle and of the last layer; all positions and one."""
    kind = mediator_named(mediator)
    index: dict[str, Any] = {kind.index: 1} if kind.index else {}
    if kind.keyed:
        edges = [{"position": 4, "key": 1}, {"position": 3, "key": 2}]
        return [mw.Site(mediator, at, **index, **edge) for at in (1, 3) for edge in edges]
    layers = [0] if kind.one_layer else [0, 2, lm.n_layers - 1]
    places: list[dict[str, Any]] = [{}, {"position": 2}, {"position": (3, 4)}]
    return [mw.Site(mediator, at, **index, **place) for at in layers for place in places]


def test_every_mediator_patched(
    sandbox: Sandbox, gaps: Gaps, two: tuple[mw.Study, mw.Study]
) -> None:
    lm = two[0].lm
    present = [name for name in MEDIATORS if lm.has(mediator_named(name))]
    assert len(present) > 14
    jobs = sandbox.jobs
    for part in ([m for m in present if m not in EAGER], [m for m in present if m in EAGER]):
        asked = {
            f"{name} patched": [
                mw.Run(base, {site: mw.Patch()})
                for site in sites(lm, name)
                for base in ("clean", "corrupt")
            ]
            for name in part
        }
        compare_all(sandbox, gaps, two, asked)
    assert sandbox.jobs <= jobs + 4


def edits(width: int, values: Any) -> dict[str, tuple[mw.Site, Edit]]:
    """Every edit at a site of its own."""
    rng = np.random.default_rng(3)
    direction, more = rng.normal(size=(2, width))
    sae = mw.features.SAE(
        rng.normal(size=(width, 40)) / 4,
        rng.normal(size=40) / 4,
        rng.normal(size=(40, width)) / 4,
        rng.normal(size=width) / 4,
        site=STREAM,
    )
    skew = mw.Projection([direction], [more / (direction @ more)])
    plane = mw.Subspace.spanned([direction, more])
    return {
        "Patch, half the way": (HEAD, mw.Patch(alpha=0.5)),
        "Patch of the clean prompt": (STREAM, mw.Patch("clean")),
        "Patch of captured values": (HEAD, mw.Patch(values)),
        "Patch of another run": (OUT, mw.Patch(mw.Run("clean", {HEAD: mw.Scale(0.2)}))),
        "Zero of a head": (HEAD, mw.Zero()),
        "Zero of a stream": (STREAM, mw.Zero()),
        "Mean": (HEAD, mw.Mean()),
        "Mean of a stream": (STREAM, mw.Mean()),
        "Scale": (HEAD, mw.Scale(0.5)),
        "Noise": (mw.Site("embedding", 0), mw.Noise(sigma=2.0)),
        "Noise, another draw": (STREAM, mw.Noise(sigma=1.0, seed=2)),
        "Resample": (HEAD, mw.Resample(seed=1)),
        "Steer": (mw.Site("residual", 1, position=2), mw.Steer(direction, scale=3.0)),
        "Clamp of a neuron": (mw.Site("neuron", 2, unit=5), mw.Clamp(3.0)),
        "Clamp of a stream": (mw.Site("residual", 2, position=3), mw.Clamp(more)),
        "Within a subspace, Patch": (STREAM, mw.Within(plane, mw.Patch())),
        "Within a subspace, Zero": (STREAM, mw.Within(plane, mw.Zero())),
        "Within a subspace, Mean": (STREAM, mw.Within(plane, mw.Mean())),
        "Within a skew projection": (STREAM, mw.Within(skew)),
        "Features, Patch": (STREAM, mw.Within(mw.features.Features(sae, (3, 12)))),
        "Features and the error": (STREAM, mw.Within(mw.features.Features(sae, 3, error=True))),
        "Features set to codes": (
            STREAM,
            mw.Within(mw.features.Features(sae, (1, 2), codes=(2.0, 0.5))),
        ),
    }


def test_every_edit(sandbox: Sandbox, gaps: Gaps, two: tuple[mw.Study, mw.Study]) -> None:
    here, there = two
    values, same = here.activations(HEAD), there.activations(HEAD)
    compare(sandbox, gaps, "activations of a head", values.array, same.array)
    edited = edits(here.lm.d_model, values)
    asked = {
        what: [mw.Run(base, {site: edit}) for base in ("corrupt", "clean")][: _bases(what)]
        for what, (site, edit) in edited.items()
    }
    both: dict[mw.Site, Edit] = {
        mw.Site("residual", 1, position=2): mw.Patch(),
        HEAD: mw.Zero(),
        OUT: mw.Scale(2.0),
    }
    asked |= {
        "several sites": [mw.Run("corrupt", both)],
        "frozen: what the MLPs write": [mw.Run("corrupt", {HEAD: mw.Patch()}, ("mlp_out",))],
        "frozen: the other heads": [mw.Run("corrupt", {HEAD: mw.Patch()}, ("head",))],
        "frozen: one site": [mw.Run("corrupt", {STREAM: mw.Patch()}, (OUT,))],
    }
    compare_all(sandbox, gaps, two, asked, top=3)


def _bases(what: str) -> int:
    return 1 if what == "Patch of the clean prompt" else 2


def test_attention_edges(sandbox: Sandbox, gaps: Gaps, two: tuple[mw.Study, mw.Study]) -> None:
    one, every = (mw.Site("edge", 2, head=h, position=4, key=1) for h in (1, None))
    row = mw.Site("pattern", 2, head=1, position=4)
    asked = {
        "Knockout of an edge": [mw.Run("corrupt", {one: mw.Knockout()})],
        "Knockout in every head": [mw.Run("corrupt", {every: mw.Knockout()})],
        "Zero of an edge": [mw.Run("corrupt", {one: mw.Zero()})],
        "Clamp of an edge": [mw.Run("corrupt", {one: mw.Clamp(0.5)})],
        "Scale of a pattern": [mw.Run("clean", {row: mw.Scale(0.5)})],
        "Noise on a pattern": [mw.Run("clean", {row: mw.Noise(sigma=1.0)})],
    }
    compare_all(sandbox, gaps, two, asked)
    own, found = (study.activations(row).array for study in two)
    compare(sandbox, gaps, "activations of a pattern", own, found)


def test_sweeps_with_their_checks(sandbox: Sandbox, gaps: Gaps, two: Any) -> None:
    asked: dict[str, Any] = {"edit": mw.Noise(sigma=2.0, samples=2)}
    for mediator, options in (("head", {}), ("residual", asked)):
        own, found = (study.sweep(mediator, **options) for study in two)
        np.testing.assert_array_equal(found.status, own.status)
        assert [check.ok for check in found.checks] == [check.ok for check in own.checks]
        assert np.nanstd(own.edited) > 1e-3
        compare(sandbox, gaps, f"sweep of {mediator}", own.edited, found.edited)


def test_prompts_of_two_lengths_and_divergence(sandbox: Sandbox, gaps: Gaps, two: Any) -> None:
    """Of other prompts, on the model that is loaded."""
    runs = [mw.Run("corrupt", {mw.Site(at, 2): mw.Patch()}) for at in ("attn_out", "residual")]
    for pairs, metric, what in (
        (LONGER, None, "prompts of two lengths"),
        (PAIRS, mw.KL(), "divergence"),
    ):
        engines = [mw.Study(study.lm, pairs, metric).engine for study in two]
        own, found = (engine.evaluate(runs) for engine in engines)
        compare(sandbox, gaps, what, own.kept, found.kept)
        assert np.abs(own.kept).max() > 1e-3


def test_plain_runs_and_the_lens(sandbox: Sandbox, gaps: Gaps, two: Any) -> None:
    run = mw.Run("corrupt", {HEAD: mw.Patch(), OUT: mw.Zero()}, ("mlp_out",))
    own, found = (plain_run(study.engine, run) for study in two)
    compare(sandbox, gaps, "a plain run", own, found)
    edited = mw.Run("corrupt", {HEAD: mw.Patch()})
    mine, its = (logit_lens(study.engine, 0, edited) for study in two)
    np.testing.assert_array_equal(its.tokens, mine.tokens)
    compare(sandbox, gaps, "the logit lens", mine.p, its.p)
