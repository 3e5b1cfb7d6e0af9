"""Captured values as a source: of the prompt alone, at roles, and in one click after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mediawidget as mw
from tests.engine.cases import case, lm_of, random_pair

KINDS = ("gpt2", "llama")
STREAM = mw.Site("residual", 2)


def study_of(kind: str, answer: str = "fox", wrong: str = "hen", **more: object) -> mw.Study:
    pair = random_pair(kind, 3, length=8, first=3)
    return mw.Study(
        lm_of(kind),
        mw.PromptPair(pair.clean, pair.corrupt, answer, wrong, **more),  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("kind", KINDS)
def test_values_are_of_the_prompt_and_not_of_an_answer_fed_after_it(kind: str) -> None:
    study = study_of(kind, "ibis jay kite", "lark mole newt")
    values = study.activations(STREAM, "corrupt")
    assert values.array.shape[1] == len(study.token_pairs[0])
    named = mw.Site("residual", 2, position=tuple(range(values.array.shape[1])))
    patched = study.intervene({STREAM: mw.Patch(values)})
    expected = study.intervene({named: mw.Patch("corrupt")})
    np.testing.assert_allclose(patched.edited[:, 0], expected.edited[:, 0], atol=1e-9)
    whole = study.intervene({STREAM: mw.Patch("corrupt")})
    assert np.abs(whole.edited - expected.edited)[:, 0].max() > 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_one_click_after_another_with_values(kind: str) -> None:
    """The second starts from kept base runs, and has a prefix."""
    study = study_of(kind)
    for position in (7, (5, 7)):
        site = mw.Site("head", 1, head=0, position=position)
        values = study.activations(site, "corrupt")
        clicks = [study.intervene({site: mw.Patch(values)}) for _ in range(3)]
        expected = study.intervene({site: mw.Patch("corrupt")})
        for click in clicks:
            np.testing.assert_allclose(click.edited, expected.edited, atol=1e-9)


def test_values_of_a_role_at_its_position() -> None:
    study = study_of("gpt2", roles={"A": 5, "END": 7})
    values = study.activations(mw.Site("head", 1, head=0, position="END"), "corrupt")
    there = mw.Site("head", 1, head=0, position=7)
    patched = study.intervene({there: mw.Patch(values)})
    expected = study.intervene({there: mw.Patch("corrupt")})
    np.testing.assert_allclose(patched.edited, expected.edited, atol=1e-9)


@pytest.mark.parametrize("edit", [mw.Mean(), mw.Resample()], ids=["mean", "resample"])
def test_a_run_that_only_lends_is_refused_like_any_other(edit: mw.Edit) -> None:
    study = study_of("gpt2")
    lender = mw.Run("clean", {mw.Site("head", 0, head=0): edit})
    with pytest.raises(mw.MediationError, match="several prompts"):
        study.intervene({mw.Site("head", 1, head=0): mw.Patch(lender)})


def test_an_edge_is_not_frozen_by_its_site() -> None:
    edge = mw.Site("edge", 2, head=0, position=7, key=2)
    with pytest.raises(mw.MediationError, match="frozen as patterns"):
        mw.Run("corrupt", {mw.Site("head", 0, head=0): mw.Patch()}, freeze=(edge,))


# --- prompts ----------------------------------------------------------------------------------


def test_prompts_of_one_length_take_no_other_alignment() -> None:
    with pytest.raises(mw.MediationError, match="position by position"):
        study_of("gpt2", alignment=[(2, 3), (3, 4)])


def test_a_readout_is_at_one_token() -> None:
    pair = random_pair("gpt2", 3, length=8, first=3)
    roled = mw.PromptPair(pair.clean, pair.corrupt, "fox", "hen", roles={"S": (2, 3)})
    with pytest.raises(mw.MediationError, match="several"):
        mw.Study(lm_of("gpt2"), roled, readout=mw.Readout("S"))


def test_what_has_no_partner_has_no_cell() -> None:
    pair = mw.PromptPair(
        "ant bee cat dog eel fox gnu hen",
        "ant bee cat dog fox gnu hen",
        answer="rat",
        wrong="owl",
        roles={"alone": 4, "END": 7},
    )
    study = case("gpt2", [pair]).study
    impossible = mw.Status.IMPOSSIBLE
    roles = study.sweep("residual", by="role")
    assert (roles.status[:, 0] == impossible).all()
    assert (roles.status[:, 1] != impossible).all()
    edges = study.sweep("edge", edit=mw.Zero(), layers=[1])
    assert (edges.status[..., 4] == impossible).all()
    assert edges.status[0, 0, 7, 3] == mw.Status.EXACT


def test_a_sweep_over_edges_is_by_position_as_it_is() -> None:
    with pytest.raises(mw.MediationError, match="position and key already"):
        mw.Sweep("edge", mw.Zero(), "position")


@pytest.mark.parametrize("by", ["roles", ["a"], {1: 2}])
def test_no_way_is_offered_that_edges_do_not_have(by: Any) -> None:
    with pytest.raises(mw.MediationError, match="over whole components") as caught:
        mw.Sweep("edge", mw.Zero(), by)
    assert "'position'" not in caught.value.expected + caught.value.fix
