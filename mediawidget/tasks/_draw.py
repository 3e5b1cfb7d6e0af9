"""Pairs drawn one by one until there are enough, and the options that say how."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

import numpy as np

from ..errors import MediationError, require
from ..prompts import Contrast, PromptPair
from .world import Split

Recipe = TypeVar("Recipe", bound=Hashable)

MOST_PAIRS = 100_000

MOST_MISSES = 20_000
"""Draws in a row without a new pair, after which there is none to come."""

SPLITS: tuple[Split, ...] = ("heldout", "train", "any")


def collect(
    name: str,
    n: int,
    draw: Callable[[int], Recipe],
    build: Callable[[Recipe], PromptPair | None],
    key: Callable[[PromptPair], Hashable] = lambda pair: pair.clean,
) -> Contrast:
    """``n`` different pairs.

    Args:
        name: what the contrast is called.
        n: how many.
        draw: the words of the next pair, given how many pairs there are.
        build: the pair, or None where the tokenizer lacks its words: it is dropped, and counted.
        key: what no two pairs share; the clean prompt, unless told otherwise.

    Raises:
        MediationError: there are not that many different pairs.
    """
    pairs: dict[Hashable, PromptPair] = {}
    drawn: set[Hashable] = set()
    dropped = misses = 0
    while len(pairs) < n:
        if misses > MOST_MISSES:
            raise too_few(n, len(pairs))
        misses += 1
        recipe = draw(len(pairs))
        if recipe in drawn:
            continue
        drawn.add(recipe)
        pair = build(recipe)
        if pair is None:
            dropped += 1
        elif pairs.setdefault(key(pair), pair) is pair:
            misses = 0
    return Contrast(list(pairs.values()), name, dropped)


def too_few(n: int, found: int) -> MediationError:
    """What is said where fewer than ``n`` pairs were found."""
    return MediationError(
        "The tokenizer's words do not give that many different pairs.",
        value=f"n={n}",
        expected=f"at most about {found}" if found else "options under which there are any",
        fix=f"n={found}" if found else "leave the options out",
    )


def check_count(lm: object, n: object, seed: object) -> None:
    """Refuse what has no tokens, a number of pairs below one, and a seed below 0 or no int."""
    require(
        callable(getattr(lm, "tokens", None)),
        "A contrast is made for a model's tokenizer.",
        value=lm,
        expected="an LM",
        fix="lm = mw.load(); mw.tasks.ioi(lm)",
    )
    require(
        isinstance(seed, int | np.integer) and not isinstance(seed, bool) and bool(seed >= 0),
        "A seed is a whole number.",
        value=seed,
        expected="an int from 0",
        fix="seed=0",
    )
    whole = isinstance(n, int | np.integer) and not isinstance(n, bool)
    if not whole or not 1 <= n <= MOST_PAIRS:  # type: ignore[operator]
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
