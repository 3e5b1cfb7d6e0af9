"""Logits in parts of the vocabulary: the same numbers, never instead of a user's head."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils import parametrizations, prune

import mediawidget as mw
from mediawidget import unembedding
from tests.engine.judging import compare, judge, pairs_of
from tests.small_models import random_model, tokenizer_of

HEAD = mw.Site("head", 1, head=0)
RUNS = [mw.Run("corrupt", {HEAD: mw.Patch()}), mw.Run("clean", {mw.Site("mlp_out", 2): mw.Zero()})]


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Parts that a small vocabulary has some of; how many rows each call had."""
    rows: list[int] = []

    def counted(head: nn.Linear, value: Tensor) -> Tensor:
        rows.append(len(value))
        return unembedding.unembedded(head, value)

    monkeypatch.setattr(unembedding, "PART", 7)
    monkeypatch.setattr(unembedding, "PART_OF_FEW", 7)
    monkeypatch.setattr("mediawidget.applying.unembedded", counted)
    return rows


@pytest.mark.parametrize("n_rows", [1, 2, 4, 5, 13])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("size", [7, 50])
@pytest.mark.parametrize("lags", [False, True])
def test_it_is_the_heads_own_product(
    monkeypatch: pytest.MonkeyPatch, n_rows: int, size: int, *, bias: bool, lags: bool
) -> None:
    monkeypatch.setattr(unembedding, "MKL_LAGS", lags)
    monkeypatch.setattr(unembedding, "PART", 7)
    monkeypatch.setattr(unembedding, "PART_OF_FEW", 9)
    monkeypatch.setattr(unembedding, "MANY", 20)
    head = nn.Linear(11, size, bias=bias, dtype=torch.float64)
    value = torch.randn(n_rows, 2, 11, dtype=torch.float64)
    with torch.no_grad():
        for some in (value, value[:, :1], value.transpose(0, 1)):
            torch.testing.assert_close(
                unembedding.unembedded(head, some), head(some), rtol=0, atol=1e-13
            )


@pytest.mark.parametrize("n_rows", [1, 13])
@pytest.mark.parametrize("lags", [False, True])
def test_autocast_is_heeded(monkeypatch: pytest.MonkeyPatch, n_rows: int, *, lags: bool) -> None:
    monkeypatch.setattr(unembedding, "MKL_LAGS", lags)
    monkeypatch.setattr(unembedding, "PART", 7)
    head = nn.Linear(11, 50, bias=False)
    value = torch.randn(n_rows, 11)
    with torch.no_grad(), torch.autocast("cpu"):
        made = unembedding.unembedded(head, value)
        assert made.dtype == torch.bfloat16
        torch.testing.assert_close(made, head(value))


@pytest.mark.parametrize("lags", [False, True])
def test_many_rows_are_cut_only_where_that_is_quicker(
    monkeypatch: pytest.MonkeyPatch, *, lags: bool
) -> None:
    cut: list[int] = []
    monkeypatch.setattr(unembedding, "MKL_LAGS", lags)
    monkeypatch.setattr(unembedding, "_in_parts", lambda _, rows: cut.append(len(rows)))
    weight = torch.randn(50, 11)
    for n_rows in (unembedding.MANY - 1, unembedding.MANY):
        unembedding.tall_product(torch.randn(n_rows, 11), weight)
    assert cut == [unembedding.MANY - 1, *([unembedding.MANY] if lags else [])]


@pytest.mark.parametrize("n_rows", [4, 13])
@pytest.mark.parametrize("lags", [False, True])
def test_gradients_and_tangents_go_through_it(
    monkeypatch: pytest.MonkeyPatch, n_rows: int, *, lags: bool
) -> None:
    monkeypatch.setattr(unembedding, "MKL_LAGS", lags)
    monkeypatch.setattr(unembedding, "PART", 7)
    head = nn.Linear(11, 50, bias=False, dtype=torch.float64)
    value = torch.randn(n_rows, 11, dtype=torch.float64, requires_grad=True)
    made = unembedding.unembedded(head, value).square().sum()
    own = head(value).square().sum()
    for asked in (value, head.weight):
        (ours,) = torch.autograd.grad(made, asked, retain_graph=True)
        (theirs,) = torch.autograd.grad(own, asked, retain_graph=True)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)
    with torch.no_grad(), forward_ad.dual_level():
        way = torch.randn_like(value)
        dual = unembedding.unembedded(head, forward_ad.make_dual(value.detach(), way))  # type: ignore[no-untyped-call]
        tangent = forward_ad.unpack_dual(dual).tangent  # type: ignore[no-untyped-call]
    torch.testing.assert_close(tangent, way @ head.weight.T, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "kind", ["gpt2", "llama", "gemma2", "phi3", "opt_post_norm", "bloom", "mixtral"]
)
def test_runs_through_it_are_the_oracles(kind: str, cut: list[int]) -> None:
    compare(*judge(kind, pairs_of(kind, 3)), RUNS)
    assert cut


@pytest.mark.parametrize("n_pairs", [1, 3])
def test_clicks_and_sweeps_use_it(cut: list[int], n_pairs: int) -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    study = mw.Study(lm, pairs_of("gpt2", n_pairs))
    study.intervene([mw.Site("head", 0, head=1)])
    clicked = study.intervene([HEAD])
    swept = study.sweep("head", progress=False)
    assert len(cut) >= 3
    assert swept["PIE"][1, 0] == pytest.approx(clicked["PIE"], abs=1e-11)


def test_small_half_precise_and_other_heads_are_left_alone() -> None:
    class Louder(nn.Linear):
        pass

    with torch.device("meta"):
        wide = nn.Linear(4, 3000)
        assert not unembedding.cuts(wide)
    wide = nn.Linear(4, 3000)
    assert unembedding.cuts(wide)
    assert not unembedding.cuts(nn.Linear(4, 2000))
    assert not unembedding.cuts(nn.Linear(4, 3000, dtype=torch.bfloat16))
    assert not unembedding.cuts(Louder(4, 3000))
    wide.forward = lambda x: x  # type: ignore[method-assign, assignment]
    assert not unembedding.cuts(wide)


def test_pruned_and_parametrised_heads_are_left_alone() -> None:
    wide = nn.Linear(4, 3000)
    prune_some: Any = prune.l1_unstructured
    prune_some(wide, "weight", amount=0.3)
    assert not unembedding.cuts(wide)
    assert not unembedding.cuts(parametrizations.weight_norm(nn.Linear(4, 3000)))
    packed = nn.Linear(4, 3000)
    packed.weight = nn.Parameter(packed.weight.detach().to_sparse(), requires_grad=False)
    assert not unembedding.cuts(packed)


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_hooked_head_is_called(cut: list[int], *, everywhere: bool) -> None:
    lm = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))
    head: Any = lm.hf.lm_head
    study = mw.Study(lm, pairs_of("gpt2", 1))
    plain = study.intervene([HEAD])
    cut.clear()

    def doubled(module: nn.Module, _: Any, output: Tensor) -> Tensor | None:
        return 2 * output if module is head else None

    register: Any = nn.modules.module.register_module_forward_hook
    handle = register(doubled) if everywhere else head.register_forward_hook(doubled)
    try:
        hooked = study.intervene([HEAD])
    finally:
        handle.remove()
    assert not cut
    for corner in ("Y11", "Y10", "Y01", "Y00"):
        np.testing.assert_allclose(hooked[corner], 2 * plain[corner], rtol=0, atol=1e-10)
