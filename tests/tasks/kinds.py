"""Tokenizers of several kinds, made here, and what tests ask of pairs in their tokens."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, pre_tokenizers
from tokenizers import models as token_models
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

import mediawidget
from mediawidget.encoding import Encoder
from mediawidget.prompts import PromptPair
from mediawidget.tasks import _pronouns
from mediawidget.tasks.colored_objects import COLORS, THINGS
from mediawidget.tasks.colored_objects import FRAMES as COLOR_FRAMES
from mediawidget.tasks.docstring import DESCRIPTIONS, FUNCTIONS, PARAMETERS
from mediawidget.tasks.docstring import FRAMES as DOCSTRING_FRAMES
from mediawidget.tasks.frames import vocabulary

TEACHING = Path(mediawidget.__file__).parent / "models" / "teaching"

#: Words that ``pieces`` never read, so that they are several tokens.
UNREAD = (
    *("nurse", "Mary", "Fenway", "Lima", "keys", "siege", "path", "purple", "book"),
    *("83", "183"),
)

_WORD = re.compile(r"\w+|[^\w\s]")


@lru_cache
def all_words() -> tuple[str, ...]:
    """Every word and sign of every task, once."""
    frames = (*DOCSTRING_FRAMES, *COLOR_FRAMES, *_pronouns.FRAMES, "+ - * =")
    words = [
        *vocabulary(),
        *(word for frame in frames for word in _WORD.findall(re.sub(r"\{\w+\}", "", frame))),
        *(word for answers in _pronouns.FRAMES.values() for word in answers),
        *(*_pronouns.OTHERS, *_pronouns.PRONOUNS),
        *(*FUNCTIONS, *PARAMETERS, *DESCRIPTIONS, *COLORS, *THINGS),
        *(str(number) for number in range(200)),
    ]
    return tuple(dict.fromkeys(words))


@lru_cache
def teaching() -> Encoder:
    """Words with their leading space, and a start token."""
    return Encoder(AutoTokenizer.from_pretrained(TEACHING, local_files_only=True), 64)


@lru_cache
def pieces() -> Encoder:
    """Bytes merged to words, as GPT-2's: no start token, and what it never read is pieces."""
    core = Tokenizer(token_models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    trainer = BpeTrainer(
        vocab_size=20_000,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    read = [f"{word} {word}" for word in all_words() if word not in UNREAD]
    core.train_from_iterator(read * 2, trainer)
    return _encoder(core)


@lru_cache
def plain() -> Encoder:
    """Words and signs without spaces, and no start token."""
    vocabulary = {word: i for i, word in enumerate(["<unk>", *all_words()])}
    core = Tokenizer(token_models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = pre_tokenizers.Split(Regex(_WORD.pattern), "removed", invert=True)
    return _encoder(core, unk_token="<unk>")


KINDS = {"teaching": teaching, "pieces": pieces, "plain": plain}


def _encoder(core: Tokenizer, **special: str) -> Encoder:
    make: Any = PreTrainedTokenizerFast
    return Encoder(make(tokenizer_object=core, clean_up_tokenization_spaces=False, **special))


def at_roles(lm: Encoder, pair: PromptPair, text: str | None = None) -> dict[str, str]:
    """The words at a pair's roles, in its clean prompt or in another text."""
    tokens = lm.tokens(text or pair.clean)
    roles: dict[str, Any] = dict(pair.roles)
    spans = {role: (at,) if isinstance(at, int) else at for role, at in roles.items()}
    return {role: "".join(tokens[i] for i in at).strip() for role, at in spans.items()}


def differing(lm: Encoder, pair: PromptPair) -> set[int]:
    """The positions at which a pair's prompts have other tokens."""
    both = zip(lm.tokens(pair.clean), lm.tokens(pair.corrupt), strict=True)
    return {i for i, (a, b) in enumerate(both) if a != b}


def role_positions(pair: PromptPair, *names: str) -> set[int]:
    """All positions of some roles."""
    roles: dict[str, Any] = dict(pair.roles)
    spans = [(roles[n],) if isinstance(roles[n], int) else roles[n] for n in names]
    return {position for span in spans for position in span}
