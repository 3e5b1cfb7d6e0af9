"""An activation computed by one kernel: the same numbers, and never where somebody hooked it."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import mediawidget as mw
from mediawidget.activation import gelu_tanh
from mediawidget.sites import Site
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant bee fox dog eel", answer="rat", wrong="owl")


@pytest.fixture
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each call of the one kernel had."""
    rows: list[int] = []

    def counted(value: Tensor) -> Tensor:
        rows.append(len(value))
        return gelu_tanh(value)

    monkeypatch.setattr("mediawidget.applying.gelu_tanh", counted)
    return rows


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(3, 7, 11), (2, 3, 1 << 17), (0, 4)])
def test_it_is_the_function_itself(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    value = (3 * torch.randn(shape, dtype=torch.float64)).to(dtype)
    allowed = {torch.float64: 1e-14, torch.float32: 1e-6, torch.bfloat16: 0.0}[dtype]
    for some in (value, value.transpose(0, 1)):
        expected = functional.gelu(some, approximate="tanh")
        torch.testing.assert_close(gelu_tanh(some), expected, rtol=0, atol=allowed)


def test_far_from_zero_it_is_the_function_too() -> None:
    value = torch.tensor([-1e30, -40.0, -0.0, 0.0, 40.0, 1e30, torch.inf, torch.nan])
    expected = functional.gelu(value, approximate="tanh")
    torch.testing.assert_close(gelu_tanh(value), expected, equal_nan=True)


def test_every_block_uses_the_kernel_and_the_numbers_stay(lm: mw.LM, fused: list[int]) -> None:
    edits = {Site("head", layer=1, head=2): mw.Patch()}
    fast = mw.Study(lm, PAIR).intervene(edits)
    assert len(fused) == lm.n_layers

    lm.paths = lm.paths.__class__(**{**vars(lm.paths), "activation": None})
    slow = mw.Study(lm, PAIR).intervene(edits)
    assert len(fused) == lm.n_layers
    assert abs(float(fast["TE"])) > 1e-3
    for key in ("Y11", "Y00", "Y10", "Y01"):
        np.testing.assert_allclose(fast[key], slow[key], rtol=0, atol=1e-11)


def test_a_hooked_activation_is_called(lm: mw.LM, fused: list[int]) -> None:
    plain = mw.Study(lm, PAIR).total["Y11"]
    fused.clear()
    block = lm.hf.get_submodule("transformer.h.2.mlp.act")
    assert isinstance(block, nn.Module)
    handle = block.register_forward_hook(lambda _module, _args, output: 2 * output)
    hooked = mw.Study(lm, PAIR).total["Y11"]
    handle.remove()
    assert len(fused) == lm.n_layers - 1
    assert abs(float(hooked - plain)) > 1e-3


def test_a_subclass_is_called(lm: mw.LM, fused: list[int]) -> None:
    class Louder(type(lm.hf.get_submodule("transformer.h.0.mlp.act"))):  # type: ignore[misc]
        pass

    lm.hf.get_submodule("transformer.h.0.mlp.act").__class__ = Louder
    mw.Study(lm, PAIR).intervene([Site("head", layer=1, head=2)])
    assert len(fused) == lm.n_layers - 1
