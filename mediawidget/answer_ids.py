"""Answers to token ids: one token, a set of them, several in a row, or a classifier's label."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from .answers import shown
from .errors import MediationError
from .readouts import token_of
from .spacing import as_read, follows_directly
from .strands import Answer
from .token_pairs import Strand
from .unreadable import shown_token, unknown_answer

Reads = Literal["last", "first", "mask"]


class AnswerEncoder:
    """A tokenizer that is asked for answers.

    Args:
        tokenizer: of transformers.
        labels: of a sequence classifier, label -> index: its answers are labels, not tokens.
        reads: where a readout without a position reads: the "last" token of a prompt, its "first"
            one, or the one in whose place the "mask" stands.
    """

    def __init__(
        self, tokenizer: Any, labels: Mapping[str, int] | None = None, *, reads: Reads = "last"
    ) -> None:
        self.tokenizer = tokenizer
        self.labels = labels
        self.reads = reads

    def token(self, token_id: int) -> str:
        """One token as text."""
        return shown_token(self.tokenizer, token_id)

    def answer(self, text: str, field: str, prompts: Iterable[str] = ("",)) -> int:
        """The id of an answer: one token, as it is behind all of the prompts; by default a word.

        Of a classifier the index of a label, given by its name or as a number.

        Raises:
            MediationError: the tokenizer does not know it, needs several tokens for it, or reads
                another one behind some of the prompts.
        """
        found = {self._single(text, field, one): one for one in self._telling(text, prompts)}
        if len(found) > 1:
            said = (f"{self.token(one)!r} behind {prompt!r}" for one, prompt in found.items())
            raise MediationError(
                "The answer is another token behind some prompts than behind others.",
                value=f"{field}={text!r}: {', '.join(said)}",
                expected="prompts that all have a space between them and the answer, or all none",
                fix="a study for each kind of prompts",
            )
        return next(iter(found))

    def answers(
        self, texts: Sequence[str], field: str, prompt: str, *, single: bool = False
    ) -> Answer:
        """The ids of an answer: of one text, of its several tokens after the prompt, or of a set.

        A space is put before a text, but not where the two are written without one.

        Raises:
            MediationError: what ``answer`` raises, and a set whose members are no single tokens.
        """
        if len(texts) == 1:
            try:
                return Answer((self._single(texts[0], field, prompt),))
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
        return Answer(tuple(self._member(text, field, prompt) for text in texts))

    def column_ids(self, columns: Sequence[str], strands: Sequence[Strand] = ()) -> dict[str, int]:
        """Column -> token id, for the columns that are one token's logit, where strands are read.

        Without strands those of words.

        Raises:
            MediationError: what ``answer`` raises.
        """
        asked = {column: token for column in columns if (token := token_of(column)) is not None}
        if not asked:
            return {}
        read = {self.text_before(one.clean[: one.reads[0] + 1].tolist()) for one in strands}
        prompts = sorted(read) or [""]
        return {column: self.answer(token, "token", prompts) for column, token in asked.items()}

    def text_before(self, ids: Sequence[int]) -> str:
        """The text that an answer follows that is read after these tokens."""
        text: str = self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text

    # --- inside -----------------------------------------------------------------------------

    def _telling(self, text: str, prompts: Iterable[str]) -> list[str]:
        """Those of the prompts behind which a text can be different tokens."""
        everyone = list(prompts)
        direct = [one for one in everyone if self.labels is None and self._direct(one, text)]
        return [*direct, *[one for one in everyone if one not in direct][:1]]

    def _single(self, text: str, field: str, prompt: str) -> int:
        """The one token that an answer is after the prompt, with a space if that makes it one."""
        if self.labels is not None:
            return self._label(text, field)
        if not self._direct(prompt, text):
            return self._word(text, field)
        ids = self._after(prompt, text)
        unknown = self.tokenizer.unk_token_id
        if len(ids) == 1 and ids[0] != unknown:
            return ids[0]
        raise unknown_answer(text, field) if unknown in ids else self._several(text, field, ids)

    def _word(self, text: str, field: str) -> int:
        tries = [self._plain(candidate) for candidate in dict.fromkeys((as_read("", text), text))]
        for ids in tries:
            if len(ids) == 1 and ids[0] != self.tokenizer.unk_token_id:
                return ids[0]
        if any(self.tokenizer.unk_token_id in ids for ids in tries):
            raise unknown_answer(text, field)
        raise self._several(text, field, tries[0])

    def _direct(self, prompt: str, text: str) -> bool:
        """Whether the answer is read without a space before it; a mask stands where it will."""
        return self.reads == "last" and follows_directly(prompt, text)

    def _several(self, text: str, field: str, ids: Sequence[int]) -> MediationError:
        pieces = [self.token(i) for i in ids]
        return MediationError(
            "The answer is several tokens.",
            value=f"{field}={text!r} is {pieces}",
            expected="one token",
            fix=f"use its first token that tells the answers apart, e.g. {pieces[:1]}",
        )

    def _member(self, text: str, field: str, prompt: str) -> int:
        try:
            return self._single(text, field, prompt)
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
        text = as_read(prompt, text)
        if prompt:
            before, whole = self._plain(prompt), self._plain(prompt + text)
            if whole[: len(before)] == before:
                return tuple(whole[len(before) :])
        return tuple(self._plain(text))

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
