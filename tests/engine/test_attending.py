"""Attention over short prompts: torch's numbers, and torch's own wherever more is asked for."""

from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Gemma3Config
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.models.llama import modeling_llama as llama

import mediawidget as mw
from mediawidget import attending
from mediawidget.calls import attention
from tests.small_models import ALL_KINDS, random_model, tokenizer_of

LEAST = torch.finfo(torch.float64).min


class Grouped(nn.Module):
    """What attention asks of the module that it belongs to."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.num_key_value_groups = groups
        self.is_causal = True


def parts(groups: int, n_queries: int, n_keys: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Queries as the models hand them on, not contiguous; keys, values, a causal mask."""
    torch.manual_seed(n_keys)
    query = torch.randn(5, n_queries, 2 * groups, 8, dtype=torch.float64).transpose(1, 2)
    key, value = torch.randn(2, 5, 2, n_keys, 8, dtype=torch.float64)
    mask = torch.full((n_queries, n_keys), LEAST, dtype=torch.float64)
    return query, key, value, mask.triu(n_keys - n_queries + 1)[None, None]


def same(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert found.is_contiguous()
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13, equal_nan=True)


@pytest.mark.parametrize("groups", [1, 3])
@pytest.mark.parametrize(("n_queries", "n_keys"), [(1, 1), (1, 9), (6, 15), (7, 7)])
@pytest.mark.parametrize("scaling", [None, 0.3])
def test_it_is_torchs_attention(
    monkeypatch: pytest.MonkeyPatch, groups: int, n_queries: int, n_keys: int, scaling: float | None
) -> None:
    query, key, value, mask = parts(groups, n_queries, n_keys)
    module = Grouped(groups)
    before = query.clone(), mask.clone()
    expected, _ = sdpa_attention_forward(module, query, key, value, mask, scaling=scaling)
    monkeypatch.setattr(attending, "sdpa_attention_forward", None)
    found, weights = attending.attend(
        module, query, key, value, mask, scaling=scaling, dropout=0.0, sliding_window=4
    )
    same(found, expected)
    assert weights is None
    assert torch.equal(query, before[0])
    assert torch.equal(mask, before[1])


def test_masks_of_every_row_and_head_and_tokens_with_nothing_left_to_attend_to() -> None:
    query, key, value, mask = parts(2, 4, 6)
    mask = mask.expand(5, 4, 4, 6).clone()
    mask[1, 2, 3, :2] = LEAST
    mask[3, 0, 1] = torch.nan
    module = Grouped(2)
    found, _ = attending.attend(module, query, key, value, mask)
    expected, _ = sdpa_attention_forward(module, query, key, value, mask)
    assert found[3, 1, 0].isnan().all()
    assert found.isnan().sum() == 8
    same(found, expected)


@pytest.mark.parametrize(
    "more",
    [{"dropout": 0.5}, {"s_aux": torch.zeros(2)}, {"position_bias": torch.zeros(1)}, {"new": 1}],
    ids=lambda more: next(iter(more)),
)
def test_what_it_does_not_know_is_left_to_torch(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        attending, "sdpa_attention_forward", lambda *_, **options: seen.append(options)
    )
    attending.attend(Grouped(1), *parts(1, 3, 3), **more)
    assert seen[0].keys() == {"scaling", *more}


def test_long_prompts_and_other_masks_are_left_to_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(attending, "sdpa_attention_forward", lambda *some, **_: seen.append(some))
    query, key, value, mask = parts(1, 3, 700)
    attending.attend(Grouped(1), query, key, value, mask)
    attending.attend(Grouped(1), query, key[:, :, :3], value[:, :, :3], None)
    attending.attend(Grouped(1), query, key[:, :, :3], value[:, :, :3], mask[..., :3] == 0)
    assert len(seen) == 3


#: Whose attention asks transformers for a function, and is in the precision of the weights.
THROUGH_TRANSFORMERS = {
    *("gpt2", "llama", "mistral", "qwen2", "qwen3", "gemma3", "phi3", "olmo2", "mixtral"),
    *("gpt_neox", "opt"),
}


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_which_models_it_serves(kind: str) -> None:
    lm = mw.load(random_model(kind), tokenizer=tokenizer_of(kind))
    config: Any = lm.hf.config
    model_type = config.model_type
    expected = model_type.removesuffix("_text") in THROUGH_TRANSFORMERS
    assert attending.fits(lm) == expected, model_type


def test_half_precision_eager_and_others_attention_is_left_alone() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    config: Any = lm.hf.config
    assert attending.fits(lm)
    config._attn_implementation = "eager"
    assert not attending.fits(lm)
    config._attn_implementation = "sdpa"
    half = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"), dtype=torch.bfloat16)
    assert not attending.fits(half)


def test_the_models_setting_is_put_back() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    config: Any = lm.hf.config
    seen: list[str] = []
    model: Any = lm.hf
    handle = model.model.layers[1].register_forward_hook(
        lambda *_: seen.append(config._attn_implementation)
    )
    pair = mw.PromptPair("ant bee cat", "ant bee dog", answer="rat", wrong="owl")
    study = mw.Study(lm, pair)
    study.engine.evaluate([mw.Run("clean", {mw.Site("head", 0, head=0): mw.Zero()})])
    handle.remove()
    assert seen == [attending.NAME]
    assert config._attn_implementation == "sdpa"


def test_it_is_put_back_when_a_pass_fails() -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    model: Any = lm.hf
    study = mw.Study(lm, mw.PromptPair("ant bee cat", "ant bee dog", answer="rat", wrong="owl"))

    def fail(*_: Any) -> None:
        assert model.config._attn_implementation == attending.NAME
        raise ValueError("a layer that fails")

    handle = model.model.layers[1].register_forward_hook(fail)
    with pytest.raises(Exception, match="a layer that fails"):
        study.engine.evaluate([mw.Run("clean", {mw.Site("head", 0, head=0): mw.Zero()})])
    handle.remove()
    assert model.config._attn_implementation == "sdpa"


def test_a_call_of_the_users_during_a_pass_keeps_its_masks() -> None:
    """Under a name that transformers does not know it would drop padding in silence."""
    lm = mw.load(random_model("mistral"), tokenizer=tokenizer_of("mistral"))
    ids = torch.arange(12).view(2, 6) + 3
    mask = torch.tensor([[1] * 6, [0, 0, 1, 1, 1, 1]])
    with torch.no_grad():
        expected = lm.hf(ids, attention_mask=mask).logits
        with attention(lm, attending.NAME):
            found = lm.hf(ids, attention_mask=mask).logits
    torch.testing.assert_close(found[:, -1], expected[:, -1], rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_left_to_torch(monkeypatch: pytest.MonkeyPatch, kind: Any) -> None:
    """Also of a model in single precision, under autocast."""
    seen: list[Any] = []
    monkeypatch.setattr(attending, "sdpa_attention_forward", lambda *some, **_: seen.append(some))
    query, key, value, mask = (part.to(kind) for part in parts(1, 3, 3))
    attending.attend(Grouped(1), query, key, value, mask)
    attending.attend(Grouped(1), query.double(), key, value, mask)
    assert len(seen) == 2


def test_somebodys_own_attention_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    lm = mw.load(random_model("llama"), tokenizer=tokenizer_of("llama"))
    functions: Any = vars(llama)["ALL_ATTENTION_FUNCTIONS"]
    functions["sdpa"] = partial(sdpa_attention_forward)
    try:
        assert not attending.fits(lm)
    finally:
        del functions["sdpa"]
    assert attending.fits(lm)
    monkeypatch.setattr(nn.functional, "scaled_dot_product_attention", lambda *_, **__: None)
    assert not attending.fits(lm)


def test_the_parts_of_a_config_keep_their_own_attention() -> None:
    """Set on the whole it reaches them too."""
    config: Any = Gemma3Config()
    config._attn_implementation = "sdpa"
    config.vision_config._attn_implementation = "eager"
    hf = SimpleNamespace(config=config)
    lm: Any = SimpleNamespace(hf=hf, dtype=torch.float32, encodes=False)
    with attention(lm, attending.NAME):
        assert config.text_config._attn_implementation == attending.NAME
    assert config._attn_implementation == config.text_config._attn_implementation == "sdpa"
    assert config.vision_config._attn_implementation == "eager"
