"""Tokenizers of the hand-set models: a word is a token."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import models as token_models
from transformers import PreTrainedTokenizerFast

UNKNOWN = "<unk>"


def word_tokenizer(words: Sequence[str]) -> PreTrainedTokenizerFast:
    """One token a word, its id the word's index, shown with a leading space; nothing is added.

    Args:
        words: all different, ``<unk>`` last.
    """
    spaced = [f" {word}" for word in words]
    vocabulary = {word: index for index, word in enumerate(spaced)}
    core = Tokenizer(token_models.WordLevel(vocabulary, unk_token=spaced[-1]))
    core.normalizer = normalizers.Sequence(
        [normalizers.Strip(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Prepend(" ")]
    )
    core.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_next")
    core.decoder = decoders.Fuse()
    wrapped: PreTrainedTokenizerFast = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=core, unk_token=spaced[-1], clean_up_tokenization_spaces=False
    )
    return wrapped
