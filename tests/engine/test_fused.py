"""An MLP or an activation in one go: the same numbers, and never where somebody hooked it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget import applying, ops
from mediawidget.sites import Site
from mediawidget.tanh_gelu import tanh_gelu
from tests.small_models import random_model, tokenizer_of

PAIR = mw.PromptPair("ant bee cat dog eel", "ant bee fox dog eel", answer="rat", wrong="owl")
HEAD = Site("head", layer=1, head=2)
KEYS = ("Y11", "Y00", "Y10", "Y01")
PARTS = ("mlp", "mlp.c_fc", "mlp.act", "mlp.c_proj", "mlp.dropout")


@pytest.fixture
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


def part(lm: mw.LM, path: str) -> nn.Module:
    return lm.hf.get_submodule(f"transformer.h.2.{path}")


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each MLP had that was computed in one go."""
    rows: list[int] = []
    mapped = applying.mapped

    def counted(mlp: Any, value: Tensor) -> Tensor:
        rows.append(len(value))
        return mapped(mlp, value)

    monkeypatch.setattr(applying, "mapped", counted)
    return rows


@pytest.fixture
def fused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each activation had that was computed in one go, in an MLP that was not."""
    rows: list[int] = []

    def counted(value: Tensor) -> Tensor:
        rows.append(len(value))
        return tanh_gelu(value)

    monkeypatch.setattr(applying, "tanh_gelu", counted)
    return rows


def apart(lm: mw.LM) -> mw.LM:
    """The same model, of which every module is called."""
    lm.paths = lm.paths.__class__(**{**vars(lm.paths), "activation": None})
    for path in PARTS:
        for block in range(lm.n_layers):
            module = lm.hf.get_submodule(f"transformer.h.{block}.{path}")
            module.register_forward_hook(lambda _module, _args, output: output)
    return lm


@pytest.mark.parametrize("site", [HEAD, Site("mlp_out", layer=2), Site("residual", layer=4)])
def test_every_mlp_is_computed_in_one_go_and_the_numbers_stay(
    site: Site, lm: mw.LM, whole: list[int], fused: list[int]
) -> None:
    quick = mw.Study(lm, PAIR).intervene({site: mw.Patch()})
    assert len(whole) == lm.n_layers
    assert not fused
    slow = mw.Study(apart(lm), PAIR).intervene({site: mw.Patch()})
    assert len(whole) == lm.n_layers
    assert abs(float(quick["TE"])) > 1e-3
    for key in KEYS:
        np.testing.assert_allclose(quick[key], slow[key], rtol=0, atol=1e-11)


def test_a_sweep_is_the_same(lm: mw.LM, whole: list[int]) -> None:
    sweep = mw.Study(lm, PAIR).sweep("mlp_out", "position", progress=False)
    assert whole
    whole.clear()
    other = mw.Study(apart(lm), PAIR).sweep("mlp_out", "position", progress=False)
    assert not whole
    assert float(np.nanmax(np.abs(sweep["PIE"]))) > 1e-3
    np.testing.assert_allclose(sweep["PIE"], other["PIE"], rtol=0, atol=1e-11)


def test_where_neurons_are_edited_the_activation_alone_is_one_go(
    lm: mw.LM, whole: list[int], fused: list[int]
) -> None:
    edits = {Site("neuron", layer=2, unit=3): mw.Patch()}
    quick = mw.Study(lm, PAIR).intervene(edits)
    assert (len(whole), len(fused)) == (lm.n_layers - 1, 1)
    slow = mw.Study(apart(lm), PAIR).intervene(edits)
    for key in KEYS:
        np.testing.assert_allclose(quick[key], slow[key], rtol=0, atol=1e-11)


@pytest.mark.parametrize("path", PARTS)
def test_what_is_hooked_is_called(path: str, lm: mw.LM, whole: list[int], fused: list[int]) -> None:
    plain = mw.Study(lm, PAIR).total["Y11"]
    whole.clear()
    handle = part(lm, path).register_forward_hook(lambda _module, _args, output: 2 * output)
    hooked = mw.Study(lm, PAIR).total["Y11"]
    handle.remove()
    assert len(whole) == lm.n_layers - 1
    assert len(fused) == (path != "mlp.act")
    assert abs(float(hooked - plain)) > 1e-4


@pytest.mark.parametrize("path", PARTS)
def test_a_subclass_is_called(path: str, lm: mw.LM, whole: list[int]) -> None:
    class Own(type(part(lm, path))):  # type: ignore[misc]
        pass

    part(lm, path).__class__ = Own
    mw.Study(lm, PAIR).intervene([HEAD])
    assert len(whole) == lm.n_layers - 1


def test_another_activation_is_called(whole: list[int], fused: list[int]) -> None:
    model = random_model("gpt2")
    for block in model.transformer.h:  # type: ignore[union-attr]
        block.mlp.act = nn.ReLU()
    mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), PAIR).intervene([HEAD])
    assert not whole
    assert not fused


def test_an_mlp_is_gpt2s_own(lm: mw.LM) -> None:
    mlp: Any = part(lm, "mlp")
    assert ops._is_whole(mlp)
    value = torch.randn(3, 4, mlp.c_fc.nx, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(applying.mapped(mlp, value), mlp(value))
