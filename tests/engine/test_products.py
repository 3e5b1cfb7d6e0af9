"""Linear maps by oneDNN: torch's numbers to rounding, only where asked, and only what fits."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import linear

import mediawidget as mw
from mediawidget import products as module
from mediawidget.products import QuickProducts, products, quick_product
from tests.small_models import random_model, tokenizer_of

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available() or not hasattr(torch.ops.mkldnn, "_linear_pointwise"),  # type: ignore[no-untyped-call]
    reason="this build of torch has no oneDNN",
)
PAIR = mw.PromptPair("ant bee cat dog eel", "ant bee fox dog eel", answer="rat", wrong="owl")


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """Shapes of what oneDNN was given; everything is large enough for it."""
    shapes: list[tuple[int, ...]] = []
    mapped = module._mapped

    def noted(rows: Any, weight: Any, bias: Any) -> Any:
        shapes.append(tuple(rows.shape))
        return mapped(rows, weight, bias)

    monkeypatch.setattr(module, "_mapped", noted)
    monkeypatch.setattr(module, "FEWEST_ROWS", 1)
    monkeypatch.setattr(module, "FEWEST", 1)
    monkeypatch.setattr(module, "LARGE", 1)
    monkeypatch.setattr(module, "pays", lambda: True)
    return shapes


def close(found: torch.Tensor, rows: torch.Tensor, weight: torch.Tensor, bias: Any) -> None:
    exact = linear(rows.double(), weight.double(), None if bias is None else bias.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (1, 1)])
@pytest.mark.parametrize("biased", [True, False])
def test_maps_of_linear_and_of_conv1d(
    used: list[tuple[int, ...]], shape: tuple[int, ...], *, biased: bool
) -> None:
    rows, weight = torch.randn(*shape, 48), torch.randn(33, 48)
    bias = torch.randn(33) if biased else None
    with torch.no_grad(), QuickProducts():
        close(linear(rows, weight, bias), rows, weight, bias)
        # Conv1D keeps its weight the other way round, and has a bias.
        flat, stored, own = rows.view(-1, 48), weight.t().contiguous(), torch.randn(33)
        close(torch.addmm(own, flat, stored), flat, weight, own)
    assert used == [rows.shape, flat.shape]
    product = quick_product(rows, weight)
    assert product is not None
    close(product, rows, weight, None)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 63, 65, 96, 255, 256, 257, 511, 600])
def test_any_number_of_rows(used: list[tuple[int, ...]], n: int) -> None:
    rows, weight, bias = torch.randn(n, 48), torch.randn(33, 48), torch.randn(33)
    with torch.no_grad(), QuickProducts():
        close(linear(rows, weight, bias), rows, weight, bias)
    assert used == [rows.shape]


def test_only_some_numbers_of_rows_are_asked_of_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: set[int] = set()

    def noted(rows: torch.Tensor, weight: torch.Tensor, _: Any) -> torch.Tensor:
        asked.add(len(rows))
        return rows @ weight.T

    monkeypatch.setattr(module, "_product", noted)
    weight = torch.randn(3, 2)
    for n in range(1, 700):
        rows = torch.randn(n, 2)
        torch.testing.assert_close(module._mapped(rows, weight, None), rows @ weight.T)
    assert sorted(asked) == [*range(8, 65, 8), *range(96, 257, 32)]


def test_rows_that_lie_apart(used: list[tuple[int, ...]]) -> None:
    rows, weight = torch.randn(6, 8, 48).transpose(0, 1)[::2], torch.randn(33, 48)
    with torch.no_grad(), QuickProducts():
        close(linear(rows, weight), rows, weight, None)
        close(linear(rows, weight, None), rows, weight, None)
    assert used == [rows.shape]


def test_numbers_that_are_none_stay_none(used: list[tuple[int, ...]]) -> None:
    rows = torch.randn(4, 8)
    rows[1, 2], rows[2, 3] = torch.nan, torch.inf
    with torch.no_grad(), QuickProducts():
        found = linear(rows, torch.ones(5, 8), None)
    assert used
    assert found[1].isnan().all()
    assert found[2].isinf().all()
    assert found[[0, 3]].isfinite().all()


def test_what_does_not_fit_goes_torchs_way(used: list[tuple[int, ...]]) -> None:
    class Own(torch.Tensor):
        pass

    rows, weight, bias = torch.randn(4, 8), torch.randn(5, 8), torch.randn(5)
    with QuickProducts():
        for dtype in (torch.float64, torch.bfloat16):
            linear(rows.to(dtype), weight.to(dtype), bias.to(dtype))
        linear(rows, weight.clone().requires_grad_(), bias).sum().backward()  # type: ignore[no-untyped-call]
        linear(rows, weight.as_subclass(Own), bias)
        torch.addmm(torch.randn(4, 5), rows, weight.t())
        torch.addmm(bias, rows, weight.t(), beta=0.5)
    assert not used


def test_small_products_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_mapped", None)  # calling it would raise
    with torch.no_grad(), QuickProducts():
        linear(torch.randn(module.FEWEST_ROWS - 1, 2048), torch.randn(2048, 2048), None)
        linear(torch.randn(16, 128), torch.randn(128, 128), None)
        with pytest.raises(TypeError):
            linear(torch.randn(module.FEWEST_ROWS, 2048), torch.randn(2048, 2048), None)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_sweep_is_the_same_by_it(
    kind: str, used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = mw.load(random_model(kind).float(), tokenizer=tokenizer_of(kind))  # type: ignore[no-untyped-call]
    study = mw.Study(lm, PAIR)
    quick = study.sweep("head", progress=False)
    assert len(used) >= 4 * lm.n_layers
    used.clear()
    monkeypatch.setattr(module, "pays", lambda: False)
    slow = mw.Study(lm, PAIR).sweep("head", progress=False)
    assert not used
    assert float(np.nanmax(np.abs(quick["PIE"]))) > 1e-3
    for key in ("PIE", "TIE"):
        np.testing.assert_allclose(quick[key], slow[key], rtol=0, atol=2e-5)


def test_a_small_budget_has_no_room_for_its_programs(used: list[tuple[int, ...]]) -> None:
    lm = mw.load(random_model("gpt2").float(), tokenizer=tokenizer_of("gpt2"))  # type: ignore[no-untyped-call]
    effects = []
    for budget, quick in ((module.ENOUGH - 1, False), (module.ENOUGH, True)):
        study = mw.Study(lm, PAIR)
        study.engine.budget = budget
        used.clear()
        effects.append(study.sweep("residual", progress=False)["PIE"])
        assert bool(used) == quick
    np.testing.assert_allclose(effects[0], effects[1], rtol=0, atol=2e-5)


def test_only_models_of_single_precision(used: list[tuple[int, ...]]) -> None:
    for model, quick in ((random_model("gpt2").float(), True), (random_model("gpt2"), False)):  # type: ignore[no-untyped-call]
        lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
        assert (lm.dtype == torch.float32) == quick
        assert isinstance(products(lm, 60), QuickProducts) == quick
        used.clear()
        mw.Study(lm, PAIR).sweep("head", progress=False)
        assert bool(used) == quick


def test_it_ends_with_the_pass_also_where_that_fails(used: list[tuple[int, ...]]) -> None:
    lm = mw.load(random_model("gpt2").float(), tokenizer=tokenizer_of("gpt2"))  # type: ignore[no-untyped-call]
    study = mw.Study(lm, PAIR)

    def stop(*_: Any) -> None:
        raise RuntimeError("stop")

    handle = lm.hf.get_submodule("transformer.h.1.mlp").register_forward_hook(stop)
    with pytest.raises(RuntimeError, match="stop"):
        study.sweep("head", progress=False)
    handle.remove()
    used.clear()
    with torch.no_grad():
        nn.Linear(64, 64)(torch.randn(64, 64))
    assert not used
