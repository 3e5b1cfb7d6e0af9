"""What a contrast needs to know of a tokenizer: which words are one token, and where they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MediationError
from ..prompts import PromptPair
from ._text import Filled, HasTokens, Span, fill_text, places

_SHOWN = 12

Answer = str | Sequence[str]


def is_one_token(lm: HasTokens, word: str) -> bool:
    """Whether the word is one known token inside a sentence."""
    try:
        return len(lm.tokens(f"{word} {word}")) == len(lm.tokens(word)) + 1
    except MediationError:
        return False


def one_token_words(
    lm: HasTokens,
    kind: str,
    words: Sequence[str],
    least: int,
    is_one: Callable[[HasTokens, str], bool] = is_one_token,
) -> set[str]:
    """The words that are one token each.

    Args:
        lm: whose tokenizer is asked.
        kind: what the words are, for the error.
        words: the words.
        least: how many of them have to be.
        is_one: what makes a word one token; inside a sentence, unless told otherwise.

    Raises:
        MediationError: fewer than ``least``; the words that are missing are named.
    """
    good = {word for word in words if is_one(lm, word)}
    if len(good) < least:
        missing = [word for word in words if word not in good]
        more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise MediationError(
            f"The tokenizer has too few {kind} as single tokens.",
            value=f"{len(good)} of {len(words)}; missing: {', '.join(missing[:_SHOWN])}{more}",
            expected=f"at least {least}",
            fix="build a Contrast from PromptPairs whose words this tokenizer has",
        )
    return good


@dataclass(frozen=True)
class Fit:
    """Frames whose slots lie alike for one tokenizer, and how many tokens a filled one has."""

    lm: HasTokens
    frames: tuple[str, ...]
    length: int

    def pair(
        self,
        clean: Filled,
        corrupt: Filled,
        answers: tuple[Answer, Answer],
        roles: Mapping[str, Span],
        **names: Any,
    ) -> PromptPair | None:
        """A pair with its roles, END added.

        Args:
            clean: the prompt.
            corrupt: the other prompt.
            answers: the answer and the wrong answer.
            roles: where they stand in the clean text.
            **names: the pair's template and group.

        Returns:
            None where the words do not become as many tokens as they should.
        """
        if any(len(self.lm.tokens(one.text)) != self.length for one in (clean, corrupt)):
            return None
        found = places(self.lm, clean.text, roles)
        if found is None:
            return None
        at: dict[str, Any] = {**found, "END": self.length - 1}
        return PromptPair(clean.text, corrupt.text, *answers, roles=at, **names)


def fit(lm: HasTokens, frames: Iterable[str], sample: Mapping[str, str]) -> Fit:
    """The largest group of frames that become as many tokens, their slots at the same places.

    Args:
        lm: whose tokenizer is asked.
        frames: texts with ``{slots}``.
        sample: words to fill them with, as good as any others.

    Raises:
        MediationError: the tokenizer does not know the words of any frame, or has tokens that reach
            over the borders of slots.
    """
    alike: dict[tuple[Any, ...], list[str]] = defaultdict(list)
    unfit: list[MediationError] = []
    for frame in frames:
        filled = fill_text(frame, sample)
        spans = {f"{slot}{i}": s for slot, all_ in filled.spans.items() for i, s in enumerate(all_)}
        try:
            found = places(lm, filled.text, spans)
            tokens = lm.tokens(filled.text)
        except MediationError as error:
            unfit.append(_unfit("The tokenizer does not know", f"{filled.text!r}: {error.value}"))
            continue
        if found is None:
            unfit.append(_unfit("The tokenizer does not keep apart", "|".join(tokens)))
        else:
            alike[(len(tokens), *sorted(found.items()))].append(frame)
    if not alike:
        raise unfit[0]
    layout, group = max(alike.items(), key=lambda item: len(item[1]))
    return Fit(lm, tuple(group), int(layout[0]))


def _unfit(what: str, frame: str) -> MediationError:
    return MediationError(
        f"{what} the words of any sentence frame.",
        value=f"a sentence such as {frame}",
        expected="a tokenizer of English words",
        fix="build a Contrast from PromptPairs in words this tokenizer has",
    )
