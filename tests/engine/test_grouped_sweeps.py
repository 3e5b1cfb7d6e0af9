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
    possible = [i for i, cell in enumerate(cells) if cell is not None]
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


def test_a_window_sets_its_neighbours_too() -> None:
    """It is more than its middle, so that these comparisons can fail."""
    case, _ = made("gpt2")
    alone, wide = (case.study.sweep("head", window=n, progress=False) for n in (1, 2))
    assert np.abs(alone["PIE"] - wide["PIE"]).max() > 1e-3
