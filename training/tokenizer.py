"""The word tokenizer of the teaching model.

Every token but the three special ones is a word with its leading space (`` Mary``) or a bare
punctuation mark (``,``). So ``decode([id])`` shows `` Mary`` as larger models' tokenizers do,
``"Mary"`` and ``" Mary"`` are the same token at the start of a text and inside it, and
``"store, John"`` and ``"store , John"`` give the same tokens. The price: a decoded text begins
with a space. A word outside the vocabulary becomes ``[UNK]``.
"""

from __future__ import annotations

from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from mediawidget.tasks.frames import PUNCTUATION, vocabulary

BOS, UNK, PAD = "[BOS]", "[UNK]", "[PAD]"


def token_of(word: str) -> str:
    """The vocabulary entry of a word or punctuation mark."""
    return word if word in PUNCTUATION else f" {word}"


def build_tokenizer(context: int) -> Any:
    """A tokenizer over the world's vocabulary that puts ``[BOS]`` before every text."""
    entries = [BOS, UNK, PAD, *(token_of(word) for word in vocabulary())]
    tokenizer = Tokenizer(
        models.WordLevel({entry: i for i, entry in enumerate(entries)}, unk_token=UNK)
    )
    marks = "[" + PUNCTUATION + "]"
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Strip(),
            normalizers.Prepend(" "),
            normalizers.Replace(Regex(r" (?=" + marks + ")"), ""),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(
        Regex(r" ?[^\s" + PUNCTUATION + "]+|" + marks), behavior="isolated"
    )
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BOS} $A", pair=f"{BOS} $A $B", special_tokens=[(BOS, 0)]
    )
    make: Any = PreTrainedTokenizerFast
    return make(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        unk_token=UNK,
        pad_token=PAD,
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )
