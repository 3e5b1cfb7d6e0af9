"""An MLP or an activation in one go: the same numbers, and never where somebody hooked it."""

import itertools
import types
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers.models.gpt2.modeling_gpt2 import GPT2MLP

import mediawidget as mw
from mediawidget import applying
from mediawidget.sites import Site
from mediawidget.tanh_gelu import tanh_gelu
from mediawidget.whole_mlp import is_whole, mlp_output
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

    def counted(mlp: Any, value: Tensor) -> Tensor:
        rows.append(len(value))
        return mlp_output(mlp, value)

    monkeypatch.setattr(applying, "mlp_output", counted)
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


def plain(model: Any) -> float:
    """The clean prompt's logit difference, by the model itself."""
    encoder = mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2")).encoder
    ids = torch.tensor([encoder.ids(PAIR.clean)])
    answer, wrong = (encoder.ids(f" {word}")[-1] for word in (PAIR.answer, PAIR.wrong))
    with torch.no_grad():
        logits = model(input_ids=ids).logits[0, -1]
    return float(logits[answer] - logits[wrong])


def louder(module: nn.Module, factor: float = 2.0) -> Any:
    """A forward that makes ``factor`` times as much of it."""
    whole = type(module).forward
    return lambda self, value: factor * whole(self, value)


def subclass(module: Any) -> None:
    module.__class__ = type("Own", (type(module),), {"forward": louder(module)})


def own_forward(module: Any) -> None:
    module.forward = types.MethodType(louder(module), module)


def offloaded(module: Any) -> None:
    """As accelerate leaves a module whose weights it moves."""
    forward, module._hf_hook = (
        module.forward,
        types.SimpleNamespace(
            pre_forward=lambda _module, *args, **kwargs: (args, kwargs),
            post_forward=lambda _module, output: 2 * output,
        ),
    )
    module.forward = lambda *args: 2 * forward(*args)


def own_weight(module: Any) -> None:
    class Loud(torch.Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            with torch._C.DisableTorchFunctionSubclass():
                made = func(*args, **(kwargs or {}))
            return 2 * made if func is torch.addmm else made

    for inner in module.modules():
        if "weight" in inner._parameters:
            inner._parameters["weight"] = inner._parameters["weight"].data.as_subclass(Loud)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        *itertools.product((subclass, own_forward, offloaded), PARTS),
        *((own_weight, path) for path in ("mlp", "mlp.c_fc", "mlp.c_proj")),
    ],
)
def test_what_is_anothers_is_called(change: Any, path: str, whole: list[int]) -> None:
    model: Any = random_model("gpt2")
    before = plain(model)
    change(model.transformer.h[2].get_submodule(path))
    expected = plain(model)
    lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
    found = float(mw.Study(lm, PAIR).total["Y11"])
    assert abs(expected - before) > 1e-4
    assert found == pytest.approx(expected, abs=1e-9)
    assert len(whole) == lm.n_layers - 1


def test_nobody_can_tell_what_a_forward_of_the_users_depends_on(lm: mw.LM) -> None:
    assert lm.fingerprint() is not None
    model: Any = random_model("gpt2")
    own_forward(model.transformer.h[2].mlp)
    assert mw.load(model, tokenizer=tokenizer_of("gpt2")).fingerprint() is None


@pytest.mark.parametrize("path", ["mlp", "mlp.c_fc", "mlp.act"])
def test_a_class_that_somebody_patched_is_called(
    path: str, whole: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = random_model("gpt2")
    before, module = plain(model), model.transformer.h[2].get_submodule(path)
    monkeypatch.setattr(type(module), "forward", louder(module))
    expected = plain(model)
    lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
    assert abs(expected - before) > 1e-4
    assert float(mw.Study(lm, PAIR).total["Y11"]) == pytest.approx(expected, abs=1e-9)
    assert not whole


def test_an_mlp_of_other_parts_is_called(whole: list[int]) -> None:
    class Other(GPT2MLP):
        def __init__(self) -> None:
            nn.Module.__init__(self)
            self.up = nn.Linear(24, 7, dtype=torch.float64)

        def forward(self, value: Any) -> Any:
            return self.up(value) @ self.up.weight

    model: Any = random_model("gpt2")
    model.transformer.h[2].mlp = Other()
    lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
    found = float(mw.Study(lm, PAIR).total["Y11"])
    assert found == pytest.approx(plain(model), abs=1e-9)
    assert len(whole) == lm.n_layers - 1


@pytest.mark.parametrize("path", ["c_fc", "act", "c_proj"])
def test_an_edit_that_the_user_keeps_inside_is_made(path: str, lm: mw.LM, whole: list[int]) -> None:
    before = mw.Study(lm, PAIR).total["Y11"]
    whole.clear()
    with lm.traced.edit(inplace=True):
        inner = getattr(lm.traced.transformer.h[2].mlp, path)
        inner.output = inner.output * 2
    edited = mw.Study(lm, PAIR).total["Y11"]
    assert not whole
    assert abs(float(edited - before)) > 1e-4
    lm.traced.clear_edits()
    assert mw.Study(lm, PAIR).total["Y11"] == before
    assert len(whole) == lm.n_layers


def test_dropout_that_is_on_is_called(lm: mw.LM, whole: list[int]) -> None:
    part(lm, "mlp.dropout").train()
    mw.Study(lm, PAIR).intervene([HEAD])
    assert len(whole) == lm.n_layers - 1


def test_a_path_that_leads_inside_is_followed(lm: mw.LM, whole: list[int]) -> None:
    expected = mw.Study(lm, PAIR).intervene([HEAD])["PIE"]
    whole.clear()
    lm.paths = lm.paths.__class__(
        **{**vars(lm.paths), "norm_before_mlp": None, "mlp_in": "mlp.c_fc"}
    )
    assert mw.Study(lm, PAIR).intervene([HEAD])["PIE"] == pytest.approx(expected, abs=1e-9)
    assert not whole


def test_another_activation_is_called(whole: list[int], fused: list[int]) -> None:
    model = random_model("gpt2")
    for block in model.transformer.h:  # type: ignore[union-attr]
        block.mlp.act = nn.ReLU()
    mw.Study(mw.load(model, tokenizer=tokenizer_of("gpt2")), PAIR).intervene([HEAD])
    assert not whole
    assert not fused


def test_an_mlp_is_gpt2s_own(lm: mw.LM) -> None:
    mlp: Any = part(lm, "mlp")
    assert is_whole(mlp)
    value = torch.randn(3, 4, mlp.c_fc.nx, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(mlp_output(mlp, value), mlp(value))
