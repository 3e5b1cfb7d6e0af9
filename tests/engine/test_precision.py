"""Half precision says how far it is off; quantised weights give right numbers or none."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM

import mediawidget as mw
from mediawidget.effects import Status
from mediawidget.engine import Engine
from mediawidget.precision import tolerance
from tests.engine.cases import BASES, OTHER, random_pair
from tests.oracle import Oracle
from tests.small_models import KINDS, random_model, tokenizer_of

HALVES = (torch.float16, torch.bfloat16)
HEAD = mw.Site("head", 1, head=1)


def named(effect: mw.Effect, name: str) -> mw.Check:
    (found,) = [check for check in effect.checks if check.name == name]
    return found


def pairs_of(kind: str, n: int) -> list[mw.PromptPair]:
    return [random_pair(kind, 270 + i, length=6, first=2) for i in range(n)]


def study_of(model: nn.Module, kind: str, n: int = 2) -> mw.Study:
    return mw.Study(mw.load(model, tokenizer=tokenizer_of(kind)), pairs_of(kind, n))


# --- half precision --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_names_its_distance_from_single(kind: str, dtype: torch.dtype) -> None:
    """The distance in the words is the one that a model in single precision shows."""
    half = study_of(random_model(kind, dtype), kind, n=1)
    wide = study_of(copy.deepcopy(half.lm.hf).float(), kind, n=1)
    effect, single = (study.sweep("head", progress=False) for study in (half, wide))
    check = named(effect, "precision")
    assert check.ok is not None
    name = str(dtype).removeprefix("torch.")
    assert f"In {name} the strongest effect" in check.words
    assert not [check for check in single.checks if check.name == "precision"]
    cell = np.unravel_index(np.abs(effect["PIE"]).argmax(), effect.shape)
    apart = abs(effect["PIE"][cell] - single["PIE"][cell])
    said = float(check.words.split(" is ")[1].split()[0])
    assert said == pytest.approx(apart, rel=0.1, abs=2e-3)
    assert check.ok == (apart < 0.1 * abs(single["PIE"][cell]))
    assert (effect.status == Status.EXACT).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_click_in_half_precision_carries_the_check_along(kind: str) -> None:
    study = study_of(random_model(kind, torch.float16), kind)
    first, second = (study.intervene(mw.Site("mlp_out", layer)) for layer in (1, 2))
    assert named(first, "precision").ok is not None
    assert named(second, "precision").ok is not None
    assert study.lm.hf.dtype == torch.float16, "the model itself stays as it is"


def test_a_model_too_large_to_copy_says_that_nothing_was_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mediawidget.engine.budget_bytes", lambda _: 1000)
    effect = study_of(random_model("gpt2", torch.float16), "gpt2").sweep("head", progress=False)
    check = named(effect, "precision")
    assert check.ok is None
    assert "Not compared" in check.words
    assert (effect.status == Status.EXACT).all()


def test_an_effect_that_is_rounding_fails_the_check_and_keeps_its_number() -> None:
    """The prompts differ in a word that the model hardly hears."""
    model: Any = random_model("gpt2")
    (pair,) = pairs_of("gpt2", 1)
    words = tokenizer_of("gpt2")
    one, two = (words(text)["input_ids"] for text in (pair.clean, pair.corrupt))
    ((here, there),) = [(a, b) for a, b in zip(one, two, strict=True) if a != b]
    with torch.no_grad():
        weight = model.transformer.wte.weight
        weight[here] = weight[there] * 1.01
    effect = study_of(model.to(torch.bfloat16), "gpt2", n=1).sweep("head", progress=False)
    assert named(effect, "precision").ok is False
    assert np.isfinite(effect["PIE"]).all()


# --- quantised weights -------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("n", [1, 3])
def test_weights_whose_scale_depends_on_the_batch_give_no_number(n: int) -> None:
    """Dynamic quantisation scales activations by the largest in the batch: mates change it."""
    quantised: Any = torch.ao.quantization.quantize_dynamic
    model = quantised(random_model("llama", torch.float32), {nn.Linear}, dtype=torch.qint8)
    study = study_of(model, "llama", n)
    for effect in (
        study.sweep("head", progress=False),
        study.sweep("residual", by="position", progress=False),
        study.intervene(HEAD),
        study.intervene(HEAD),
        study.intervene([HEAD, mw.Site("mlp_out", 2)]),
    ):
        assert named(effect, "plain forward").ok is False
        assert not np.isin(effect.status, [Status.EXACT, Status.ESTIMATE]).any()
        for key in ("TIE", "PIE", "INT", "Y10", "Y01"):
            assert np.isnan(effect[key]).all()


class Int8(nn.Module):
    """A linear map whose weight is kept as whole numbers of eight bits and a scale per row."""

    weight: Tensor
    scale: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        scale = linear.weight.detach().abs().amax(1, keepdim=True) / 127
        self.register_buffer("scale", scale)
        self.register_buffer("weight", (linear.weight.detach() / scale).round().to(torch.int8))

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight.to(self.scale.dtype) * self.scale)


def int8_model(kind: str = "llama") -> Any:
    model = random_model(kind)
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.Linear):
                setattr(module, name, Int8(child))
    return model


@pytest.mark.parametrize(
    ("mediator", "edit"),
    [("head", "patch"), ("residual", "patch"), ("mlp_out", "zero"), ("query", "patch")],
)
def test_weights_of_eight_bits_equal_the_oracle(mediator: str, edit: str) -> None:
    model = int8_model()
    study = study_of(model, "llama", n=2)
    oracle = Oracle(copy.deepcopy(model), tokenizer_of("llama"), study.contrast.pairs)
    how: Any = {"patch": mw.Patch(), "zero": mw.Zero()}[edit]
    effect = study.sweep(mediator, edit=how, progress=False)
    assert all(check.ok for check in effect.checks if check.name != "clean answer")
    for cell, site in enumerate(mw.Sweep(mediator).sites(study.lm.shape, 6)):
        for at, base in enumerate(BASES):
            for index in range(2):
                asked = "zero" if edit == "zero" else OTHER[base]
                expected = oracle.run(base, [(site, asked)], index)
                found = effect.edited[index, at].reshape(-1, 3)[cell]
                np.testing.assert_allclose(found, expected, atol=1e-9, rtol=0)
    moved = np.abs(
        effect.edited
        - study_of(random_model("llama"), "llama").sweep(mediator, edit=how, progress=False).edited
    )
    assert moved.max() > 1e-3, "eight bits are not sixty-four"


def test_clicks_on_weights_of_eight_bits_follow_them() -> None:
    model = int8_model()
    study = study_of(model, "llama", n=1)
    oracle = Oracle(model, tokenizer_of("llama"), study.contrast.pairs)
    study.intervene(mw.Site("head", 2, head=0))
    for change in (0, 1, -3):
        model.model.layers[0].mlp.up_proj.weight.data[1] += change
        oracle._captured.clear()
        found = study.intervene(HEAD).edited[0, 1]
        np.testing.assert_allclose(found, oracle.run("corrupt", [(HEAD, "clean")]), atol=1e-9)


def test_the_engine_of_eight_bits_is_of_the_numbers_it_computes_with() -> None:
    lm = mw.load(int8_model(), tokenizer=tokenizer_of("llama"))
    assert lm.dtype == torch.float64
    assert Engine(lm, lm.encode(pairs_of("llama", 1))).evaluate([]).bases.shape == (1, 2, 3)


class Odd(nn.Module):
    """A gain that is kept as a tensor whose numbers cannot be read where they lie."""

    gain: Tensor

    def __init__(self, inside: nn.Module, gain: Tensor) -> None:
        super().__init__()
        self.inside = inside
        self.register_buffer("gain", gain)

    def forward(self, x: Tensor) -> Tensor:
        gain = self.gain.dequantize() if self.gain.is_quantized else self.gain.to_dense()
        out: Tensor = self.inside(x) * gain.diagonal().to(x.dtype)
        return out


def eight_bits(x: Tensor) -> Tensor:
    return torch.quantize_per_tensor(x, 0.5, 0, torch.qint8)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("make", "double"),
    [
        (eight_bits, lambda t: t.copy_(eight_bits(2 * torch.eye(24)))),
        (lambda x: x.to_sparse(), lambda t: t.mul_(2)),
        (lambda x: x.to_sparse(), lambda t: t._values().mul_(2)),
    ],
    ids=["quantised", "sparse", "sparse behind its version"],
)
def test_tensors_that_are_packed_are_followed(make: Any, double: Any) -> None:
    """Read as plain memory a quantised tensor ends the process."""
    model: Any = random_model("gpt2")
    block = model.transformer.h[1].mlp
    block.dropout = Odd(block.dropout, make(torch.eye(24)))
    study = study_of(model, "gpt2", n=1)
    oracle = Oracle(model, tokenizer_of("gpt2"), study.contrast.pairs)
    found = []
    for layer in (0, 1, 1):
        site = mw.Site("head", layer, head=1)
        oracle._captured.clear()
        expected = oracle.run("corrupt", [(site, "clean")])
        found.append(study.intervene(site).edited[0, 1])
        np.testing.assert_allclose(found[-1], expected, atol=1e-9)
        if len(found) == 2:
            double(block.dropout.gain)
    assert np.abs(found[2] - found[1]).max() > 1e-3


def test_weights_made_in_inference_mode() -> None:
    """They have no version counter."""
    with torch.inference_mode():
        model = copy.deepcopy(random_model("gpt2"))
    study = study_of(model, "gpt2", n=1)
    expected = study_of(random_model("gpt2"), "gpt2", n=1)
    for _ in range(2):
        same, other = (one.intervene(HEAD).edited for one in (study, expected))
        np.testing.assert_allclose(same, other, atol=1e-11)
    with torch.inference_mode():
        hf: Any = model
        hf.transformer.h[3].mlp.c_fc.weight.mul_(1.5)
    oracle = Oracle(model, tokenizer_of("gpt2"), study.contrast.pairs)
    found = study.intervene(HEAD).edited[0, 1]
    np.testing.assert_allclose(found, oracle.run("corrupt", [(HEAD, "clean")]), atol=1e-9)
    assert np.abs(found - same[0, 1]).max() > 1e-3


@pytest.mark.parametrize("traced", [False, True])
def test_a_model_is_loaded_in_another_precision_as_a_copy(*, traced: bool) -> None:
    """A study of it goes on, in all its digits."""
    mine: Any = random_model("gpt2", torch.float32)
    weight = mine.lm_head.weight.detach().clone()
    tokenizer = tokenizer_of("gpt2")
    study = mw.Study(mw.load(mine, tokenizer=tokenizer), pairs_of("gpt2", 1)) if traced else None
    before = None if study is None else study.sweep("head", progress=False)["PIE"]
    half = mw.load(mine, tokenizer=tokenizer, dtype=torch.bfloat16)
    assert {weight.dtype for weight in half.hf.parameters()} == {torch.bfloat16}
    assert mw.Study(half, pairs_of("gpt2", 1)).total["TE"] != 0
    assert mine.dtype == torch.float32
    torch.testing.assert_close(mine.lm_head.weight, weight, rtol=0, atol=0)
    if study is not None:
        after = mw.Study(study.lm, study.contrast).sweep("head", progress=False)["PIE"]
        np.testing.assert_array_equal(before, after)
    assert mw.load(mine, tokenizer=tokenizer, dtype=torch.float32).hf is mine


def test_a_network_is_loaded_in_another_precision_as_a_copy() -> None:
    mine = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
    other = mw.load(mine, points={"first": "0"}, dtype=torch.float64)
    assert {weight.dtype for weight in mine.parameters()} == {torch.float32}
    assert {weight.dtype for weight in other.hf.parameters()} == {torch.float64}


class Computed(nn.Module):
    """Keeps a weight that it computes from others, as ``weight_norm`` does."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = nn.Linear(3, 4)
        self.twice = 2 * self.plain.weight
        self.shift: Tensor
        self.register_buffer("shift", torch.ones(4))

    def forward(self, value: Tensor) -> Tensor:
        self.twice = 2 * self.plain.weight
        return nn.functional.linear(value, self.twice) + self.shift


def test_a_module_that_keeps_what_it_computed_is_copied_too() -> None:
    mine = Computed()
    other = mw.load(mine, points={"first": "plain"}, dtype=torch.float64).hf
    value = torch.randn(2, 3, dtype=torch.float64)
    torch.testing.assert_close(other(value), mine.double()(value))


def test_buffers_of_fewer_bits_are_brought_up_to_the_weights() -> None:
    mine = Computed().double()
    mine.shift = mine.shift.float()
    other = mw.load(mine, points={"first": "plain"}, dtype=torch.float64).hf
    assert other.shift.dtype == torch.float64
    # Angles are often in more bits than the weights, on purpose.
    single = Computed()
    single.shift = single.shift.double()
    assert mw.load(single, points={"first": "plain"}, dtype=torch.float32).hf is single


def test_a_module_that_cannot_be_copied_says_so() -> None:
    mine: Any = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    mine[0].held = [mine[0].weight * 2]
    with pytest.raises(mw.MediationError, match="cannot be copied") as raised:
        mw.load(mine, points={"first": "0"}, dtype=torch.float64)
    assert "module.to(dtype)" in raised.value.fix


def test_double_precision_with_a_softmax_in_single_is_not_taken_for_other_weights() -> None:
    """Chunks with other prefixes attend to other lengths, whose sums are rounded otherwise."""
    tokenizer = mw.load().tokenizer
    sizes: dict[str, Any] = {"hidden_size": 32, "intermediate_size": 44, "num_hidden_layers": 3}
    heads: dict[str, Any] = {
        "head_dim": 8,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "initializer_range": 0.35,
    }
    torch.manual_seed(0)
    heads["attn_implementation"] = "eager"
    config = LlamaConfig(vocab_size=len(tokenizer), **sizes, **heads)
    model: Any = LlamaForCausalLM(config)
    lm = mw.load(model.double().eval(), tokenizer=tokenizer)
    before = "Anna and Adam went to the park and Mary gave a book to John and " * 3
    ask = before + "When Mary and John went to the store, {} gave a book to"
    pair = mw.PromptPair(ask.format("John"), ask.format("Mary"), "Mary", "John")
    study = mw.Study(lm, pair)
    swept = study.sweep("head", by="position", edit=mw.Zero(), progress=False)
    assert {check.name for check in swept.checks if check.ok is False} <= {"clean answer"}
    bases = study.total.bases
    size = max(1.0, np.abs(bases).max() / 10)
    assert tolerance(lm, bases) == 1e-5 * size
    model.set_attn_implementation("sdpa")
    assert tolerance(lm, bases) == 1e-9 * size
