"""Gemma 3 as it reads images too: its language model is loaded, and answers as the whole does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

import mediawidget as mw
from tests.small_configs import CONFIGS
from tests.small_models import tokenizer_of

TOKENS = tokenizer_of("gemma3")
PAIR = mw.PromptPair("ant bee cat dog eel fox gnu", "ant bee owl dog eel fox gnu", "jay", "kite")


@pytest.fixture
def both() -> Any:
    """One that reads images too, in double precision."""
    words = {"vocab_size": len(TOKENS), "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    sizes = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=CONFIGS["gemma3"][1] | words,
        vision_config=sizes | {"num_hidden_layers": 1, "image_size": 28, "patch_size": 14},
        mm_tokens_per_image=4,
        image_token_index=0,
    )
    torch.manual_seed(0)
    made: Any = Gemma3ForConditionalGeneration(config).double()
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made


def differences(both: Any) -> list[float]:
    """The logit differences of the clean and the corrupt prompt, by the whole model itself."""
    answer, wrong = (TOKENS(f" {text}").input_ids[-1] for text in (PAIR.answer, PAIR.wrong))
    with torch.no_grad():
        logits = [both(torch.tensor([TOKENS(text).input_ids])).logits[0, -1] for text in texts()]
    return [float(one[answer] - one[wrong]) for one in logits]


def texts() -> tuple[str, str]:
    return PAIR.clean, PAIR.corrupt


def test_it_answers_as_the_whole(both: Any) -> None:
    study = mw.Study(mw.load(both, tokenizer=TOKENS), PAIR)
    assert not both.training
    clean, corrupt = differences(both)
    np.testing.assert_allclose([study.total["Y11"], study.total["Y00"]], [clean, corrupt])
    assert abs(clean - corrupt) > 0.1


def test_its_heads_are_those_of_the_whole(both: Any) -> None:
    study = mw.Study(mw.load(both, tokenizer=TOKENS), PAIR)
    effect = study.sweep("head", edit=mw.Zero(), progress=False)
    block, d_head = both.model.language_model.layers[1].self_attn, study.lm.d_head

    def zero(_module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
        z = args[0].clone()
        z[..., d_head : 2 * d_head] = 0
        return (z, *args[1:])

    handle = block.o_proj.register_forward_pre_hook(zero)
    edited = differences(both)
    handle.remove()
    np.testing.assert_allclose(effect.scores(effect.edited)[0, :, 1, 1], edited)
    assert not [check for check in effect.checks[1:] if check.ok is False]


def test_patterns_and_a_second_loading(both: Any) -> None:
    """Eager attention is switched on in the config that the blocks read."""
    first, second = (mw.Study(mw.load(both, tokenizer=TOKENS), PAIR) for _ in range(2))
    site = mw.Site("edge", 1, head=0, position=6, key=2)
    values = [float(one.intervene({site: mw.Knockout()})["clean"]) for one in (first, second)]
    assert values[0] == pytest.approx(values[1])
    assert abs(values[0]) > 1e-6
    assert float(first.total["Y11"]) == pytest.approx(differences(both)[0])


def test_it_is_loaded_from_where_it_is_saved(both: Any, tmp_path: Path) -> None:
    both.save_pretrained(tmp_path)
    TOKENS.save_pretrained(tmp_path)
    lm = mw.load(tmp_path, dtype=torch.float64)
    held = {name for name, _ in lm.hf.named_parameters()}
    assert not any("vision" in name for name in held)
    assert float(mw.Study(lm, PAIR).total["Y11"]) == pytest.approx(differences(both)[0])


def test_another_precision_leaves_the_callers_weights(both: Any) -> None:
    lm = mw.load(both, tokenizer=TOKENS, dtype=torch.float32)
    assert lm.dtype == torch.float32
    assert both.lm_head.weight.dtype == torch.float64


@pytest.mark.parametrize("where", ["", "model"])
def test_one_that_was_hooked_is_not_taken_apart(both: Any, where: str) -> None:
    both.get_submodule(where).register_forward_hook(lambda _module, _args, output: output)
    with pytest.raises(mw.MediationError, match="architecture are not known"):
        mw.load(both, tokenizer=TOKENS)


def test_on_a_server_it_is_refused(both: Any, tmp_path: Path) -> None:
    both.save_pretrained(tmp_path)
    TOKENS.save_pretrained(tmp_path)
    with pytest.raises(mw.MediationError, match="runs here alone"):
        mw.load(tmp_path, remote="http://127.0.0.1:9")
