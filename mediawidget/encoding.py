"""Text to token ids, with every mistake that a pair of prompts can hold said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from .answers import shown
from .errors import MediationError, require
from .prompts import PromptPair
from .readouts import Readout, token_of
from .strands import Answer, make_strands
from .token_pairs import Strand, TokenPair, align, first_difference, refuse_unequal
from .unreadable import (
    no_decoder,
    refuse_alike,
    refuse_unknown_words,
    shown_token,
    unknown_answer,
)

__all__ = ["Encoder", "Reads", "Strand", "TokenPair"]

Reads = Literal["last", "first", "mask"]


class Encoder:
    """A tokenizer with manners.

    Args:
        tokenizer: of transformers.
        max_positions: the longest prompt the model reads, None for no limit.
        labels: of a sequence classifier, label -> index: its answers are labels, not tokens.
        reads: where a readout without a position reads: the "last" token of a prompt, its "first"
            one, or the one in whose place the "mask" stands.
        start: the token that a decoder beside an encoder begins with; None for any other model.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_positions: int | None = None,
        labels: Mapping[str, int] | None = None,
        *,
        reads: Reads = "last",
        start: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.max_positions = max_positions
        self.labels = labels
        self.reads = reads
        self.start = start

    def ids(self, text: str) -> list[int]:
        """Token ids, with the beginning-of-sequence token wherever the tokenizer puts one.

        Raises:
            MediationError: the prompt is longer than the model reads, or holds an unknown word.
        """
        given: object = text
        require(
            isinstance(given, str) and bool(given),
            "A prompt is text.",
            value=text,
            expected="a string that is not empty",
            fix="lm.tokens('The sky is')",
        )
        ids = [int(i) for i in self.tokenizer(text)["input_ids"]]
        require(
            bool(ids),
            "The tokenizer reads nothing in this prompt.",
            value=text,
            expected="a text of at least one token",
            fix="lm.tokens(text) shows how a text is read",
        )
        refuse_unknown_words(self.tokenizer, ids, text)
        self._refuse_long(len(ids))
        return ids

    def tokens(self, text: str) -> list[str]:
        """The prompt as the model's tokens, a string each, spaces kept."""
        return [self.token(i) for i in self.ids(text)]

    def token(self, token_id: int) -> str:
        """One token as text."""
        return shown_token(self.tokenizer, token_id)

    def answer(self, text: str, field: str) -> int:
        """The id of an answer: one token, with a leading space if that makes it one.

        Of a classifier the index of a label, given by its name or as a number.

        Raises:
            MediationError: the tokenizer does not know it, or needs several tokens for it.
        """
        if self.labels is not None:
            return self._label(text, field)
        tries = [self._plain(candidate) for candidate in dict.fromkeys((_spaced(text), text))]
        for ids in tries:
            if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
                return ids[0]
        if any(self.tokenizer.unk_token_id in ids for ids in tries):
            raise unknown_answer(text, field)
        pieces = [self.token(i) for i in tries[0]]
        raise MediationError(
            "The answer is several tokens.",
            value=f"{field}={text!r} is {pieces}",
            expected="one token",
            fix=f"use its first token that tells the answers apart, e.g. {pieces[:1]}",
        )

    def answers(
        self, texts: Sequence[str], field: str, prompt: str, *, single: bool = False
    ) -> Answer:
        """The ids of an answer: of one text, of its several tokens after the prompt, or of a set.

        Raises:
            MediationError: what ``answer`` raises, and a set whose members are no single tokens.
        """
        if len(texts) == 1:
            try:
                return Answer((self.answer(texts[0], field),))
            except MediationError:
                one = single or self.labels is not None or self.reads != "last"
                ids = () if one else self._after(prompt, texts[0])
                if not ids:
                    raise
                if self.tokenizer.unk_token_id in ids:
                    raise unknown_answer(texts[0], field) from None
                return Answer(ids, several=len(ids) > 1)
        if single:
            raise MediationError(
                "The answer is a set of tokens.",
                value=f"{field}={list(texts)!r}",
                expected="one token",
                fix="name one of them",
            )
        return Answer(tuple(self._member(text, field) for text in texts))

    def column_ids(self, columns: Sequence[str]) -> dict[str, int]:
        """Column -> token id, for the columns that are one token's logit.

        Raises:
            MediationError: what ``answer`` raises.
        """
        tokens = {column: token_of(column) for column in columns}
        return {
            column: self.answer(token, "token")
            for column, token in tokens.items()
            if token is not None
        }

    def pair(
        self,
        pair: PromptPair,
        readout: Readout | None = None,
        *,
        equal: bool = True,
        single: bool = True,
    ) -> TokenPair:
        """Both prompts, both answers, and the rows they are read off.

        Args:
            pair: texts.
            readout: where they are read; default, where ``reads`` says.
            equal: refuse prompts of different token length.
            single: refuse answers that are sets or several tokens.

        Raises:
            MediationError: what is refused, equal prompts, answers that are read alike, a
                position that is not there, and what ``ids`` and ``answer`` raise.
        """
        clean, corrupt = self.ids(pair.clean), self.ids(pair.corrupt)
        if clean == corrupt:
            raise MediationError(
                "The tokenizer reads both prompts alike, so there is no effect to mediate.",
                value=f"{pair.clean!r} and {pair.corrupt!r}",
                expected="prompts that differ in a token",
                fix="change the word whose influence you study in `corrupt`",
            )
        sources, before = None, pair.clean
        if self.start is not None:
            sources, before = (np.array(clean), np.array(corrupt)), pair.decoder
            clean = corrupt = self.begun(before)
        elif pair.decoder:
            raise no_decoder(pair)
        clean_tokens, corrupt_tokens = self._shown(clean), self._shown(corrupt)
        if equal:
            refuse_unequal(clean_tokens, corrupt_tokens)
        answers = (
            self.answers(pair.answers, "answer", before, single=single),
            self.answers(pair.wrongs, "wrong", before, single=single),
        )
        refuse_alike(pair, *answers)
        alignment = align(clean, corrupt, pair.alignment)
        encoded = TokenPair(
            np.array(clean),
            np.array(corrupt),
            clean_tokens,
            corrupt_tokens,
            (answers[0].ids, answers[1].ids),
            self._text(answers[0]),
            self._text(answers[1]),
            0 if sources else first_difference(clean, corrupt),
            (),
            alignment,
            sources,
        )
        strands = make_strands(encoded, answers, self._reading(encoded, readout), pair.roles)
        self._refuse_long(max(max(len(s.clean), len(s.corrupt)) for s in strands))
        return replace(encoded, strands=strands)

    def begun(self, decoder: str) -> list[int]:
        """What a decoder beside an encoder has before its answer: its start token, and a text."""
        assert self.start is not None
        return [self.start, *(self._plain(decoder) if decoder else ())]

    def mask_in(self, ids: Sequence[int]) -> int:
        """The position of the mask in a prompt of a masked model.

        Raises:
            MediationError: there is none, or there are several.
        """
        mask = getattr(self.tokenizer, "mask_token_id", None)
        found = [i for i, token in enumerate(ids) if mask is not None and token == mask]
        if len(found) != 1:
            name = getattr(self.tokenizer, "mask_token", None) or "the mask"
            raise MediationError(
                "A masked model says what stands in the place of one mask.",
                value=f"{len(found)} in {''.join(self._shown(ids))!r}",
                expected=f"a prompt with one {name}",
                fix=f"put {name} where the answer belongs, or mw.Study(..., "
                "readout=mw.Readout(position=...))",
            )
        return found[0]

    # --- inside -----------------------------------------------------------------------------

    def _reading(self, pair: TokenPair, readout: Readout | None) -> Readout:
        """Where a pair is read: where the readout says, else where this model answers."""
        readout = readout or Readout()
        if readout.position is not None or self.reads == "last":
            return readout
        if self.reads == "first":
            return replace(readout, position=0)
        clean, corrupt = (self.mask_in(ids.tolist()) for ids in (pair.clean, pair.corrupt))
        if (clean, corrupt) not in pair.alignment:
            raise MediationError(
                "The masks of the two prompts are no partners.",
                value=f"position {clean} of the clean prompt, {corrupt} of the corrupt one",
                expected="prompts that are aligned at their masks",
                fix=f"PromptPair(..., alignment=[({clean}, {corrupt}), ...])",
            )
        return replace(readout, position=clean)

    def _member(self, text: str, field: str) -> int:
        try:
            return self.answer(text, field)
        except MediationError as error:
            raise MediationError(
                f"A set is made of single tokens. {error.message}",
                value=error.value,
                expected="members of one token each",
                fix=f"leave {text!r} out, or give it alone: {field}={text!r}",
            ) from error

    def _after(self, prompt: str, text: str) -> tuple[int, ...]:
        """The tokens of ``text`` where it follows the prompt, without a token fed in between.

        Some tokenizers put a space of their own before any text, so the words are read in their
        place and only if that changes the prompt's own tokens by themselves.
        """
        if not prompt:
            return tuple(self._plain(_spaced(text)))
        before, whole = self._plain(prompt), self._plain(prompt + _spaced(text))
        if whole[: len(before)] == before:
            return tuple(whole[len(before) :])
        return tuple(self._plain(_spaced(text)))

    def _text(self, answer: Answer) -> str:
        texts = self._shown(answer.ids)
        if self.labels is not None:
            names = {index: name for name, index in self.labels.items()}
            texts = tuple(names[index] for index in answer.ids)
        return "".join(texts) if answer.several else shown(texts)

    def _label(self, text: str, field: str) -> int:
        assert self.labels is not None
        by_number = {str(index): index for index in self.labels.values()}
        found = self.labels.get(text, by_number.get(text))
        if found is None:
            raise MediationError(
                "The classifier has no such label.",
                value=f"{field}={text!r}",
                expected=", ".join(f"{name} ({index})" for name, index in self.labels.items()),
                fix="name a label, or give its number as text",
            )
        return found

    def _shown(self, ids: Sequence[int]) -> tuple[str, ...]:
        return tuple(self.token(i) for i in ids)

    def _plain(self, text: str) -> list[int]:
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return [int(i) for i in ids]

    def _refuse_long(self, n_tokens: int) -> None:
        if self.max_positions is not None and n_tokens > self.max_positions:
            raise MediationError(
                "The prompt is longer than the model reads.",
                value=f"{n_tokens} tokens",
                expected=f"at most {self.max_positions}",
                fix="shorten the prompt",
            )


def _spaced(text: str) -> str:
    return text if text.startswith(" ") else " " + text
