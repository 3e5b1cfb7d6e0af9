"""Text to token ids, with every mistake that a pair of prompts can hold said in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import MediationError
from .prompts import PromptPair


@dataclass(frozen=True)
class TokenPair:
    """A prompt pair as the model reads it.

    Attributes:
        clean, corrupt: token ids of equal length T.
        clean_tokens, corrupt_tokens: the same as text, a string per token.
        answer, wrong: token ids.
        answer_token, wrong_token: the same as text.
        first_difference: the first position at which the prompts differ.
    """

    clean: NDArray[np.int64]
    corrupt: NDArray[np.int64]
    clean_tokens: tuple[str, ...]
    corrupt_tokens: tuple[str, ...]
    answer: int
    wrong: int
    answer_token: str
    wrong_token: str
    first_difference: int

    def __len__(self) -> int:
        return len(self.clean)


class Encoder:
    """A tokenizer with manners.

    Args:
        tokenizer: of transformers.
        max_positions: the longest prompt the model reads, None for no limit.
    """

    def __init__(self, tokenizer: Any, max_positions: int | None = None) -> None:
        self.tokenizer = tokenizer
        self.max_positions = max_positions

    def ids(self, text: str) -> list[int]:
        """Token ids, with the beginning-of-sequence token wherever the tokenizer puts one.

        Raises:
            MediationError: the prompt is longer than the model reads, or holds an unknown word.
        """
        ids = [int(i) for i in self.tokenizer(text)["input_ids"]]
        self._refuse_unknown(ids, text)
        if self.max_positions is not None and len(ids) > self.max_positions:
            raise MediationError(
                "The prompt is longer than the model reads.",
                value=f"{len(ids)} tokens",
                expected=f"at most {self.max_positions}",
                fix="shorten the prompt",
            )
        return ids

    def tokens(self, text: str) -> list[str]:
        """The prompt as the model's tokens, a string each, spaces kept."""
        return [self.token(i) for i in self.ids(text)]

    def token(self, token_id: int) -> str:
        """One token as text."""
        return str(self.tokenizer.decode([token_id], clean_up_tokenization_spaces=False))

    def answer(self, text: str, field: str) -> int:
        """The id of an answer: one token, with a leading space if that makes it one.

        Raises:
            MediationError: the tokenizer does not know it, or needs several tokens for it.
        """
        spaced = text if text.startswith(" ") else " " + text
        tries = [self._plain(candidate) for candidate in dict.fromkeys((spaced, text))]
        for ids in tries:
            if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
                return ids[0]
        if any(self.tokenizer.unk_token_id in ids for ids in tries):
            raise MediationError(
                "The tokenizer does not know this answer.",
                value=f"{field}={text!r}",
                expected="a token of the model's vocabulary",
                fix="choose a word the model knows; lm.tokens(text) shows how it reads one",
            )
        pieces = [self.token(i) for i in tries[0]]
        raise MediationError(
            "The answer is several tokens.",
            value=f"{field}={text!r} is {pieces}",
            expected="one token",
            fix=f"use its first token that tells the answers apart, e.g. {pieces[:1]}",
        )

    def pair(self, pair: PromptPair) -> TokenPair:
        """Both prompts and both answers.

        Raises:
            MediationError: prompts of different token length, equal prompts, and what ``ids``
                and ``answer`` raise.
        """
        clean, corrupt = self.ids(pair.clean), self.ids(pair.corrupt)
        clean_tokens, corrupt_tokens = self._shown(clean), self._shown(corrupt)
        if len(clean) != len(corrupt):
            raise _unequal(clean_tokens, corrupt_tokens)
        first = _first_difference(clean, corrupt)
        if first == len(clean):
            raise MediationError(
                "The tokenizer reads both prompts alike, so there is no effect to mediate.",
                value=f"{pair.clean!r} and {pair.corrupt!r}",
                expected="prompts that differ in a token",
                fix="change the word whose influence you study in `corrupt`",
            )
        answer, wrong = self.answer(pair.answer, "answer"), self.answer(pair.wrong, "wrong")
        if answer == wrong:
            raise MediationError(
                "The tokenizer reads both answers alike.",
                value=f"answer={pair.answer!r}, wrong={pair.wrong!r}",
                expected="two different tokens",
                fix="choose another wrong answer",
            )
        return TokenPair(
            np.array(clean),
            np.array(corrupt),
            clean_tokens,
            corrupt_tokens,
            answer,
            wrong,
            self.token(answer),
            self.token(wrong),
            first,
        )

    def _shown(self, ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.token(i) for i in ids)

    def _plain(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [int(i) for i in ids]

    def _refuse_unknown(self, ids: Sequence[int], text: str) -> None:
        unknown = self.tokenizer.unk_token_id
        if unknown is None or unknown not in ids or unknown == self.tokenizer.bos_token_id:
            return
        known = [self.token(i).strip() for i in ids if i != unknown]
        words = [word for word in text.split() if word.strip(".,:;!?") not in known]
        raise MediationError(
            "The prompt has a word that the model does not know.",
            value=", ".join(repr(word) for word in words) or repr(text),
            expected="words of the model's vocabulary",
            fix="choose another word; lm.tokenizer.get_vocab() holds those it knows",
        )


def _first_difference(clean: Sequence[int], corrupt: Sequence[int]) -> int:
    shorter = min(len(clean), len(corrupt))
    return next((i for i in range(shorter) if clean[i] != corrupt[i]), shorter)


def _unequal(clean: Sequence[str], corrupt: Sequence[str]) -> MediationError:
    part = next(
        (i for i, (a, b) in enumerate(zip(clean, corrupt, strict=False)) if a != b),
        min(len(clean), len(corrupt)),
    )
    return MediationError(
        "The two prompts have different numbers of tokens.",
        value=f"clean {len(clean)}: {'|'.join(clean)}\n"
        f"            corrupt {len(corrupt)}: {'|'.join(corrupt)}\n"
        f"            they part at position {part}",
        expected="as many tokens in both, so that every position has a partner",
        fix="choose a replacement of as many tokens; lm.tokens(text) shows them",
    )
