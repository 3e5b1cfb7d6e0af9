"""What is read off a run: at which position, and which numbers are kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from .errors import MediationError, require

ANSWER, WRONG, LOGSUMEXP = range(3)
"""Where the base columns stand among the kept numbers, whatever else is kept."""

BASE_COLUMNS = ("answer", "wrong", "logsumexp")
"""Kept of every run, in natural-log units.

Single tokens: two logits and the logsumexp over the vocabulary. Sets: for each the logsumexp of
its members' logits, so that answer - wrong is the log odds between the sets and answer - logsumexp
the set's log probability. Answers of several tokens: sums (or means) of log probabilities, and a
logsumexp of 0, for they are normalised already.
"""

KL_CLEAN, KL_CORRUPT = "kl_clean", "kl_corrupt"
"""KL(P_base || P_run) in nats, over the next token at the first position that is read."""

RANK = "rank"
"""How many tokens have a larger logit than the answer, 0 for none; of a set, its best member."""

_LOGIT = "logit:"


def logit_column(token: str) -> str:
    """The column of one token's logit, as the user wrote the token: any text is a token."""
    return _LOGIT + token


def token_of(column: str) -> str | None:
    """The token of a ``logit_column``, None for another column."""
    return column.removeprefix(_LOGIT) if column.startswith(_LOGIT) else None


def joined(*wanted: Iterable[str]) -> tuple[str, ...]:
    """The columns to keep so that all of ``wanted`` are there: the base ones first, each once.

    Raises:
        MediationError: a column that nobody can read.

    Example:
        >>> joined(("answer",), ("rank",))
        ('answer', 'wrong', 'logsumexp', 'rank')
    """
    listed = [name for some in wanted for name in _names(some)]
    columns = tuple(dict.fromkeys([*BASE_COLUMNS, *listed]))
    for name in columns:
        if name not in (*BASE_COLUMNS, KL_CLEAN, KL_CORRUPT, RANK) and token_of(name) is None:
            raise MediationError(
                "There is no such column of kept numbers.",
                value=repr(name),
                expected=", ".join((*BASE_COLUMNS, KL_CLEAN, KL_CORRUPT, RANK, "logit:<token>")),
                fix="a token's logit is asked for by Function(fn, tokens=['Mary'])",
            )
    return columns


def _names(columns: object) -> list[str]:
    """A list of names, refused if it is none."""
    listed = isinstance(columns, list | tuple | Iterator)
    names = list(columns) if listed else []  # type: ignore[call-overload]
    require(
        listed and all(isinstance(name, str) for name in names),
        "Columns of kept numbers are named.",
        value=columns,
        expected="a tuple of names",
        fix="columns=('answer', 'wrong', 'logsumexp')",
    )
    return names


@dataclass(frozen=True)
class Readout:
    """Which next-token logits are read.

    Args:
        position: a position of the clean prompt (the beginning-of-sequence token counted, negative
            from the end) or the name of a role; None for the last position of each prompt, the
            mask of a masked model's, the one at which a classifier answers, which has no other.
            The logits read there are those of the token after it, or of what the mask stands for.
            In prompts of unequal length the corrupt prompt is read at the partner of this position.
        reduce: what an answer of several tokens is worth: the ``sum`` of its tokens' log
            probabilities (the log probability of the whole), or their ``mean``.

    Raises:
        MediationError: neither a position nor a role, or another ``reduce``.

    Example:
        >>> mw.Readout("S2").at(15, {"S2": 9})
        9
        >>> mw.Readout().at(15)
        14
    """

    position: int | str | None = None
    reduce: Literal["sum", "mean"] = "sum"

    def __post_init__(self) -> None:
        position: object = self.position
        whole = isinstance(position, int) and not isinstance(position, bool)
        if not (position is None or whole or (isinstance(position, str) and position)):
            raise MediationError(
                "A readout is at a position.",
                value=repr(position),
                expected="None for the last position, a whole number, or the name of a role",
                fix="Readout(position=9) or Readout(position='S2')",
            )
        reduce: object = self.reduce
        if not isinstance(reduce, str) or reduce not in ("sum", "mean"):
            raise MediationError(
                "An answer of several tokens is the sum or the mean of their log probabilities.",
                value=f"reduce={self.reduce!r}",
                expected="'sum' or 'mean'",
                fix="Readout(reduce='mean') where the answers have different numbers of tokens",
            )

    def at(self, n_positions: int, roles: Mapping[str, int] | None = None) -> int:
        """The position in a prompt of ``n_positions`` tokens, counted from 0.

        Args:
            n_positions: how many tokens the prompt has.
            roles: name -> position, of the pair.

        Raises:
            MediationError: out of range, or a role that the pair does not have.
        """
        if self.position is None:
            return n_positions - 1
        position = self._of_role(roles or {}) if isinstance(self.position, str) else self.position
        if not -n_positions <= position < n_positions:
            where = f"{self.position!r} at " if isinstance(self.position, str) else ""
            raise MediationError(
                "The prompt has no such position to read.",
                value=f"position {where}{position}",
                expected=f"0 to {n_positions - 1}, or -{n_positions} to -1 from the end",
                fix="lm.tokens(text) shows the positions; Readout() reads the last one",
            )
        return position % n_positions

    def _of_role(self, roles: Mapping[str, int]) -> int:
        assert isinstance(self.position, str)
        if self.position not in roles:
            raise MediationError(
                "The pair has no such role to read at.",
                value=repr(self.position),
                expected="one of " + ", ".join(sorted(roles)) if roles else "a pair with roles",
                fix=f"PromptPair(..., roles={{{self.position!r}: 9}}), or Readout(position=9)",
            )
        at: object = roles[self.position]
        if not isinstance(at, int):
            raise MediationError(
                "A readout is at one position, and this role is several.",
                value=f"{self.position!r}: {at!r}",
                expected="a role of one token",
                fix="Readout(position=9), or a role for the token to read at",
            )
        return at

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary; ``Readout(**data)`` reads it back."""
        return asdict(self)
