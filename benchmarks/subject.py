"""What is measured on: random models, and fresh pairs of prompts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, pre_tokenizers, processors
from tokenizers import models as token_models
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    PreTrainedTokenizerFast,
)

import mediawidget as mw

LLAMA_8B = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32}
LLAMA_8B |= {"num_attention_heads": 32, "num_key_value_heads": 8, "vocab_size": 128256}


@dataclass(frozen=True)
class Subject:
    """A model of transformers, the words it reads, and our view of both."""

    name: str
    hf: Any
    tokenizer: Any
    lm: mw.LM

    def pair(self, first_difference: int, rng: random.Random, n_tokens: int = 15) -> mw.PromptPair:
        """Two random prompts that differ at one position, counted with the start token at 0."""
        clean = rng.sample(range(1, self.hf.config.vocab_size), n_tokens + 1)
        answer, wrong, *words = (f"w{i}" for i in clean)
        other = [*words]
        other[first_difference - 1] = answer
        return mw.PromptPair(" ".join(words), " ".join(other), answer, wrong)


def gpt2(**sizes: Any) -> Subject:
    """A float32 model with weights from seed 0; by default GPT-2 small's sizes, 124M weights."""
    return make("GPT-2 shape", GPT2Config(bos_token_id=0, eos_token_id=0, **sizes))


def llama(**sizes: Any) -> Subject:
    """The same of Llama's kind; by default the 8B model's sizes, in bfloat16."""
    config = LlamaConfig(bos_token_id=0, eos_token_id=0, pad_token_id=0, **(sizes or LLAMA_8B))
    return make("Llama shape", config, torch.float32 if sizes else torch.bfloat16)


def teaching() -> Subject:
    """The embedded model."""
    lm = mw.load()
    return Subject("teaching model", lm.hf, lm.tokenizer, lm)


def make(name: str, config: Any, dtype: torch.dtype = torch.float32) -> Subject:
    """A random model, made on the GPU if there is one."""
    torch.manual_seed(0)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=dtype
        )
    torch.nn.Module.eval(model)
    words = _tokenizer(config.vocab_size)
    return Subject(name, model, words, mw.load(model, tokenizer=words))


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
