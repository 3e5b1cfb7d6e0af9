"""Names for positions, where the prompts of a contrast differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .encoding import TokenPair
from .prompts import Contrast


def position_names(contrast: Contrast, pairs: Sequence[TokenPair]) -> tuple[str, ...]:
    """A name per position: the token, the role where pairs differ, or the bare number.

    Empty where the prompts are of several lengths, for then positions have no common names, and
    where they are no prompts.
    """
    if not all(isinstance(pair, TokenPair) for pair in pairs):
        return ()
    if len({len(pair) for pair in pairs}) > 1:
        return ()
    return tuple(_name(contrast, pairs, position) for position in range(len(pairs[0])))


def common_roles(contrast: Contrast) -> tuple[str, ...]:
    """The roles that every pair names, in the order of the first."""
    first, *rest = (pair.roles for pair in contrast)
    return tuple(name for name in first if all(name in roles for roles in rest))


def _name(contrast: Contrast, pairs: Sequence[TokenPair], position: int) -> str:
    tokens = {pair.clean_tokens[position] for pair in pairs}
    if len(tokens) == 1:
        return tokens.pop()
    roles = (
        {role for role, at in pair.roles.items() if position in spanned(at)} for pair in contrast
    )
    return next(iter(sorted(set.intersection(*roles))), str(position))


def spanned(at: Any) -> tuple[int, ...]:
    """A role's positions: one, or a span of several."""
    return (at,) if isinstance(at, int) else tuple(at)
