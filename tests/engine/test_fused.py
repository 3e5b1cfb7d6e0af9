"""An activation computed by one kernel: the same numbers, and never where somebody hooked it."""

import numpy as np
import pytest
from torch import Tensor, nn

import mediawidget as mw
from mediawidget.sites import Site
from mediawidget.tanh_gelu import tanh_gelu
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
        return tanh_gelu(value)

    monkeypatch.setattr("mediawidget.applying.tanh_gelu", counted)
    return rows


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
