"""Plain logits at positions, whatever a model makes of ``logits_to_keep``."""

from typing import Any

import pytest
import torch

import mediawidget as mw
from tests.small_models import random_model, tokenizer_of

IDS = torch.arange(14).view(2, 7) + 3


def loaded(kind: str) -> Any:
    return mw.load(random_model(kind), tokenizer=tokenizer_of(kind))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "gemma2", "bloom", "mixtral"])
@pytest.mark.parametrize("positions", [[6], [-1], [2, 5], [0]])
def test_they_are_those_of_the_whole_prompt(kind: str, positions: list[int]) -> None:
    lm = loaded(kind)
    with torch.no_grad():
        whole = lm.hf(IDS, use_cache=False).logits
    found = lm.logits_at(IDS, positions)
    torch.testing.assert_close(found, whole[:, positions], rtol=0, atol=1e-12)


def test_a_model_of_ones_own_may_mean_something_else_by_it() -> None:
    """The last so many, say, or nothing."""
    model: Any = random_model("gpt2")

    class Own(type(model)):  # type: ignore[misc]
        def forward(self, *some: Any, logits_to_keep: Any = 0, **rest: Any) -> Any:
            out = super().forward(*some, **rest)
            out.logits = out.logits[:, -logits_to_keep:]
            return out

    model.__class__ = Own
    lm = mw.load(model, tokenizer=tokenizer_of("gpt2"))
    with torch.no_grad():
        whole = lm.hf(IDS, use_cache=False).logits
    torch.testing.assert_close(lm.logits_at(IDS, [5]), whole[:, [5]], rtol=0, atol=1e-12)
