"""What is measured on: a random model of GPT-2 small's shape, and fresh pairs of prompts."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers import models as token_models
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

import mediawidget as mw

N_TOKENS = 15
"""Tokens in a prompt, the start token included."""


@dataclass(frozen=True)
class Subject:
    """A model of transformers and the words it reads, one token each."""

    hf: GPT2LMHeadModel
    tokenizer: PreTrainedTokenizerFast

    def pair(self, first_difference: int, rng: random.Random) -> mw.PromptPair:
        """Two random prompts that differ at one position, counted with the start token at 0."""
        clean = rng.sample(range(1, self.hf.config.vocab_size), N_TOKENS + 2)
        answer, wrong, *words = (f"w{i}" for i in clean)
        other = [*words]
        other[first_difference - 1] = answer
        return mw.PromptPair(
            " ".join(words[: N_TOKENS - 1]), " ".join(other[: N_TOKENS - 1]), answer, wrong
        )


def make(config: GPT2Config | None = None) -> Subject:
    """A float32 model with weights from seed 0; by default GPT-2 small's sizes, 124M weights."""
    torch.manual_seed(0)
    config = config or GPT2Config()
    model = GPT2LMHeadModel(config)
    torch.nn.Module.eval(model)
    return Subject(model, _tokenizer(config.vocab_size))


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    """``w1`` is token 1, and so on; token 0 is the start token, put before every prompt."""
    start = "<s>"
    words = {start: 0} | {f"w{i}": i for i in range(1, size)}
    core = Tokenizer(token_models.WordLevel(words, unk_token=start))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.decoder = decoders.Fuse()
    core.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", special_tokens=[(start, 0)]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, bos_token=start, eos_token=start
    )
