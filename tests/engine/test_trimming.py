"""Where one position is read, the last block's MLP and the head compute that position alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

import mediawidget as mw
from mediawidget.paths import follow
from tests.engine.cases import lm_of, random_pair

LENGTH = 8
KINDS = ["gpt2", "gpt_neox", "gptj", "llama", "qwen3", "gemma2", "phi3", "falcon", "bloom"]
WHOLE_LAST_BLOCK = ["opt", "mamba"]
"""These have nowhere to cut the last block's rows before its MLP."""


class Multiplied(TorchFunctionMode):
    """Counts the vectors that are multiplied with each of some weights.

    Of torch's functions: nnsight exchanges a module's input behind its hooks.
    """

    def __init__(self, weights: Sequence[torch.Tensor]) -> None:
        super().__init__()
        self.places = [weight.data_ptr() for weight in weights]
        self.vectors = [0] * len(weights)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.__name__ in ("linear", "addmm", "mm", "matmul", "gelu_of_map"):
            # Of addmm the bias comes first.
            value, weight, *_ = args[func.__name__ == "addmm" :]
            for index, place in enumerate(self.places):
                if weight.data_ptr() == place:
                    self.vectors[index] += value.numel() // value.shape[-1]
        return func(*args, **(kwargs or {}))


def positions_of(study: mw.Study, *weights: torch.Tensor) -> list[float]:
    """How many positions of a row are multiplied with each weight, in the mean over rows."""
    lm = study.lm
    name, index = ("head", {"head": 0}) if lm.n_heads else ("mixer_out", {})
    sites = [mw.Site(name, layer, **index) for layer in range(lm.n_layers)]
    runs = [mw.Run(base, {one: mw.Patch()}) for base in ("clean", "corrupt") for one in sites]
    with Multiplied(weights) as multiplied:
        outcomes = study.engine.evaluate(runs)
    return [vectors / outcomes.rows for vectors in multiplied.vectors]


def study_of(kind: str) -> mw.Study:
    pairs = [random_pair(kind, seed, length=LENGTH, first=2) for seed in range(2)]
    return mw.Study(lm_of(kind), pairs)


def head_of(lm: mw.LM) -> torch.Tensor:
    assert lm.paths.head is not None
    weight: Any = follow(lm.hf, lm.paths.head).weight
    assert isinstance(weight, torch.Tensor)
    return weight


def mlp_of(lm: mw.LM, layer: int) -> torch.Tensor:
    """The first weight of a block's MLP."""
    block: Any = follow(lm.hf, lm.paths.blocks)[layer]
    found: torch.Tensor = next(one for one in block.mlp.parameters() if one.ndim == 2)
    return found


@pytest.mark.parametrize("kind", [*KINDS, *WHOLE_LAST_BLOCK])
def test_the_head_computes_what_is_read(kind: str) -> None:
    study = study_of(kind)
    assert positions_of(study, head_of(study.lm)) == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_mlp_computes_what_is_read(kind: str) -> None:
    study = study_of(kind)
    first, last = positions_of(study, mlp_of(study.lm, 1), mlp_of(study.lm, -1))
    assert first > 2
    assert last == 1


def test_all_is_computed_that_is_read() -> None:
    """An answer of three tokens is read at three positions."""
    prompts = "Mary went to the store with", "John went to the store with"
    pair = mw.PromptPair(*prompts, answer="Mary and Anna", wrong="John and Anna")
    study = mw.Study(mw.load(), pair)
    assert {len(strand.reads) for strand in study.token_pairs[0].strands} == {3}
    assert positions_of(study, head_of(study.lm), mlp_of(study.lm, -1)) == [3, 3]
