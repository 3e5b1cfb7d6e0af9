"""Edits within a subspace: against the oracle, and what every projection promises."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import mediawidget as mw
from mediawidget.checks import refused_plainly
from mediawidget.edits.base import BASES, edit_from_json
from tests.engine.cases import Case, lm_of
from tests.engine.judging import Judge, compare, judge, pairs_of

KINDS = ("gpt2", "llama", "gpt_neox", "gemma2")
LENGTH = 7
HEAD = mw.Site("head", 2, head=1)
STREAM = mw.Site("residual", 1, position=4)
WRITE = mw.Site("mlp_out", 2, position=(4, 6))
SITES = (HEAD, STREAM, WRITE)


@lru_cache
def made(kind: str) -> tuple[Case, Judge]:
    return judge(kind, pairs_of(kind, 3, LENGTH))


def width_of(kind: str, site: mw.Site) -> int:
    return int(lm_of(kind).d_head if site == HEAD else lm_of(kind).d_model)


def subspace(kind: str, site: mw.Site, k: int = 2, seed: int = 0) -> mw.Subspace:
    return mw.Subspace.random(k, width_of(kind, site), seed)


@pytest.mark.parametrize("kind", KINDS)
def test_every_edit_within_a_subspace(kind: str) -> None:
    case, oracle = made(kind)
    lender = mw.Run("corrupt", {mw.Site("attn_out", 0): mw.Zero()})
    runs = []
    for site in SITES:
        vector = np.random.default_rng(5).normal(size=width_of(kind, site))
        edits = [
            *(mw.Patch(), mw.Patch("clean", alpha=0.25), mw.Patch(lender), mw.Zero()),
            *(mw.Mean(), mw.Scale(-1.5), mw.Steer(vector, scale=2.0), mw.Noise(sigma=2.0, seed=3)),
        ]
        for k, edit in enumerate(edits):
            part = mw.Within(subspace(kind, site, 1 + k % 3, seed=k), edit)
            runs += [mw.Run(base, {site: part}) for base in BASES]
    compare(case, oracle, runs, some=[0])
    compare(case, oracle, runs[::5], some=[2])


def oblique(width: int, k: int, seed: int) -> mw.Projection:
    rng = np.random.default_rng(seed)
    readers, writers = rng.normal(size=(2, k, width))
    return mw.Projection(np.linalg.inv(readers @ writers.T).T @ writers, readers)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_every_edit_along_an_oblique_projection(kind: str) -> None:
    case, oracle = made(kind)
    runs = []
    for site in SITES:
        for k, edit in enumerate([mw.Patch(), mw.Zero(), mw.Mean(), mw.Scale(0.5)]):
            part = mw.Within(oblique(width_of(kind, site), 1 + k % 3, seed=k), edit)
            runs += [mw.Run(base, {site: part}) for base in BASES]
    compare(case, oracle, runs, some=[0])


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_space_is_the_edit_and_no_direction_is_none(kind: str) -> None:
    case, _ = made(kind)
    study = case_study(case)
    for site in SITES:
        width = width_of(kind, site)
        whole = study.intervene({site: mw.Within(mw.Subspace(np.eye(width)))})
        plain = study.intervene(site)
        for corner in ("Y10", "Y01"):
            np.testing.assert_allclose(whole.pairs(corner), plain.pairs(corner), atol=1e-9)


def case_study(case: Case) -> mw.Study:
    return mw.Study(case.lm, case.pairs)


def test_other_runs_share_nothing_with_those_of_another_subspace() -> None:
    case, oracle = made("gpt2")
    one, two = (mw.Within(subspace("gpt2", STREAM, 1, seed)) for seed in (1, 2))
    runs = [mw.Run("corrupt", {STREAM: edit}) for edit in (one, two, mw.Patch())]
    outcomes = compare(case, oracle, runs)
    assert len({round(float(value), 9) for value in outcomes.kept[:, 0, 0]}) == 3


@given(st.integers(0, 1000), st.integers(1, 5))
def test_a_basis_is_a_projection_whatever_vectors_span_it(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(k, 6)) * 10.0 ** rng.integers(-3, 4)
    basis = mw.Subspace.spanned([*vectors, vectors.sum(0)]).basis
    projection = basis.T @ basis
    assert len(basis) == k
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-9)
    np.testing.assert_allclose(vectors @ projection, vectors, atol=1e-6 * np.abs(vectors).max())


@pytest.mark.parametrize(
    ("writers", "readers", "words"),
    [
        ([[1.0, 0.0]], [[2.0, 0.0]], "A projection done twice is the same as once"),
        ([[1.0, 0.0]], [[1.0, 0.0, 0.0]], "A projection reads as many directions as it writes"),
        ([[1.0, 0.0]], "x", "A basis is a matrix of finite numbers, a direction a row"),
    ],
)
def test_what_is_no_projection_is_refused(writers: Any, readers: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        mw.Projection(writers, readers)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        *(
            ([], "A basis is a matrix of finite numbers, a direction a row"),
            ([[]], "A basis is a matrix of finite numbers, a direction a row"),
            ([1.0, 0.0], "A basis is a matrix of finite numbers, a direction a row"),
            ([[2.0, 0.0]], "The rows of a basis are orthonormal"),
            ([[1.0, 0.0], [1.0, 0.0]], "The rows of a basis are orthonormal"),
        ),
        *(
            ([[np.nan, 0.0]], "A basis is a matrix of finite numbers, a direction a row"),
            ("directions", "A basis is a matrix of finite numbers, a direction a row"),
            ([["1.0", "0.0"]], "A basis is a matrix of finite numbers, a direction a row"),
            (None, "A basis is a matrix of finite numbers, a direction a row"),
            ([[1.0], [0.0]], "A basis is a matrix of finite numbers, a direction a row"),
            ([[1.0, 0.0], [1.0]], "A basis is a matrix of finite numbers, a direction a row"),
        ),
    ],
)
def test_what_is_no_basis_is_refused(wrong: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        mw.Subspace(wrong)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [(None, "None"), ("directions", "'directions'"), (torch.zeros(3), "(3,)"), ([1.0], "[1.0]")],
)
def test_what_is_no_basis_is_named(wrong: Any, told: str) -> None:
    with pytest.raises(mw.MediationError) as refused:
        mw.Subspace(wrong)
    assert refused.value.value == told


def test_a_model_is_no_basis() -> None:
    """Its ``shape`` is no array's."""
    lm = lm_of("gpt2")
    for make in (mw.Subspace, mw.Subspace.spanned):
        with pytest.raises(mw.MediationError) as refused:
            make(lm)
        assert refused.value.value == repr(lm)


def test_a_stream_in_another_precision_than_the_weights() -> None:
    lm = lm_of("mamba", torch.bfloat16)
    study = mw.Study(lm, pairs_of("mamba", 1))
    part = mw.Subspace.random(lm.d_model, lm.d_model)
    whole = [
        study.engine.evaluate([mw.Run("corrupt", {mw.Site("residual", 2, position=4): edit})])
        for edit in (mw.Within(part), mw.Patch())
    ]
    np.testing.assert_allclose(whole[0].kept, whole[1].kept, atol=0.3)
    assert np.isfinite(whole[0].kept).all()


def test_zeros_span_nothing() -> None:
    with pytest.raises(mw.MediationError, match="span nothing"):
        mw.Subspace.spanned(np.zeros((2, 4)))


def test_tensors_and_more_vectors_than_dimensions_span_a_space() -> None:
    many = np.random.default_rng(0).normal(size=(7, 4))
    assert mw.Subspace.spanned(many).k == 4
    row = torch.tensor([1.0, 2.0, 0.0], dtype=torch.bfloat16, requires_grad=True)
    assert mw.Subspace.spanned(row) == mw.Subspace.spanned([1.0, 2.0, 0.0])
    assert mw.Subspace(torch.eye(3, dtype=torch.bfloat16)[:2]).k == 2
    seed: Any = np.int64(2)
    assert mw.Subspace.random(1, 4, seed) == mw.Subspace.random(1, 4, 2)


@pytest.mark.parametrize("wrong", ["ab", [], None, [np.nan, 1.0], np.ones((2, 2, 2))])
def test_what_are_no_vectors_is_refused(wrong: Any) -> None:
    with pytest.raises(mw.MediationError, match="finite numbers"):
        mw.Subspace.spanned(wrong)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ((1.5, 4), "A subspace has at least one direction and no more than its space"),
        (("1", 4), "A subspace has at least one direction and no more than its space"),
        ((0, 4), "A subspace has at least one direction and no more than its space"),
        ((5, 4), "A subspace has at least one direction and no more than its space"),
        ((1, 4, -1), r"seed of Subspace\.random is a whole number"),
        ((1, 4, "a"), r"seed of Subspace\.random is a whole number"),
    ],
)
def test_what_is_no_random_subspace_is_refused(asked: Any, words: str) -> None:
    with pytest.raises(mw.MediationError, match=words):
        mw.Subspace.random(*asked)


def test_another_width_an_inner_knockout_and_patterns_are_refused() -> None:
    case, _ = made("gpt2")
    study, narrow = case_study(case), mw.Subspace.random(1, 3)
    with pytest.raises(mw.MediationError, match="another space"):
        study.intervene({STREAM: mw.Within(narrow)})
    for inner in (mw.Knockout(), mw.Within(narrow)):
        with pytest.raises(mw.MediationError, match="no part in a subspace"):
            mw.Within(narrow, inner)
    with pytest.raises(mw.MediationError, match="sum to one"):
        study.intervene({mw.Site("pattern", 1, head=0): mw.Within(narrow)})


@pytest.mark.parametrize("part", [mw.Subspace.random(2, 8), oblique(8, 2, 0)])
def test_json_there_and_back(part: mw.Subspace | mw.Projection) -> None:
    edit = mw.Within(part, mw.Patch("clean", alpha=0.5))
    assert edit_from_json(edit.to_json()) == edit
    assert hash(edit_from_json(edit.to_json())) == hash(edit)


def test_an_estimate_of_a_part_is_refused() -> None:
    case, _ = made("gpt2")
    study = case_study(case)
    part = mw.Within(mw.Subspace.random(1, case.lm.d_head))
    with pytest.raises(mw.MediationError, match="cannot be estimated"):
        study.estimate("head", edit=part)


def test_a_mean_of_many_prompts_within_a_part_is_not_averaged_singly() -> None:
    part = mw.Subspace.random(1, 4)
    assert refused_plainly([mw.Within(part, mw.Mean())], 65)
    assert not refused_plainly([mw.Within(part, mw.Mean())], 64)
    assert not refused_plainly([mw.Within(part)], 65)
