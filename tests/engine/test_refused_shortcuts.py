"""Shortcuts that hold for patches between the prompts must not be taken where they do not.

Reusing the common prefix and implying zeros before the first difference are exact for clean and
corrupt patches only. A zero or a mean before the first difference changes what follows; so does a
patch beside one.
"""

from __future__ import annotations

import numpy as np
import pytest

import mediawidget as mw
from tests.engine.cases import (
    BASES,
    case,
    edit_of,
    expected_status,
    how_on,
    oracle_edited,
    random_pair,
)
from tests.small_models import KINDS

FIRST = 5


@pytest.fixture(autouse=True)
def _force_shortcuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small cases are never worth the reuse of a prefix; here it is taken wherever it may be."""
    monkeypatch.setattr("mediawidget.chunks.PREFIX_PAYS", 0)


@pytest.mark.parametrize("mediator", ["head", "residual", "attn_out", "mlp_out"])
@pytest.mark.parametrize("how", ["zero", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_constants_before_the_first_difference(kind: str, how: str, mediator: str) -> None:
    pairs = [random_pair(kind, seed, length=6, first=FIRST) for seed in (20, 21)]
    case_ = case(kind, pairs)
    effect = case_.study.sweep(mediator, by="position", edit=edit_of(how))
    for index in range(1 if mediator == "head" else 2):
        expected = oracle_edited(case_, mediator, "position", how, index)
        np.testing.assert_allclose(effect.edited[index], expected, atol=1e-9, rtol=0)
    np.testing.assert_array_equal(effect.status, expected_status(case_, mediator, 6, first=0))
    # The first token is the same <s> for every Llama prompt, so its mean is its own value.
    assert np.abs(effect["clean"][..., 1:FIRST]).max() > 0.1


@pytest.mark.parametrize("how", ["zero", "mean:clean", "mean:corrupt"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_patch_beside_an_early_constant(kind: str, how: str) -> None:
    """The constant moves the prefix, so the patch's run may not start from a stored one."""
    pairs = [random_pair(kind, seed, length=7, first=FIRST) for seed in (22, 23)]
    case_ = case(kind, pairs)
    constant = mw.Zero() if how == "zero" else mw.Mean(how.removeprefix("mean:"))  # type: ignore[arg-type]
    early = mw.Site("mlp_out", 0, position=2)
    late = mw.Site("head", 2, head=1)
    for base in BASES:
        patch = mw.Patch()
        alone, both = case_.study.engine.evaluate(
            [mw.Run(base, {late: patch}), mw.Run(base, {late: patch, early: constant})]  # type: ignore[arg-type]
        ).kept
        for index in range(2):
            patched = [(late, how_on("patch", base))]
            expected = case_.oracle.run(base, patched, index)
            np.testing.assert_allclose(alone[index], expected, atol=1e-9, rtol=0)
            expected = case_.oracle.run(base, [*patched, (early, how)], index)
            np.testing.assert_allclose(both[index], expected, atol=1e-9, rtol=0)
        assert np.abs(alone - both).max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_all_positions_of_a_constant_include_the_prefix(kind: str) -> None:
    """``position=None`` under zero is every position, the common prefix too."""
    case_ = case(kind, [random_pair(kind, 24, length=7, first=FIRST)])
    site = mw.Site("attn_out", 1)
    late = mw.Site("attn_out", 1, position=tuple(range(FIRST, 7)))
    whole, part = case_.study.engine.evaluate(
        [mw.Run("clean", {site: mw.Zero()}), mw.Run("clean", {late: mw.Zero()})]
    ).kept
    np.testing.assert_allclose(whole[0], case_.oracle.run("clean", [(site, "zero")]), atol=1e-9)
    np.testing.assert_allclose(part[0], case_.oracle.run("clean", [(late, "zero")]), atol=1e-9)
    assert np.abs(whole - part).max() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_a_pair_that_parts_early_beside_one_that_parts_late(kind: str) -> None:
    """The shared prefix of a contrast ends at the earliest first difference of its pairs."""
    pairs = [random_pair(kind, 25, length=7, first=6), random_pair(kind, 26, length=7, first=1)]
    case_ = case(kind, pairs)
    effect = case_.study.sweep("residual", by="position")
    for index in range(2):
        expected = oracle_edited(case_, "residual", "position", index=index)
        np.testing.assert_allclose(effect.edited[index], expected, atol=1e-9, rtol=0)
    assert np.abs(effect.pairs("TIE")[1][..., 1:6]).max() > 0.1
