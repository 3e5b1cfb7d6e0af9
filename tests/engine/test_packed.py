"""Packed weights: the same products, never of numbers that a weight has no longer."""

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import Parameter
from torch.nn.functional import linear
from torch.utils.weak import WeakTensorKeyDictionary

import mediawidget as mw
from mediawidget import packed as module
from mediawidget import products
from mediawidget.packed import packed
from mediawidget.products import PACKED_SHARE, PLENTY, QuickProducts
from mediawidget.unembedding import tall_product
from tests.small_models import random_model, tokenizer_of

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    or not hasattr(torch.ops.mkldnn, "_reorder_linear_weight"),
    reason="this build of torch has no oneDNN",
)
ROOM = 1 << 20


@pytest.fixture(autouse=True)
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is kept yet, and everything is large enough to be."""
    monkeypatch.setattr(module, "_KEPT", WeakTensorKeyDictionary())
    monkeypatch.setattr(module, "FEWEST_ROWS", 1)
    monkeypatch.setattr(products, "_OWN", set())
    monkeypatch.setattr(products, "FEWEST_ROWS", 1)
    monkeypatch.setattr(products, "FEWEST_MULTIPLICATIONS", 1)
    monkeypatch.setattr(products, "MULTIPLICATIONS_OF_PASS", 1)
    monkeypatch.setattr(products, "pays", lambda: True)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each product was given a packed weight."""
    told: list[bool] = []

    def noted(*args: Any) -> Tensor | None:
        found = packed(*args)
        told.append(found is not None)
        return found

    monkeypatch.setattr(module, "packed", noted)
    return told


def lying(how: str) -> Parameter:
    """A weight (33, 48), contiguous or transposed."""
    weight = torch.randn(33, 48)
    return Parameter(weight if how == "contiguous" else weight.t().contiguous().t())


def map_by(weight: Parameter, rows: Tensor) -> None:
    """A product, held against double precision."""
    bias = torch.randn(len(weight))
    with torch.no_grad(), QuickProducts(PLENTY):
        found = linear(rows, weight, bias)
    exact = linear(rows.double(), weight.detach().double(), bias.double())
    torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("how", ["contiguous", "transposed"])
@pytest.mark.parametrize("n", [1, 15, 600, 1700])
def test_a_weight_is_packed_when_it_is_asked_for_again(given: list[bool], how: str, n: int) -> None:
    weight = lying(how)
    for _ in range(4):
        map_by(weight, torch.randn(n, 48))
    assert given == [False, True, True, True]


def test_weights_as_conv1d_keeps_them(given: list[bool]) -> None:
    stored, bias, rows = Parameter(torch.randn(48, 33)), torch.randn(33), torch.randn(20, 48)
    for _ in range(3):
        with torch.no_grad(), QuickProducts(PLENTY):
            found = torch.addmm(bias, rows, stored)
        exact = rows.double() @ stored.detach().double() + bias
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=1e-4)
    assert given == [False, True, True]


def in_place(weight: Parameter) -> None:
    with torch.no_grad():
        weight[2, 3] += 1


def behind_the_counter(weight: Parameter) -> None:
    weight.data[2, 3] += 1


def by_numpy(weight: Parameter) -> None:
    weight.detach().numpy()[2, 3] += 1


def exchanged_rows(weight: Parameter) -> None:
    weight.data = weight.data[torch.arange(33).flip(0)]


def of_other_strides(weight: Parameter) -> None:
    """The same bits in the same order, that are another matrix."""
    weight.data = weight.data.reshape(-1).clone().view(48, 33).t()


@pytest.mark.parametrize("how", ["contiguous", "transposed"])
@pytest.mark.parametrize(
    "write",
    [in_place, behind_the_counter, by_numpy, exchanged_rows, of_other_strides],
)
def test_a_weight_that_was_written_is_packed_anew(
    given: list[bool], how: str, write: Callable[[Parameter], None]
) -> None:
    weight, rows = lying(how), torch.randn(20, 48)
    for _ in range(2):
        map_by(weight, rows)
    write(weight)
    for _ in range(3):
        map_by(weight, rows)
    assert given == [False, True, False, True, True]


def test_the_same_weight_elsewhere_is_the_same(given: list[bool]) -> None:
    weight, rows = lying("contiguous"), torch.randn(20, 48)
    for _ in range(2):
        map_by(weight, rows)
    weight.data = weight.data.clone()
    map_by(weight, rows)
    assert given == [False, True, True]


def test_another_shape_of_the_same_bits(given: list[bool]) -> None:
    weight = Parameter(torch.randn(33, 48))
    for _ in range(2):
        map_by(weight, torch.randn(20, 48))
    weight.data = weight.data.view(24, 66)
    for _ in range(2):
        map_by(weight, torch.randn(20, 66))
    assert given == [False, True, False, True]


def test_what_is_kept_has_bounds_and_goes_with_its_weight() -> None:
    first, second, third = (lying("contiguous") for _ in range(3))
    room = first.nbytes + second.nbytes

    def ask(weight: Parameter) -> list[bool]:
        return [packed(weight, weight, room) is not None for _ in range(3)]

    assert ask(first) == ask(second) == [False, True, True]
    assert ask(third) == [False, False, False]
    del first
    gc.collect()
    assert packed(third, third, room) is not None
    assert len(module._KEPT) == 2
    # Nor does a larger room of another budget outgrow itself.
    assert packed(second, second, 0) is not None


def test_only_parameters_are_kept() -> None:
    weight = torch.randn(33, 48)
    assert [packed(weight, weight, ROOM) for _ in range(3)] == [None] * 3
    assert not len(module._KEPT)


def test_copies_have_their_own(given: list[bool]) -> None:
    weight, rows = lying("contiguous"), torch.randn(20, 48)
    other = Parameter(weight.detach().clone())
    for one in (weight, weight, other, other):
        map_by(one, rows)
    assert given == [False, True, False, True]


def test_what_is_not_worth_it_is_not_asked_for(
    given: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, rows = lying("contiguous"), torch.randn(20, 48)
    for _ in range(3):
        with torch.no_grad(), QuickProducts(PLENTY - 1):
            linear(rows, weight, None)
        with torch.no_grad(), QuickProducts(PLENTY):
            tall_product(rows, weight)
    monkeypatch.setattr(module, "FEWEST_ROWS", 21)
    for _ in range(3):
        map_by(weight, rows)
    assert not given


def test_a_part_of_the_budget_is_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = []
    monkeypatch.setattr(module, "packed", lambda *args: rooms.append(args[2]))
    with torch.no_grad(), QuickProducts(3 * PLENTY):
        linear(torch.randn(20, 48), lying("contiguous"), None)
    assert rooms == [3 * PLENTY // PACKED_SHARE]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_sweeps_of_a_model_that_is_trained_on(kind: str, given: list[bool]) -> None:
    """Each is that of the weights as they are then, whoever wrote into them."""
    lm = mw.load(random_model(kind).float(), tokenizer=tokenizer_of(kind))  # type: ignore[no-untyped-call]
    pair = mw.PromptPair("ant bee cat dog eel", "ant bee fox dog eel", answer="rat", wrong="owl")

    def grid() -> Any:
        study = mw.Study(lm, pair)
        study.engine.budget = PLENTY
        return study.sweep("head", progress=False)["PIE"]

    last = None
    for scale in (1.0, 1.0, 1.0, 1.5, 1.5, 0.5):
        for weight in lm.hf.parameters():
            weight.data *= scale  # counted nowhere
        quick = grid()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(products, "pays", lambda: False)
            slow = grid()
        np.testing.assert_allclose(quick, slow, rtol=1e-4, atol=1e-4)
        assert scale == 1.0 or np.nanmax(np.abs(quick - last)) > 1e-3
        last = quick
    assert True in given
