"""Text to token ids, with every mistake that a pair of prompts can hold said in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .answer_ids import AnswerEncoder, Reads
from .errors import MediationError, require
from .pooling import pooled_at
from .prompts import PromptPair
from .readouts import Readout
from .strands import Answer, make_strands
from .token_pairs import Strand, TokenPair, align, first_difference, refuse_unequal
from .unreadable import (
    no_decoder,
    refuse_alike,
    refuse_end_of_its_own,
    refuse_inputs,
    refuse_kept_roles,
    refuse_no_embedding,
    refuse_two_starts,
    refuse_unknown_words,
)

__all__ = ["Encoder", "Reads", "Strand", "TokenPair"]


class Encoder(AnswerEncoder):
    """A tokenizer with manners.

    Args:
        tokenizer: of transformers.
        max_positions: the longest prompt the model reads, None for no limit.
        labels: of a sequence classifier, label -> index: its answers are labels, not tokens.
        reads: where a readout without a position reads: the "last" token of a prompt, its "first"
            one, or the one in whose place the "mask" stands.
        start: the token that a decoder beside an encoder begins with; None for any other model.
        vocabulary: how many tokens the model has; None where nobody knows.
        padding: says which token a classifier that reads the last one takes for none, if any.
    """

    def __init__(
        self,
        tokenizer: Any,
        max_positions: int | None = None,
        labels: Mapping[str, int] | None = None,
        *,
        reads: Reads = "last",
        start: int | None = None,
        vocabulary: int | None = None,
        padding: Callable[[], int | None] = lambda: None,
    ) -> None:
        super().__init__(tokenizer, labels, reads=reads)
        self.max_positions = max_positions
        self.start = start
        self.vocabulary = vocabulary
        self.padding = padding

    def ids(self, text: str) -> list[int]:
        """Token ids, with the beginning-of-sequence token wherever the tokenizer puts one.

        Raises:
            MediationError: the prompt is longer than the model reads, or holds an unknown word, or
                begins with the token that the tokenizer puts before it, or the tokenizer ends it by
                a token of its own, or has tokens that the model has not.
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
        if ids[:1] == ids[1:2]:
            refuse_two_starts(self.tokenizer, ids, self._plain(text), text)
        refuse_unknown_words(self.tokenizer, ids, text)
        self._refuse_unembedded(ids)
        follows = self.reads == "last" and self.labels is None and self.start is None
        if follows and ids[-1] in self.tokenizer.all_special_ids:
            refuse_end_of_its_own(self.tokenizer, ids, self._plain(text))
        self._refuse_long(len(ids))
        return ids

    def tokens(self, text: str) -> list[str]:
        """The prompt as the model's tokens, a string each, spaces kept."""
        return [self.token(i) for i in self.ids(text)]

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
            MediationError: what is refused, no pair of prompts, equal prompts, answers that are
                read alike, a position that is not there or at which a classifier does not answer,
                roles of the other prompt, and what ``ids`` and ``answer`` raise.
        """
        refuse_inputs(pair)
        clean, corrupt = self.ids(pair.clean), self.ids(pair.corrupt)
        _refuse_one_prompt(pair, clean, corrupt)
        sources, before = None, pair.clean
        if self.start is not None:
            sources, before = (np.array(clean), np.array(corrupt)), pair.decoder
            clean = corrupt = self.begun(before)
        elif pair.decoder:
            raise no_decoder(pair)
        clean_tokens, corrupt_tokens = self._shown(clean), self._shown(corrupt)
        if equal:
            refuse_unequal(clean_tokens, corrupt_tokens)
        refuse_kept_roles(pair, clean, corrupt)
        before = self._read_after(pair, clean, before, readout)
        answers = self._both_answers(pair, before, single=single)
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
        reading = self._reading(encoded, readout or Readout(), pair.roles)
        strands = make_strands(encoded, answers, reading, pair.roles)
        self._refuse_long(max(max(len(s.clean), len(s.corrupt)) for s in strands))
        return replace(encoded, strands=strands)

    def pairs(self, pairs: Sequence[PromptPair], readout: Readout | None = None) -> list[TokenPair]:
        """Every pair, of any lengths and answers; the first mistake names its pair."""
        try:
            several = list(pairs)
        except TypeError:
            raise _no_pairs(pairs) from None
        encoded = []
        for index, pair in enumerate(several):
            try:
                encoded.append(self.pair(pair, readout, equal=False, single=False))
            except MediationError as error:
                if len(several) == 1:
                    raise
                raise MediationError(
                    f"Pair {index}: {error.message}",
                    value=error.value,
                    expected=error.expected,
                    fix=error.fix,
                ) from error
        return encoded

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

    def _both_answers(
        self, pair: PromptPair, before: str, *, single: bool
    ) -> tuple[Answer, Answer]:
        """The answer and the wrong one, where they follow the text ``before``."""
        answers = (
            self.answers(pair.answers, "answer", before, single=single),
            self.answers(pair.wrongs, "wrong", before, single=single),
        )
        refuse_alike(pair, *answers)
        if self.labels is None:
            self._refuse_unembedded([i for answer in answers for i in answer.ids])
        return answers

    def _read_after(
        self, pair: PromptPair, ids: list[int], whole: str, readout: Readout | None
    ) -> str:
        """The text that the answers follow: all of it, or up to where they are read."""
        if readout is None or readout.position is None:
            return whole
        at = readout.at(len(ids), pair.roles)
        return whole if at == len(ids) - 1 else self.text_before(ids[: at + 1])

    def _refuse_unembedded(self, ids: Sequence[int]) -> None:
        if self.vocabulary is not None:
            refuse_no_embedding(self.tokenizer, ids, self.vocabulary)

    def _reading(self, pair: TokenPair, readout: Readout, roles: Mapping[str, int]) -> Readout:
        """Where a pair is read: where the readout says, else where this model answers."""
        if self.labels is not None:
            return self._classified(pair, readout, roles)
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

    def _classified(self, pair: TokenPair, readout: Readout, roles: Mapping[str, int]) -> Readout:
        """The position at which a classifier answers, which is its own choice."""
        clean = corrupt = 0
        if self.reads == "last":
            pad = self.padding()
            clean, corrupt = (pooled_at(ids.tolist(), pad) for ids in (pair.clean, pair.corrupt))
        if readout.position is not None and readout.at(len(pair), roles) != clean:
            raise MediationError(
                "A classifier answers at a position of its own.",
                value=f"position {readout.position!r}",
                expected=f"no position, for it answers at {clean} {pair.clean_tokens[clean]!r}",
                fix="mw.Study(..., readout=mw.Readout())",
            )
        if self.reads == "last" and (clean, corrupt) not in pair.alignment:
            by_hand = f"PromptPair(..., alignment=[({clean}, {corrupt}), ...])"
            alike = "end both prompts, or neither, with the token that stands for padding"
            raise MediationError(
                "The positions at which the classifier answers are no partners.",
                value=f"position {clean} of the clean prompt, {corrupt} of the corrupt one: the "
                f"last token of each but padding (id {self.padding()})",
                expected="prompts that are aligned where they are read",
                fix=alike if len(pair.clean) == len(pair.corrupt) else by_hand,
            )
        return replace(readout, position=clean)

    def _refuse_long(self, n_tokens: int) -> None:
        if self.max_positions is not None and n_tokens > self.max_positions:
            raise MediationError(
                "The prompt is longer than the model reads.",
                value=f"{n_tokens} tokens",
                expected=f"at most {self.max_positions}",
                fix="shorten the prompt",
            )


def _refuse_one_prompt(pair: PromptPair, clean: Sequence[int], corrupt: Sequence[int]) -> None:
    if clean == corrupt:
        raise MediationError(
            "The tokenizer reads both prompts alike, so there is no effect to mediate.",
            value=f"{pair.clean!r} and {pair.corrupt!r}",
            expected="prompts that differ in a token",
            fix="change the word whose influence you study in `corrupt`",
        )


def _no_pairs(given: object) -> MediationError:
    return MediationError(
        "Pairs of prompts are several.",
        value=repr(given)[:200],
        expected="a list of PromptPair, or a contrast",
        fix="lm.encode([pair])",
    )
