"""What a prefix lends: every layer's own keys and values, however its passes are cut."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import mediawidget as mw
from mediawidget import chunks
from mediawidget.errors import MediationError
from mediawidget.plan import make_template
from mediawidget.prefix import PrefixCache, keys_values
from tests.engine.cases import random_pair
from tests.small_models import random_model, tokenizer_of

HEAD = mw.Site("head", 1, head=0)


def loaded(kind: str, model: Any = None) -> mw.LM:
    return mw.load(model or random_model(kind), tokenizer=tokenizer_of(kind))


def ids_of(rows: int, positions: int = 5) -> Tensor:
    return torch.arange(rows * positions).view(rows, positions) % 17 + 3


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gemma3", "falcon_alibi"])
@pytest.mark.parametrize("most", [1, 5, 11, 15, 100, None])
def test_passes_of_any_size_keep_the_same(kind: str, most: int | None) -> None:
    lm, ids = loaded(kind), ids_of(5)
    # Each prompt alone.
    whole = [[torch.stack(some) for some in keys_values(lm, row)] for row in torch.split(ids, 1)]
    found = keys_values(lm, ids, most)
    assert len(found) == lm.n_layers
    for layer, (keys, values) in enumerate(found):
        expected = torch.cat([alone[layer] for alone in whole], dim=1)
        torch.testing.assert_close(torch.stack([keys, values]), expected, rtol=0, atol=1e-12)


def test_blocks_in_another_order_than_their_numbers() -> None:
    """What layer is computed last is not what layer has the last number."""
    model: Any = random_model("llama")
    blocks = list(model.model.layers)
    model.model.layers = nn.ModuleList([*blocks[:-2], blocks[-1], blocks[-2]])
    lm = loaded("llama", model)
    keys, _ = zip(*keys_values(lm, ids_of(3)), strict=True)
    assert all(layer.abs().max() > 1e-3 for layer in keys)
    assert all(layer.abs().max() < 1e3 for layer in keys)


def test_a_layer_without_a_cache_is_refused() -> None:
    model: Any = random_model("llama")
    lm = loaded("llama", model)
    last = model.model.layers[-1].self_attn
    forward = last.forward
    last.forward = lambda *some, **rest: forward(*some, **{**rest, "past_key_values": None})
    with pytest.raises(MediationError, match="caches=False"):
        keys_values(lm, ids_of(2))


def test_a_prefix_of_other_rows_is_no_prefix() -> None:
    """It raises, as a concatenation does, and writes over nothing."""
    prefix = [(torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5))]
    new = torch.randn(6, 3, 2, 5)
    cache = PrefixCache(prefix, [torch.zeros(5, dtype=torch.int64)])
    with pytest.raises(RuntimeError, match="Sizes of tensors"):
        cache.update(new, new, 0)
    fitting = PrefixCache(prefix, [torch.tensor([0, 1, 1, 0, 0, 1])])
    keys, _ = fitting.update(new, new, 0)
    assert torch.equal(keys, torch.cat([prefix[0][0][[0, 1, 1, 0, 0, 1]], new], dim=2))


def test_one_prefix_for_all_rows() -> None:
    prefix, new = torch.randn(1, 3, 4, 5), torch.randn(6, 3, 2, 5)
    cache = PrefixCache([(prefix, prefix + 1)], [torch.zeros(6, dtype=torch.int64)])
    keys, values = cache.update(new, new, 0)
    for found, lent in ((keys, prefix), (values, prefix + 1)):
        assert torch.equal(found, torch.cat([lent[[0] * 6], new], dim=2))
    with pytest.raises(RuntimeError, match="Sizes of tensors"):
        cache.update(new[:5], new[:5], 0)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_shared_prefix_in_a_sweep(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pair that begins alike has one prefix for all of its rows; the numbers are the same."""
    lm, pair = loaded(kind), random_pair(kind, 3, length=9, first=5)
    runs = [
        mw.Run(base, {mw.Site("head", layer, head=head, position=at): mw.Patch()})
        for base in ("clean", "corrupt")
        for layer in range(lm.n_layers)
        for head in range(2)
        for at in (5, 8)
    ]
    lent, update = [], PrefixCache.update

    def noted(self: PrefixCache, *args: Any, **rest: Any) -> Any:
        lent.append(len(self._prefix[0][0]))
        return update(self, *args, **rest)

    monkeypatch.setattr(PrefixCache, "update", noted)
    found = []
    for pays in (0.0, float("inf")):
        monkeypatch.setattr(chunks, "PREFIX_PAYS", pays)
        lent.clear()
        found.append(mw.Study(lm, pair).engine.evaluate(runs).kept)
        assert set(lent) == ({1} if pays == 0 else set())
    assert found[0].std() > 1e-3
    torch.testing.assert_close(*map(torch.from_numpy, found), rtol=0, atol=1e-10)


def test_what_prompts_lend_counts_as_memory() -> None:
    """The longer the shared beginning beside the rest, the fewer rows fit."""
    lm = loaded("gpt2")
    study = mw.Study(lm, random_pair("gpt2", 5, length=20, first=18))
    runs = [mw.Run("corrupt", {HEAD: mw.Patch()})]
    template = make_template(runs, study.engine.groups[0].frame)
    budget = 4 * chunks.row_bytes(lm, template) + chunks._lent_bytes(lm, template)
    assert chunks._lent_bytes(lm, template) == 2 * 5 * 2 * lm.n_heads * lm.d_head * 18 * 8
    assert chunks.max_rows(lm, template, budget, 100) == 4
    assert chunks.max_rows(lm, template, budget) > 4


def test_a_sweep_cuts_its_prefix_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """None has more positions than the batch that it is for, unless it is of one prompt."""
    asked: list[tuple[int, int]] = []

    def counted(lm: mw.LM, ids: Tensor, most: int) -> Any:
        asked.append((ids.shape[1], most))
        return keys_values(lm, ids, most)

    monkeypatch.setattr("mediawidget.runner.keys_values", counted)
    monkeypatch.setattr(chunks, "PREFIX_PAYS", 1)
    study = mw.Study(loaded("gpt2"), random_pair("gpt2", 6, length=20, first=18))
    rows = study.sweep("head", progress=False)["PIE"].size * 2
    assert asked
    assert all(positions == 18 and rows <= most // 2 < 2 * rows for positions, most in asked)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gemma3", "falcon_alibi", "mixtral"])
def test_a_pass_ends_with_the_last_keys_and_leaves_the_model_as_it_was(kind: str) -> None:
    lm, ids = loaded(kind), ids_of(4)
    called: list[nn.Module] = []
    blocks = [lm.hf.get_submodule(f"{lm.paths.blocks}.{i}") for i in range(lm.n_layers)]
    before = lm.logits_at(ids, [-1])
    hooks = [
        block.register_forward_hook(lambda block, *_: called.append(block)) for block in blocks
    ]
    keys_values(lm, ids, most=10)
    assert called == blocks[:-1] * 2
    for hook in hooks:
        hook.remove()
    assert torch.equal(lm.logits_at(ids, [-1]), before)
