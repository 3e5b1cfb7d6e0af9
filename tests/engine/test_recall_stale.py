"""A click that starts from kept base runs is never stale, whatever changes the model."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from tests.engine.cases import random_pair, several
from tests.oracle import Oracle
from tests.small_models import (
    KINDS,
    random_model,
    tokenizer_of,
)

EXACT = 1e-9

HEAD = mw.Site("head", 1, head=1)


def multiplied(weight: nn.Parameter) -> None:
    with torch.no_grad():
        weight.mul_(1.5)


def through_data(weight: nn.Parameter) -> None:
    weight.data.mul_(1.5)


def new_data(weight: nn.Parameter) -> None:
    weight.data = weight.data * 1.5


def through_numpy(weight: nn.Parameter) -> None:
    weight.detach().numpy()[...] *= 1.5


def rows_exchanged(weight: nn.Parameter) -> None:
    """The sum of all numbers stays."""
    weight.data[[0, 3]] = weight.data[[3, 0]]


def columns_exchanged(weight: nn.Parameter) -> None:
    weight.data[:, [0, 3]] = weight.data[:, [3, 0]]


def signs_exchanged(weight: nn.Parameter) -> None:
    """Two numbers of one weight trade their signs."""
    flat = weight.data.view(-1)
    flat[2], flat[5] = flat[2].abs(), -flat[5].abs()
    flat[7] = -flat[7]


def one_bit(weight: nn.Parameter) -> None:
    """The exponent of one number."""
    bits = weight.data.view(torch.int64).view(-1)
    bits[5] ^= 1 << 54


CHANGES = (
    *(multiplied, through_data, new_data, through_numpy),
    *(rows_exchanged, columns_exchanged, signs_exchanged, one_bit),
)


def asked(study: mw.Study) -> np.ndarray:
    """One click of each of two kinds, none of them the first of its kind."""
    sites = (HEAD, mw.Site("residual", 3, position=5))
    return np.stack([study.intervene(site).edited[:, 1] for site in sites])


def truth(study: mw.Study, kind: str) -> np.ndarray:
    oracle = Oracle(study.lm.hf, tokenizer_of(kind), study.contrast.pairs)
    sites = (HEAD, mw.Site("residual", 3, position=5))
    n = len(study.contrast)
    return np.array([[oracle.run("corrupt", [(s, "clean")], i) for i in range(n)] for s in sites])


def warmed(kind: str) -> mw.Study:
    """A study of its own model, whose next clicks start from kept runs."""
    pairs = [random_pair(kind, 395 + i, length=7, first=3) for i in range(2)]
    study = mw.Study(mw.load(random_model(kind), tokenizer=tokenizer_of(kind)), pairs)
    for _ in range(2):
        np.testing.assert_allclose(asked(study), truth(study, kind), atol=EXACT)
    assert study.engine._kept
    return study


def follows(study: mw.Study, kind: str, change: Callable[[], object]) -> None:
    """The clicks after a change are the changed model's, and they are other ones."""
    before = asked(study)
    change()
    after = asked(study)
    np.testing.assert_allclose(after, truth(study, kind), atol=EXACT)
    assert np.abs(after - before).max() > 1e-6
    np.testing.assert_allclose(asked(study), after, atol=EXACT)


PLACES = {
    "gpt2": ("transformer.h.0.attn.c_attn", "transformer.h.4.mlp.c_fc"),
    "llama": ("model.layers.0.self_attn.v_proj", "model.layers.4.mlp.up_proj"),
}


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: str(change.__name__))
@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_weight_changes_the_next_click(
    kind: str, change: Callable[[nn.Parameter], None]
) -> None:
    study = warmed(kind)
    hf: Any = study.lm.hf
    for place in PLACES[kind]:
        weight = hf.get_submodule(place).weight
        follows(study, kind, partial(change, weight))


def loud(_module: object, _arguments: object, output: Tensor) -> Tensor:
    return output * 1.5


def loud_input(_module: object, arguments: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (arguments[0] * 1.5, *arguments[1:])


def mlps(study: mw.Study) -> list[Any]:
    hf: Any = study.lm.hf
    blocks = hf.transformer.h if hasattr(hf, "transformer") else hf.model.layers
    return [block.mlp for block in blocks]


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 3), ("llama", 0)])
def test_a_hook_is_followed_as_it_comes_and_goes(kind: str, layer: int) -> None:
    study = warmed(kind)
    mlp = mlps(study)[layer]
    handles: list[Any] = []
    follows(study, kind, lambda: handles.append(mlp.register_forward_hook(loud)))
    follows(study, kind, lambda: handles.pop().remove())
    follows(study, kind, lambda: handles.append(mlp.register_forward_pre_hook(loud_input)))
    follows(study, kind, lambda: handles.pop().remove())


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 0), ("llama", 3)])
def test_a_module_that_is_replaced_is_followed(kind: str, layer: int) -> None:
    study = warmed(kind)

    def replace() -> None:
        hf: Any = study.lm.hf
        blocks = hf.transformer.h if hasattr(hf, "transformer") else hf.model.layers
        new = copy.deepcopy(blocks[layer].mlp)
        next(new.parameters()).data.mul_(1.5)
        blocks[layer].mlp = new

    follows(study, kind, replace)


@pytest.mark.parametrize(("kind", "layer"), [("gpt2", 3), ("llama", 0)])
def test_a_forward_that_is_replaced_is_followed(kind: str, layer: int) -> None:
    study = warmed(kind)
    mlp = mlps(study)[layer]
    before = mlp.forward

    def replace() -> None:
        mlp.forward = lambda x: before(x) * 1.5

    def put_back() -> None:
        mlp.forward = before

    follows(study, kind, replace)
    follows(study, kind, put_back)


class Gain:
    """A number that a hook or a ``forward`` multiplies by; nothing on the model shows it."""

    by = 1.0

    def __call__(self, *arguments: Any) -> Tensor:
        output: Tensor = arguments[-1] * self.by
        return output


@pytest.mark.parametrize("way", ["hook", "everywhere", "forward"])
def test_code_of_the_users_may_compute_anything(way: str) -> None:
    """So nothing is kept while it is there: a changed constant in it changes the next click."""
    study, gain = warmed("gpt2"), Gain()
    mlp = mlps(study)[0]
    handle: Any = None
    if way == "hook":
        handle = mlp.register_forward_hook(gain)
    elif way == "everywhere":
        everywhere: Any = nn.modules.module.register_module_forward_hook
        handle = everywhere(lambda module, *rest: gain(*rest) if module is mlp else None)
    else:
        before = mlp.forward
        mlp.forward = lambda x: gain(before(x))
    try:
        asked(study)
        follows(study, "gpt2", lambda: setattr(gain, "by", 1.5))
        follows(study, "gpt2", lambda: setattr(gain, "by", 0.5))
    finally:
        if handle is not None:
            handle.remove()


def test_settings_of_modules_and_of_the_config() -> None:
    """Read in the forward pass, and no tensors."""
    study = warmed("llama")
    hf: Any = study.lm.hf
    follows(study, "llama", lambda: setattr(hf.model.layers[0].self_attn, "scaling", 0.7))
    follows(study, "llama", lambda: setattr(hf.model.norm, "variance_epsilon", 0.5))
    capped = mw.Study(
        mw.load(random_model("gemma2"), tokenizer=tokenizer_of("gemma2")), several("gemma2")[:1]
    )
    asked(capped)
    asked(capped)
    follows(capped, "gemma2", lambda: setattr(capped.lm.hf.config, "final_logit_softcapping", 5.0))
