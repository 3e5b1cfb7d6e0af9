"""Names for positions, where the prompts of a contrast differ."""

from __future__ import annotations

from collections.abc import Sequence

from .encoding import TokenPair
from .prompts import Contrast


def position_names(contrast: Contrast, pairs: Sequence[TokenPair]) -> tuple[str, ...]:
    """A name per position: the token, the role where pairs differ, or the bare number.

    Empty where the prompts are of several lengths, for then positions have no common names.
    """
    if len({len(pair) for pair in pairs}) > 1:
        return ()
    return tuple(_name(contrast, pairs, position) for position in range(len(pairs[0])))


def _name(contrast: Contrast, pairs: Sequence[TokenPair], position: int) -> str:
    tokens = {pair.clean_tokens[position] for pair in pairs}
    if len(tokens) == 1:
        return tokens.pop()
    roles = ({role for role, at in pair.roles.items() if at == position} for pair in contrast)
    return next(iter(sorted(set.intersection(*roles))), str(position))
