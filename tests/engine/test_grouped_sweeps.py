"""Sweeps by role, by group of positions and by window of layers are the oracle's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from mediawidget.edits.base import BASES
from mediawidget.mediators import MEDIATORS
from tests.engine.cases import Case, lm_of
from tests.engine.judging import Judge, judge, pairs_of, tolerance_of

LENGTH = 7
KINDS = ["gpt2", "llama", "gemma2", "gpt_neox", "mixtral"]
WHOLE = ["residual", "residual_mid", "attn_out", "mlp_out"]
PARTS = ["head", "query", "key", "value", "neuron", "pattern"]
ROLES: Any = {"first": 3, "span": (1, 4), "END": LENGTH - 1}
WAYS: dict[str, dict[str, Any]] = {
    "by role": {"by": "role"},
    "by group": {"by": {"some": (2, 4, 5), "last": LENGTH - 1}},
    "by window": {"window": 2},
    "by window and role": {"window": 3, "by": "role"},
}


def made(kind: str) -> tuple[Case, Judge]:
    # The second pair has its roles elsewhere.
    roles: Any = ROLES, {"first": 4, "span": (3, 5), "END": LENGTH - 1}
    pairs = zip(pairs_of(kind, 2, LENGTH), roles, strict=True)
    return judge(kind, [replace(pair, roles=some) for pair, some in pairs])


def check(kind: str, mediator: str, most: int, **way: Any) -> mw.Effect:
    """Some cells of a sweep in both directions, on pairs whose roles are not in one place."""
    case, oracle = made(kind)
    effect = case.study.sweep(mediator, progress=False, **way)
    cells = mw.Sweep(mediator, **way).cells(lm_of(kind).shape, LENGTH, case.study.roles)
    possible = np.flatnonzero(effect.status != mw.Status.IMPOSSIBLE)
    rng = np.random.default_rng(len(cells))
    for i in rng.choice(possible, size=min(most, len(possible)), replace=False):
        for b, base in enumerate(BASES):
            run = mw.Run(base, cells[i])
            for index in range(2):
                np.testing.assert_allclose(
                    effect.edited[index, b].reshape(-1, 3)[i],
                    oracle.judged(run, index),
                    atol=tolerance_of(kind, [run]),
                    rtol=0,
                    err_msg=str(run),
                )
    assert not [check.words for check in effect.checks[1:] if check.ok is False]
    return effect


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mediator", [*WHOLE, *PARTS])
@pytest.mark.parametrize("kind", KINDS)
def test_sweeps_are_the_oracles(kind: str, mediator: str, way: str) -> None:
    if not lm_of(kind).has(MEDIATORS[mediator]):
        with pytest.raises(mw.MediationError, match="This model has no"):
            made(kind)[0].study.sweep(mediator, **WAYS[way])
        return
    effect = check(kind, mediator, most=6, **WAYS[way])
    assert len(effect.axes["layer"]) == MEDIATORS[mediator].n_layers(lm_of(kind).shape)
    if "role" in way:
        assert effect.axes["position"] == ("first", "span", "END")


@pytest.mark.parametrize("edit", [mw.Zero(), mw.Knockout()])
@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_edges_are_the_oracles(kind: str, edit: mw.Edit) -> None:
    check(kind, "edge", most=8, window=2, edit=edit)


EDGES: dict[str, dict[str, Any]] = {
    "by role": {"by": "role"},
    "by group": {"by": {"some": (2, 4, 5), "last": LENGTH - 1}},
    "by window and role": {"window": 2, "by": "role"},
}


@pytest.mark.parametrize("way", EDGES)
@pytest.mark.parametrize("edit", [mw.Patch(), mw.Zero(), mw.Knockout()])
@pytest.mark.parametrize("kind", KINDS)
def test_edges_between_groups_are_the_oracles(kind: str, edit: mw.Edit, way: str) -> None:
    effect = check(kind, "edge", most=8, edit=edit, **EDGES[way])
    assert effect.axes["position"] == effect.axes["key"]
    first = effect.axes["position"][0]
    assert effect.labels[0] == f"L0H0 @ {first} \N{LEFTWARDS ARROW} {first}"


def test_no_edge_from_a_role_before_the_other() -> None:
    """Nor from what is before it in one pair alone, nor one whose cut would leave nothing."""
    roles: Any = (
        {"a": 2, "b": 4, "start": (0, 1), "END": LENGTH - 1},
        {"a": 5, "b": 4, "start": (0, 1), "END": LENGTH - 1},
    )
    pairs = zip(pairs_of("gpt2", 2, LENGTH), roles, strict=True)
    study = judge("gpt2", [replace(pair, roles=some) for pair, some in pairs])[0].study
    for edit, alone in ((mw.Zero(), False), (mw.Knockout(), True)):
        effect = study.sweep("edge", by="role", layers=0, edit=edit, progress=False)
        names = effect.axes["position"]
        nothing = effect.status[0, 0] == mw.Status.IMPOSSIBLE
        missing = {(names[q], names[k]) for q, k in np.argwhere(nothing)}
        later = {("a", "b"), ("b", "a"), ("a", "END"), ("b", "END")}
        early = {("start", name) for name in ("a", "b", "END")}
        assert missing == later | early | ({("start", "start")} if alone else set())
        assert np.isnan(effect["clean"][0, :, nothing]).all()
        # What has no cell is what a click refuses.
        for q, query in enumerate(names):
            for k, key in enumerate(names):
                site = mw.Site("edge", 0, head=0, position=query, key=key)
                if nothing[q, k]:
                    with pytest.raises(mw.MediationError, match="no such attention edge"):
                        study.intervene({site: edit})
                else:
                    one = study.intervene({site: edit})
                    np.testing.assert_allclose(
                        one["clean"], effect["clean"][0, 0, q, k], atol=1e-9, rtol=0
                    )


def test_a_window_sets_its_neighbours_too() -> None:
    """It is more than its middle, so that these comparisons can fail."""
    case, _ = made("gpt2")
    alone, wide = (case.study.sweep("head", window=n, progress=False) for n in (1, 2))
    assert np.abs(alone["PIE"] - wide["PIE"]).max() > 1e-3
