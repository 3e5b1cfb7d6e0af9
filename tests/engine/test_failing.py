"""What a model's own code raises in a pass stays what it is, with a note of what a pass asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForCausalLM,
    BloomConfig,
    GPT2Config,
    GPTBigCodeConfig,
    MptConfig,
    PretrainedConfig,
)

import mediawidget as mw
from mediawidget.errors import error_fields
from mediawidget.failing import ASKED
from tests.engine.cases import random_pair
from tests.small_models import MPT, random_model, tokenizer_of

SIZES: dict[str, Any] = {"n_layer": 3, "n_head": 4}
EDGE = mw.Site("edge", 1, head=1, position=3, key=1)


def _study(config: PretrainedConfig, **given: Any) -> mw.Study:
    torch.manual_seed(0)
    options: dict[str, Any] = {"dtype": torch.float64, "attn_implementation": "eager"}
    kind: Any = AutoModelForCausalLM
    lm = mw.load(
        kind.from_config(config, **options).eval(), tokenizer=tokenizer_of("gpt2"), **given
    )
    return mw.Study(lm, random_pair("gpt2", 0))


def _vocabulary() -> int:
    return len(tokenizer_of("gpt2"))


def _sliced() -> mw.Study:
    """Maps of attention and MLP are taken apart, and their modules never run."""
    own: dict[str, Any] = {"slow_but_exact": True, "pretraining_tp": 2, **SIZES}
    return _study(BloomConfig(vocab_size=_vocabulary(), hidden_size=32, **own))


def _upcast() -> mw.Study:
    own: dict[str, Any] = {"reorder_and_upcast_attn": True, "n_embd": 32, **SIZES}
    return _study(GPT2Config(vocab_size=_vocabulary(), **own))


def _fixed_rows() -> mw.Study:
    """The model's output has as many rows as its ids had."""
    paths = mw.ModulePaths(
        blocks="transformer.h",
        attn_proj="attn.c_proj",
        mlp="mlp",
        norm_before_mlp="ln_2",
        final_norm="transformer.ln_f",
    )
    config = GPTBigCodeConfig(vocab_size=_vocabulary(), n_embd=32, **SIZES)
    return _study(config, paths=paths)


def _masks_of_truths() -> mw.Study:
    sizes: dict[str, Any] = {"d_model": 32, "n_heads": 4, "n_layers": 3}
    return _study(MptConfig(vocab_size=_vocabulary(), **sizes), paths=MPT)


@pytest.mark.parametrize(
    ("made", "asked", "words"),
    [
        (_sliced, lambda study: study.total, "ran past"),
        (_sliced, lambda study: study.sweep("head", progress=False), "existing size"),
        (_upcast, lambda study: study.total, "upcasting"),
        (_upcast, lambda study: study.sweep("head", progress=False), "upcasting"),
        (_fixed_rows, lambda study: study.sweep("head", progress=False), "invalid for input"),
        (_masks_of_truths, lambda study: study.intervene({EDGE: mw.Knockout()}), "boolean masks"),
    ],
)
def test_models_that_cannot_run_so_say_why(
    made: Callable[[], mw.Study], asked: Callable[[mw.Study], object], words: str
) -> None:
    study = made()
    with pytest.raises(Exception, match=words) as raised:
        asked(study)
    assert raised.value.__notes__ == [ASKED]
    assert error_fields(raised.value)["fix"] == ASKED


def _refusing(when: Callable[[], bool]) -> tuple[mw.Study, Any]:
    """A study of a model with a hook that fails, and the hook's handle."""
    module: Any = random_model("gpt2")
    study = mw.Study(mw.load(module, tokenizer=tokenizer_of("gpt2")), random_pair("gpt2", 0))

    def refuse(_m: nn.Module, _given: object, _made: object) -> None:
        if when():
            raise LookupError("a hook of mine")

    return study, module.transformer.h[1].register_forward_hook(refuse)


def test_what_a_hook_raises_is_raised_and_the_study_goes_on() -> None:
    study, handle = _refusing(lambda: True)
    asked: list[Callable[[], object]] = [
        lambda: study.sweep("head", progress=False),
        lambda: study.lm.next_tokens(study.contrast[0].clean),
    ]
    for ask in asked:
        with pytest.raises(LookupError, match="a hook of mine") as raised:
            ask()
        assert raised.value.__notes__ == [ASKED]
    handle.remove()
    expected = mw.Study(
        mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2")), study.contrast
    )
    found = study.sweep("head", progress=False).edited
    assert (found == expected.sweep("head", progress=False).edited).all()


@pytest.mark.parametrize(
    "asked",
    [
        lambda study: study.estimate("head"),
        mw.search.eap,
        lambda study: mw.search.masks(study, steps=2),
    ],
    ids=["estimate", "edges", "masks"],
)
def test_a_hook_that_fails_with_gradients_alone_has_the_note_too(
    asked: Callable[[mw.Study], object],
) -> None:
    study, _ = _refusing(torch.is_grad_enabled)
    with pytest.raises(LookupError, match="a hook of mine") as raised:
        asked(study)
    assert raised.value.__notes__ == [ASKED]
