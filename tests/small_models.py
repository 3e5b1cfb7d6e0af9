"""Random models small enough to run cell by cell, with effects as large as a trained model's.

Sizes are odd on purpose (a transposed grid or a swapped head cannot hide), norms and biases are
random too, and the scales give logit differences and interactions of order 1 to 10.
"""

from __future__ import annotations

import copy
import math
from functools import lru_cache

import torch
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers import models as token_models
from torch import Tensor, nn
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

_WORDS = """
ant bee cat dog eel fox gnu hen ibis jay kite lark mole newt owl pig quail rat seal toad
urchin vole wasp yak zebra amber brass coral dust ember flint grass hay iron jade kelp lime
"""
WORDS = tuple(_WORDS.split())
UNKNOWN = "<unk>"
START = "<s>"

KINDS = ("gpt2", "llama")


@lru_cache
def tokenizer(bos: bool = False) -> PreTrainedTokenizerFast:
    """One token a word, shown with its leading space; ``bos`` puts ``<s>`` before every prompt."""
    words = [f" {word}" for word in WORDS]
    vocabulary = {word: i for i, word in enumerate([START, UNKNOWN, *words])}
    core = Tokenizer(token_models.WordLevel(vocabulary, unk_token=UNKNOWN))
    core.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Prepend(" ")]
    )
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    core.decoder = decoders.Fuse()
    if bos:
        core.post_processor = processors.TemplateProcessing(
            single=f"{START} $A", special_tokens=[(START, vocabulary[START])]
        )
    wrapped: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core,
        unk_token=UNKNOWN,
        bos_token=START,
        eos_token=START,
        clean_up_tokenization_spaces=False,
    )
    return wrapped


def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    """GPT-2 as it comes, Llama with its beginning-of-sequence token."""
    return tokenizer(bos=kind == "llama")


def random_model(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> PreTrainedModel:
    """A fresh copy, in eval mode, of the random model of that kind (``gpt2`` or ``llama``)."""
    model = copy.deepcopy(_made(kind, seed))
    nn.Module.to(model, dtype)
    nn.Module.eval(model)
    return model


@lru_cache
def _made(kind: str, seed: int) -> PreTrainedModel:
    model = {"gpt2": _gpt2, "llama": _llama}[kind]()
    noise = torch.Generator().manual_seed(seed)
    model = model.double()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            draw = torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
            parameter.copy_(_scaled(name, draw))
    return model


def _scaled(name: str, draw: Tensor) -> Tensor:
    if draw.dim() == 1:
        # Norms near 1, biases near 0, neither exactly, so that forgetting one shows.
        gain = 1.0 if name.endswith("weight") else 0.0
        return gain + 0.2 * draw
    if "wte" in name or "embed" in name or "lm_head" in name:
        return draw
    fan_in = draw.shape[0 if "c_" in name else 1]
    return draw * (1.6 / math.sqrt(fan_in))


def _gpt2() -> PreTrainedModel:
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(WORDS) + 2,
            n_positions=24,
            n_embd=24,
            n_layer=5,
            n_head=3,
            n_inner=40,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def _llama() -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(WORDS) + 2,
            hidden_size=30,
            intermediate_size=44,
            num_hidden_layers=5,
            num_attention_heads=6,
            num_key_value_heads=3,
            head_dim=10,
            max_position_embeddings=24,
            bos_token_id=0,
            eos_token_id=0,
            tie_word_embeddings=False,
        )
    )
