"""Linear maps by oneDNN: torch's numbers to rounding, only where asked, and only what fits."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.functional import gelu, linear

import mediawidget as mw
from mediawidget import products as module
from mediawidget import unembedding
from mediawidget.products import QuickProducts, products, products_within
from mediawidget.tanh_gelu import gelu_of_map, tanh_gelu
from mediawidget.unembedding import tall_product
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

    def noted(rows: Any, *others: Any, **options: Any) -> Any:
        shapes.append(tuple(rows.shape))
        return mapped(rows, *others, **options)

    monkeypatch.setattr(module, "_mapped", noted)
    monkeypatch.setattr(module, "_OWN", set())
    monkeypatch.setattr(module, "FEWEST_ROWS", 1)
    monkeypatch.setattr(module, "FEWEST_MULTIPLICATIONS", 1)
    monkeypatch.setattr(module, "MULTIPLICATIONS_OF_PASS", 1)
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
        close(tall_product(flat, weight), flat, weight, None)
    assert used == [rows.shape, flat.shape, flat.shape]


@pytest.mark.parametrize("shape", [(5,), (3, 4), (2, 3, 4), (300,)])
@pytest.mark.parametrize("plenty", [True, False])
def test_a_map_and_gelu_in_one_go(
    used: list[tuple[int, ...]], shape: tuple[int, ...], *, plenty: bool
) -> None:
    rows, weight, bias = torch.randn(*shape, 48), torch.randn(48, 33), torch.randn(33)
    exact = gelu(rows.double() @ weight.double() + bias.double(), approximate="tanh")
    with torch.no_grad():
        apart = gelu_of_map(rows, weight, bias)
        assert not used
        with QuickProducts(plenty=plenty):
            found = gelu_of_map(rows, weight, bias)
    assert used == [rows.shape]
    for one in (apart, found):
        torch.testing.assert_close(one.double(), exact, rtol=1e-5, atol=1e-5)


def test_gelu_follows_the_sum_of_all_parts(
    used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONG", 32)
    monkeypatch.setattr(module, "PART", 20)
    rows, weight, bias = torch.randn(5, 48), torch.randn(48, 33), torch.randn(33)
    with torch.no_grad(), QuickProducts():
        found = gelu_of_map(rows, weight, bias)
    assert used
    exact = gelu(rows.double() @ weight.double() + bias.double(), approximate="tanh")
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-5)


def test_gelu_of_a_map_that_is_torchs(used: list[tuple[int, ...]]) -> None:
    """In double precision, and where a gradient is taken."""
    rows, weight, bias = (torch.randn(*shape) for shape in ((5, 8), (8, 6), (6,)))
    with QuickProducts():
        with torch.no_grad():
            double = gelu_of_map(rows.double(), weight.double(), bias.double())
        assert double.dtype == torch.float64
        weight.requires_grad_()
        (gradient,) = torch.autograd.grad(gelu_of_map(rows, weight, bias).sum(), weight)
    assert not used
    (exact,) = torch.autograd.grad(gelu(rows @ weight + bias, approximate="tanh").sum(), weight)
    assert float(exact.abs().sum()) > 0
    torch.testing.assert_close(gradient, exact)


@pytest.mark.parametrize("n", [1, 7, 8, 9, 63, 65, 96, 255, 256, 257, 511, 600])
@pytest.mark.parametrize("plenty", [True, False])
def test_any_number_of_rows(used: list[tuple[int, ...]], n: int, *, plenty: bool) -> None:
    rows, weight, bias = torch.randn(n, 48), torch.randn(33, 48), torch.randn(33)
    with torch.no_grad(), QuickProducts(plenty=plenty):
        close(linear(rows, weight, bias), rows, weight, bias)
    assert used == [rows.shape]


def test_a_tall_map_is_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TALL", 32)
    asked, product = [], module._product

    def noted(rows: torch.Tensor, *others: Any, gelu: bool) -> torch.Tensor:
        asked.append(len(rows))
        return product(rows, *others, gelu=gelu)

    monkeypatch.setattr(module, "_product", noted)
    rows, weight = torch.randn(300, 48), torch.randn(33, 48)
    close(module._by_blocks(rows, weight, None), rows, weight, None)
    assert asked == [320]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The numbers of rows that oneDNN is asked for, in a process that has asked for none."""
    numbers: set[int] = set()

    def noted(rows: torch.Tensor, weight: torch.Tensor, _: Any, *, gelu: bool) -> torch.Tensor:
        numbers.add(len(rows))
        made = rows @ weight.T
        return tanh_gelu(made) if gelu else made

    monkeypatch.setattr(module, "_product", noted)
    monkeypatch.setattr(module, "_OWN", set())
    return numbers


def test_only_some_numbers_of_rows_are_asked_of_the_library(asked: set[int]) -> None:
    weight = torch.randn(3, 2)
    for n in range(1, 700):
        rows = torch.randn(n, 2)
        torch.testing.assert_close(module._by_blocks(rows, weight, None), rows @ weight.T)
    assert sorted(asked) == [*range(8, 65, 8), *range(96, 257, 32)]


def test_where_memory_is_plenty_the_first_products_get_programs_of_their_own(
    asked: set[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PROGRAMS", 3)
    weight, other = torch.randn(3, 2), torch.randn(4, 2)

    def numbers(
        n: int, weight: torch.Tensor, *, plenty: bool = True, gelu: bool = False
    ) -> list[int]:
        asked.clear()
        rows = torch.randn(2, n // 2, 2)
        found = module._mapped(rows, weight, None, plenty=plenty, gelu=gelu)
        torch.testing.assert_close(found, tanh_gelu(rows @ weight.T) if gelu else rows @ weight.T)
        return sorted(asked)

    assert numbers(290, weight, plenty=False) == [40, 256]
    assert numbers(290, weight) == [290]
    assert numbers(290, other) == [290]
    assert numbers(602, weight) == [602]
    # With GELU behind it a product is another one.
    assert numbers(290, weight, gelu=True) == [40, 256]
    # All there may be are given away; who has one keeps it, as long as there is room.
    assert numbers(602, other) == [96, 256]
    assert numbers(290, other) == [290]
    assert numbers(290, other, plenty=False) == [40, 256]


@pytest.mark.parametrize("width", [24, 32, 40, 41, 48])
def test_a_long_transposed_weight_is_summed_in_parts(
    width: int, used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONG", 32)
    monkeypatch.setattr(module, "PART", 20)
    parts, plus = [], module._plus

    def noted(rows: Any, weight: Any, *others: Any, **options: Any) -> torch.Tensor:
        parts.append(weight.shape[1])
        return plus(rows, weight, *others, **options)

    monkeypatch.setattr(module, "_plus", noted)
    rows, stored, bias = torch.randn(2, 5, width), torch.randn(width, 33), torch.randn(33)
    with torch.no_grad(), QuickProducts():
        close(torch.addmm(bias, rows.view(10, -1), stored), rows.view(10, -1), stored.t(), bias)
        close(linear(rows, stored.t(), None), rows, stored.t(), None)
        close(linear(rows, stored.t().contiguous(), bias), rows, stored.t(), bias)
    first = width if width <= 32 else 20
    assert parts == [first, first, width]
    assert len(used) == 3


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


class Own(torch.Tensor):
    """A tensor whose operations may be another's."""


ROWS, WEIGHT, BIAS = torch.randn(8, 8), torch.randn(8, 8), torch.randn(8)


@pytest.mark.parametrize(
    "arguments",
    [
        *(
            (ROWS.to(kind), WEIGHT.to(kind), BIAS.to(kind))
            for kind in (torch.double, torch.bfloat16)
        ),
        (ROWS, WEIGHT.as_subclass(Own), BIAS),
        (ROWS, WEIGHT[0], None),
        (ROWS, torch.randn(8, 16)[:, :8], BIAS),
        (ROWS, torch.randn(8, 16)[:, 8:].t(), BIAS),
        (ROWS, WEIGHT, BIAS[:1].expand(8)),
        (ROWS, WEIGHT, torch.randn(16)[::2]),
        (ROWS, WEIGHT, BIAS[0]),
        (ROWS, WEIGHT, BIAS[:1]),
        (ROWS, WEIGHT, torch.randn(8, 8)),
    ],
)
def test_what_is_out_of_its_way_goes_torchs(
    arguments: tuple[Any, ...], used: list[tuple[int, ...]]
) -> None:
    with torch.no_grad():
        expected = linear(*arguments)
        with QuickProducts():
            found = linear(*arguments)
    assert not used
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_other_sums_go_torchs_way(used: list[tuple[int, ...]]) -> None:
    with torch.no_grad(), QuickProducts():
        torch.addmm(torch.randn(8, 8), ROWS, WEIGHT)
        torch.addmm(BIAS, ROWS, WEIGHT, beta=0.5)
        torch.addmm(input=BIAS, mat1=ROWS, mat2=WEIGHT)
        linear(ROWS, weight=WEIGHT)
    assert not used


@pytest.mark.parametrize(
    ("rows", "weight", "bias"),
    [(torch.randn(8, 16), WEIGHT, BIAS), (ROWS, WEIGHT, torch.randn(9))],
)
def test_what_torch_refuses_is_refused(
    rows: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, used: list[tuple[int, ...]]
) -> None:
    with torch.no_grad(), QuickProducts():
        for refused in (
            lambda: linear(rows, weight, bias),
            lambda: torch.addmm(bias, rows, weight),
            lambda: torch.addmm(BIAS, ROWS[None], WEIGHT),
        ):
            with pytest.raises((RuntimeError, IndexError)):
                refused()  # type: ignore[no-untyped-call]
    assert not used


@pytest.mark.parametrize("of", [0, 1, 2])
def test_gradients_are_torchs(of: int, used: list[tuple[int, ...]]) -> None:
    for compute in (linear, lambda rows, weight, bias: torch.addmm(bias, rows, weight)):
        parts = [ROWS.clone(), WEIGHT.clone(), BIAS.clone()]
        parts[of].requires_grad_()
        with QuickProducts():
            (gradient,) = torch.autograd.grad(compute(*parts).sum(), parts[of])
        assert float(gradient.abs().sum()) > 0
    assert not used


@pytest.mark.parametrize("of", [0, 1, 2])
def test_forward_derivatives_are_torchs(of: int, used: list[tuple[int, ...]]) -> None:
    """Also without gradients, under which a tangent goes on."""
    parts = [ROWS.clone(), WEIGHT.clone(), BIAS.clone()]

    def changed(one: torch.Tensor) -> torch.Tensor:
        given = [*parts]
        given[of] = one
        return linear(*given)

    step = torch.randn_like(parts[of])
    exact = torch.func.jvp(changed, (parts[of],), (step,))[1]
    assert float(exact.abs().sum()) > 0
    with torch.no_grad(), QuickProducts():
        found = torch.func.jvp(changed, (parts[of],), (step,))[1]
        with forward_ad.dual_level():
            dual = changed(forward_ad.make_dual(parts[of], step))  # type: ignore[no-untyped-call]
            tangent = forward_ad.unpack_dual(dual).tangent  # type: ignore[no-untyped-call]
        assert not used
        linear(*parts)
    assert used
    for one in (found, tangent):
        torch.testing.assert_close(one, exact)


def test_precision_and_switches_of_the_user_are_heeded(
    used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with torch.no_grad(), QuickProducts():
        with torch.autocast("cpu", torch.bfloat16):
            assert linear(ROWS, WEIGHT, BIAS).dtype == torch.bfloat16
        with monkeypatch.context() as switched:
            switched.setattr(torch.backends.mkldnn, "enabled", False)
            linear(ROWS, WEIGHT, BIAS)
        assert not used
        linear(ROWS, WEIGHT, BIAS)
    assert used


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


def test_a_small_budget_has_no_room_for_its_programs(
    used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unembedding, "PART_OF_FEW", 7)  # so that the logits are a product of ours
    lm = mw.load(random_model("gpt2").float(), tokenizer=tokenizer_of("gpt2"))  # type: ignore[no-untyped-call]
    site = mw.Site("head", 0, head=1)

    def asked(study: mw.Study) -> list[Any]:
        grid = study.sweep("head", progress=False)["PIE"]
        clicks = [study.intervene(site)["PIE"] for _ in range(2)]
        study.estimate("head")
        return [grid, *clicks, study.engine.values(site, mw.Run("clean")).array]

    found = []
    for budget, quick in ((module.ROOM - 1, False), (module.ROOM, True)):
        study = mw.Study(lm, PAIR)
        study.engine.budget = budget
        used.clear()
        found.append(asked(study))
        assert bool(used) == quick
    for slow, fast in zip(*found, strict=True):
        np.testing.assert_allclose(slow, fast, rtol=0, atol=2e-5)


def test_only_a_large_budget_is_plenty(used: list[tuple[int, ...]]) -> None:
    lm = mw.load(random_model("gpt2").float(), tokenizer=tokenizer_of("gpt2"))  # type: ignore[no-untyped-call]
    for budget, plenty in ((module.PLENTY - 1, False), (module.PLENTY, True)):
        with products_within(budget):
            mode = products(lm, 60)
        assert isinstance(mode, QuickProducts)
        assert mode.plenty == plenty
    assert not used


def test_of_no_budget_the_machine_is_asked(
    used: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lm = mw.load(random_model("gpt2").float(), tokenizer=tokenizer_of("gpt2"))  # type: ignore[no-untyped-call]
    for free, quick in ((module.ROOM - 1, False), (module.ROOM, True)):
        monkeypatch.setattr(module, "budget_bytes", lambda _, free=free: free)
        used.clear()
        mw.Study(lm, PAIR).sweep("residual", progress=False)
        assert bool(used) == quick


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
