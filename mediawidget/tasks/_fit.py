"""What a contrast needs to know of a tokenizer: which words are one token, and where they are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from ..errors import MediationError, require
from .world import Split, fill, join_words

_SHOWN = 12

MOST_PAIRS = 100_000

MOST_MISSES = 20_000
"""Draws in a row without a new pair, after which there is none to come."""


class HasTokens(Protocol):
    """The part of a language model that contrasts use."""

    def tokens(self, text: str) -> list[str]:
        """The text as tokens, the start token included."""
        ...


def is_one_token(lm: HasTokens, word: str) -> bool:
    """Whether the word is one known token inside a sentence."""
    try:
        return len(lm.tokens(f"the {word}")) == len(lm.tokens("the")) + 1
    except MediationError:
        return False


def one_token_words(lm: HasTokens, kind: str, words: Sequence[str], least: int) -> set[str]:
    """The words that are one token each.

    Raises:
        MediationError: fewer than ``least``; the words that are missing are named.
    """
    good = {word for word in words if is_one_token(lm, word)}
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


def frames_of_one_length(
    lm: HasTokens, frames: Iterable[str], slots: Mapping[str, str]
) -> list[str]:
    """The largest group of frames that take as many tokens when filled with ``slots``.

    Raises:
        MediationError: the tokenizer knows the words of no frame.
    """
    groups: dict[int, list[str]] = defaultdict(list)
    for frame in frames:
        try:
            length = len(lm.tokens(join_words(fill(frame, slots)[0])))
        except MediationError:
            continue
        groups[length].append(frame)
    if not groups:
        raise MediationError(
            "The tokenizer does not know the words of any sentence frame.",
            value=f"a frame such as {next(iter(frames))!r}",
            expected="a tokenizer of English words",
            fix="build a Contrast from PromptPairs in words this tokenizer has",
        )
    return max(groups.values(), key=len)


def position(lm: HasTokens, words: Sequence[str], index: int) -> int:
    """The position of the last token of ``words[index]``, the start token counted."""
    return len(lm.tokens(join_words(words[: index + 1]))) - 1


def check_count(lm: object, n: object, seed: object) -> None:
    """Refuse what has no tokens, a number of pairs below one, and a seed that is no number."""
    require(
        callable(getattr(lm, "tokens", None)),
        "A contrast is made for a model's tokenizer.",
        value=lm,
        expected="an LM",
        fix="lm = mw.load(); mw.tasks.ioi(lm)",
    )
    require(
        isinstance(seed, int) and not isinstance(seed, bool),
        "A seed is a whole number.",
        value=seed,
        expected="an int",
        fix="seed=0",
    )
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST_PAIRS:
        raise MediationError(
            "A contrast needs pairs.",
            value=f"n={n}",
            expected=f"an int from 1 to {MOST_PAIRS}",
            fix="n=64",
        )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Refuse an option that is not among the choices."""
    if not isinstance(value, str) or value not in choices:
        raise MediationError(
            f"There is no such {name}.",
            value=f"{name}={value!r}",
            expected=" or ".join(repr(choice) for choice in choices),
            fix=f"{name}={choices[0]!r}",
        )


SPLITS: tuple[Split, ...] = ("heldout", "train", "any")
