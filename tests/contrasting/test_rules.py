"""Each rule gives away exactly what it gets, and is the published one where there is one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mediawidget.contrasting.rules import through_map, through_mix, through_scores, through_sum


def drawn(*shape: int, seed: int = 0, zeros: bool = False) -> Tensor:
    """Numbers of both signs; with ``zeros`` a whole column and a few more are 0."""
    found = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    if zeros:
        found[found.abs() < 0.3] = 0.0
        found[..., 0] = 0.0
    return found


def positive(*shape: int, seed: int = 9) -> Tensor:
    return drawn(*shape, seed=seed).abs()


def same(found: Tensor, given: Tensor) -> None:
    torch.testing.assert_close(found.sum(), given.sum(), rtol=1e-12, atol=0)
    assert (found >= 0).all()


@pytest.mark.parametrize("zeros", [False, True])
def test_what_a_map_gets_it_gives(zeros: bool) -> None:
    given, x, weight = positive(3, 7), drawn(3, 5, zeros=zeros), drawn(5, 7, seed=1, zeros=zeros)
    found = through_map(given, x, weight)
    torch.testing.assert_close(found.sum(-1), given.sum(-1), rtol=1e-12, atol=0)
    assert (found >= 0).all()


def test_a_map_shares_by_positive_contributions() -> None:
    given, x, weight = positive(7), drawn(9), drawn(9, 7, seed=1)
    expected = torch.zeros(9, dtype=torch.float64)
    for i in range(7):
        parts = [max(0.0, float(x[j] * weight[j, i])) for j in range(9)]
        assert sum(parts) > 0
        expected += given[i] * torch.tensor(parts, dtype=torch.float64) / sum(parts)
    torch.testing.assert_close(through_map(given, x, weight), expected)


@pytest.mark.parametrize(("x", "expected"), [([-1.0, -3.0], [0.5, 1.5]), ([0.0, 0.0], [1.0, 1.0])])
def test_where_nothing_is_positive(x: list[float], expected: list[float]) -> None:
    two, one = torch.tensor(x).double(), torch.ones(2, 1).double()
    found = through_map(torch.tensor([2.0]).double(), two, one)
    assert found.tolist() == expected


@pytest.mark.parametrize("zeros", [False, True])
def test_what_a_sum_gets_it_gives_by_size(zeros: bool) -> None:
    one, other, given = drawn(4, 6, zeros=zeros), drawn(4, 6, seed=1, zeros=zeros), positive(4, 6)
    to_one, to_other = through_sum(given, one, other)
    torch.testing.assert_close(to_one + to_other, given)
    size = one.abs() + other.abs()
    at = size > 0
    torch.testing.assert_close(to_one[at], (given * one.abs() / size)[at])
    assert (to_one[~at] == to_other[~at]).all()


@pytest.mark.parametrize("zeros", [False, True])
def test_what_a_mix_gets_it_gives_in_halves(zeros: bool) -> None:
    pattern = drawn(2, 3, 5, 5).tril().softmax(-1).tril()
    pattern = pattern / pattern.sum(-1, keepdim=True)
    value, given = drawn(2, 3, 5, 4, seed=1, zeros=zeros), positive(2, 3, 5, 4)
    to_pattern, to_value = through_mix(given, pattern, value)
    for found in (to_pattern, to_value):
        same(found, given / 2)
    assert (to_pattern[pattern == 0] == 0).all()
    if not zeros:
        shares = torch.einsum("nhij,nhjd->nhijd", pattern, value.abs())
        shares = shares / shares.sum(3, keepdim=True) * given[:, :, :, None]
        torch.testing.assert_close(to_pattern, shares.sum(-1) / 2)
        torch.testing.assert_close(to_value, shares.sum(2) / 2)


@pytest.mark.parametrize("zeros", [False, True])
def test_what_scores_get_they_give_in_halves(zeros: bool) -> None:
    query, key = drawn(2, 3, 5, 4, zeros=zeros), drawn(2, 3, 5, 4, seed=1, zeros=zeros)
    given = positive(2, 3, 5, 5)
    to_query, to_key = through_scores(given, query, key)
    for found in (to_query, to_key):
        same(found, given / 2)
    if not zeros:
        shares = torch.einsum("nhid,nhjd->nhijd", query.abs(), key.abs())
        shares = shares / shares.sum(-1, keepdim=True) * given[..., None]
        torch.testing.assert_close(to_query, shares.sum(3) / 2)
        torch.testing.assert_close(to_key, shares.sum(2) / 2)
