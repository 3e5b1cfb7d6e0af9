"""Random models small enough to run cell by cell, with effects as large as a trained model's.

Sizes are odd on purpose (a transposed grid or a swapped head cannot hide), norms and biases are
random too, and the scales give logit differences and interactions of order 1 to 10.
"""

from __future__ import annotations

import copy
import math
from functools import lru_cache
from typing import Any

import torch
import transformers
from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
from tokenizers import models as token_models
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

import mediawidget as mw
from tests.small_configs import CONFIGS, OTHER_CONFIGS, ROTATED_CONFIGS

MPT = mw.ModulePaths(
    blocks="transformer.blocks",
    attn_proj="attn.out_proj",
    mlp="ffn.down_proj",
    norm_before_mlp="norm_2",
    final_norm="transformer.norm_f",
    attention="attn",
    tuple_output=True,
)
"""Where MPT, which the package does not know, keeps what is intervened on."""

_WORDS = """
ant bee cat dog eel fox gnu hen ibis jay kite lark mole newt owl pig quail rat seal toad
urchin vole wasp yak zebra amber brass coral dust ember flint grass hay iron jade kelp lime
"""
WORDS = tuple(_WORDS.split())
UNKNOWN = "<unk>"
START = "<s>"

KINDS = ("gpt2", "llama")
ALL_KINDS = tuple(CONFIGS)
OTHER_KINDS = tuple(OTHER_CONFIGS)
ROTATED_KINDS = tuple(ROTATED_CONFIGS)
MASK = "[MASK]"

#: These compute attention in single precision, whatever the precision of their weights.
SINGLE_PRECISION_ATTENTION = ("gpt_neo", "gptj")


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
    """GPT-2 as it comes, Llama with its beginning-of-sequence token, BERT with its mask."""
    return masking_tokenizer() if kind == "bert" else tokenizer(bos=kind == "llama")


@lru_cache
def masking_tokenizer() -> PreTrainedTokenizerFast:
    """The same words, and a mask."""
    wrapped = copy.deepcopy(tokenizer())
    wrapped.add_special_tokens({"mask_token": MASK})
    return wrapped


def random_model(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> PreTrainedModel:
    """A fresh copy, in eval mode, of the random model of that kind (of either list of kinds)."""
    model = copy.deepcopy(_made(kind, seed))
    nn.Module.to(model, dtype)
    nn.Module.eval(model)
    return model


def random_classifier(kind: str, pad: int | None = None) -> PreTrainedModel:
    """The decoder of that kind with three labels in the place of tokens, in double precision.

    ``pad`` is the token that it takes for padding; None where its config names none.
    """
    model_type, sizes = CONFIGS[kind]
    words = {"vocab_size": len(tokenizer_of(kind)), "bos_token_id": 0, "eos_token_id": 0}
    config = AutoConfig.for_model(model_type, pad_token_id=pad, num_labels=3, **words, **sizes)
    build: Any = AutoModelForSequenceClassification.from_config
    made = _filled(model_type, build(config).double(), 0)
    nn.Module.eval(made)
    return made


@lru_cache
def _made(kind: str, seed: int) -> PreTrainedModel:
    return _filled(*_blank(kind), seed)


def _filled(model_type: str, model: Any, seed: int) -> PreTrainedModel:
    """The model with random weights."""
    noise = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            draw = torch.randn(parameter.shape, generator=noise, dtype=torch.float64)
            parameter.copy_(_scaled(model_type, name, draw))
    made: PreTrainedModel = model
    return made


def _blank(kind: str) -> tuple[str, Any]:
    """A model's type, and a model as its class makes it."""
    words = {"vocab_size": len(tokenizer_of(kind)), "bos_token_id": 0, "eos_token_id": 0}
    if kind in OTHER_CONFIGS:
        name, sizes = OTHER_CONFIGS[kind]
        made_by: Any = getattr(transformers, name)
        config = made_by.config_class(pad_token_id=None, **words, **sizes)
        return config.model_type, made_by(config).double()
    model_type, sizes = (CONFIGS | ROTATED_CONFIGS)[kind]
    build: Any = AutoModelForCausalLM.from_config
    config = AutoConfig.for_model(model_type, pad_token_id=None, **words, **sizes)
    return model_type, build(config).double()


def _scaled(model_type: str, name: str, draw: Tensor) -> Tensor:
    if draw.dim() == 1:
        # Norms near 1, biases near 0, neither exactly, so that forgetting one shows. Gemma adds
        # the 1 itself.
        gain = 1.0 if name.endswith("weight") and not model_type.startswith("gemma") else 0.0
        return gain + 0.2 * draw
    if "wte" in name or "embed" in name or "lm_head" in name:
        return draw
    # GPT-2 keeps (in, out), all others (out, in).
    fan_in = draw.shape[0 if model_type == "gpt2" and "c_" in name else -1]
    return draw * (1.6 / math.sqrt(fan_in))
