"""Arithmetic: what do two numbers make?"""

from __future__ import annotations

import operator as operators
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Literal, NamedTuple, get_args

from ..errors import MediationError
from ..prompts import Contrast, PromptPair
from ._draw import check_choice, check_count, collect
from ._fit import Fit, fit, one_token_words
from ._text import HasTokens, fill_text

Operator = Literal["+", "-", "*"]
Corruption = Literal["both", "first", "second"]

_APPLY: dict[str, Callable[[int, int], int]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
}
NUMBERS = tuple(str(number) for number in range(100))

_LEAST = 10

#: With and without spaces, for there are tokenizers whose numbers carry one and others.
_FRAMES = {" ": "{first} {operator} {second} =", "": "{first}{operator}{second}="}


class _Words(NamedTuple):
    first: str
    second: str
    other_first: str
    other_second: str

    def results(self, operator: Operator) -> tuple[int, int]:
        """Of the clean and of the corrupt prompt."""
        first, second, other_first, other_second = map(int, self)
        apply = _APPLY[operator]
        return apply(first, second), apply(other_first, other_second)


def arithmetic(
    lm: HasTokens,
    n: int = 64,
    seed: int = 0,
    operator: Operator = "+",
    corruption: Corruption = "both",
) -> Contrast:
    """Prompts such as "17 + 25 =" -> 42, whose corrupt prompt has other numbers.

    Numbers go from 0 to 99, results are not negative, and every number is one token. All pairs
    have four tokens besides the start token, and their roles lie alike. After Stolfo et al.
    (2023).

    Args:
        lm: the model whose tokenizer the prompts must suit; only ``lm.tokens`` is used. Where its
            numbers carry no space, the prompts have none: "17+25=".
        n: number of pairs.
        seed: the same seed, tokenizer and options give the same pairs.
        operator: "+", "-" or "*".
        corruption: which numbers differ in the corrupt prompt: the "first", the "second", or
            "both".

    Returns:
        A contrast with the roles first, operator, second and END (the equals sign); ``dropped``
        counts drawn pairs of which a result is several tokens.

    Raises:
        MediationError: an unknown option, the tokenizer has no such operator, or too few numbers
            are single tokens.
    """
    check_count(lm, n, seed)
    check_choice("operator", operator, get_args(Operator))
    check_choice("corruption", corruption, get_args(Corruption))
    space, good = _read(lm, operator)
    sample = dict.fromkeys(("first", "second"), min(good)) | {"operator": operator}
    fitting = fit(lm, [_FRAMES[space]], sample)
    prompt = fill_text(_FRAMES[space], sample).text
    rng = Random(int(seed))
    follows: dict[int, bool] = {}

    def build(words: _Words) -> PromptPair | None:
        results = words.results(operator)
        for result in results:
            follows.setdefault(result, _follows(lm, prompt, f"{space}{result}"))
        known = all(follows[result] for result in results)
        return _pair(fitting, words, operator) if known else None

    return collect(
        f"arithmetic, {operator}",
        n,
        lambda _: _draw_words(rng, sorted(good), operator, corruption),
        build,
    )


def _draw_words(
    rng: Random, numbers: Sequence[str], operator: Operator, corruption: Corruption
) -> _Words:
    """Numbers whose results differ and are not negative; many are such, so this ends soon."""
    while True:
        first, second, other_first, other_second = rng.choices(numbers, k=4)
        if corruption == "first":
            other_second = second
        elif corruption == "second":
            other_first = first
        words = _Words(first, second, other_first, other_second)
        clean, corrupt = words.results(operator)
        if clean != corrupt and min(clean, corrupt) >= 0:
            return words


def _pair(fitting: Fit, words: _Words, operator: Operator) -> PromptPair | None:
    (frame,) = fitting.frames
    slots = {"first": words.first, "operator": operator, "second": words.second}
    other = {"first": words.other_first, "second": words.other_second}
    clean = fill_text(frame, slots)
    answer, wrong = map(str, words.results(operator))
    return fitting.pair(
        clean,
        fill_text(frame, slots | other),
        (answer, wrong),
        {slot: clean.span(slot) for slot in slots},
    )


def _read(lm: HasTokens, operator: Operator) -> tuple[str, set[str]]:
    """What stands between numbers and signs, and the numbers that are one token there."""
    found = {space: _numbers(lm, frame, operator) for space, frame in _FRAMES.items()}
    space = next((space for space, good in found.items() if len(good) >= _LEAST), " ")
    return space, one_token_words(
        lm, "numbers", NUMBERS, _LEAST, lambda _, number: number in found[space]
    )


def _numbers(lm: HasTokens, frame: str, operator: Operator) -> set[str]:
    """The numbers that are one token in both places of a prompt of four.

    Raises:
        MediationError: the tokenizer knows numbers and no such sign.
    """
    alone: dict[str, int] = {}
    prompts: dict[str, int] = {}
    for number in NUMBERS:
        with suppress(MediationError):
            alone[number] = len(lm.tokens(number))
    for number in alone:
        text = fill_text(frame, {"first": number, "operator": operator, "second": number}).text
        try:
            prompts[number] = len(lm.tokens(text))
        except MediationError as error:
            raise MediationError(
                "The tokenizer does not know the signs of arithmetic.",
                value=f"{text!r}: {error.value}",
                expected=f"{operator!r} and '=' in the vocabulary",
                fix="choose another operator, or another task",
            ) from error
    start = min(alone.values(), default=0)
    # The operator, the second number and the equals sign are a token each, at the least.
    return {number for number in alone if prompts[number] == start + 3}


def _follows(lm: HasTokens, prompt: str, answer: str) -> bool:
    """Whether the answer is one token after the prompt, whose own tokens stay as they are."""
    try:
        before, after = lm.tokens(prompt), lm.tokens(prompt + answer)
    except MediationError:
        return False
    return after[:-1] == before
