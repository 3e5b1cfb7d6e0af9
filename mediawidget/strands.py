"""Which rows are run of a pair, by what its answers are: single tokens, sets, several tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import MediationError
from .readouts import Readout
from .token_pairs import Strand, TokenPair

Gives = Literal["both", "answer", "wrong"]
_NAMES: tuple[Gives, Gives] = ("answer", "wrong")


@dataclass(frozen=True)
class Answer:
    """Ids of a token, of the members of a set, or of the tokens of an answer of several."""

    ids: tuple[int, ...]
    several: bool = False


def make_strands(
    pair: TokenPair, answers: tuple[Answer, Answer], readout: Readout, roles: Mapping[str, int]
) -> tuple[Strand, ...]:
    """One strand where both answers are read off one row, else one for each.

    Args:
        pair: the prompts, as yet without strands.
        answers: the answer and the wrong answer. If either has several tokens, both are fed to the
            model token by token (a single token being read at once), so that both are log
            probabilities of what follows the prompt.
        readout: where they are read.
        roles: names of positions in the clean prompt.

    Raises:
        MediationError: a position that is not there or has no partner, an answer of several tokens
            in the middle of a prompt or held against a set.
    """
    position = readout.at(len(pair), roles)
    places = (position, pair.partner(position, "clean"))
    if not any(answer.several for answer in answers):
        ids = (answers[0].ids, answers[1].ids)
        return (_strand(pair, places, "both", ids, readout),)
    for answer, name in zip(answers, _NAMES, strict=True):
        if len(answer.ids) > 1 and not answer.several:
            raise MediationError(
                "A set cannot be held against an answer of several tokens.",
                value=f"{name}={(pair.answer_token, pair.wrong_token)[_NAMES.index(name)]!r}",
                expected="sets of single tokens on both sides, or one text on both",
                fix=f"give {name} as one text",
            )
    if position != len(pair) - 1:
        raise MediationError(
            "An answer of several tokens follows the whole prompt.",
            value=f"position {position} of {len(pair)}",
            expected="the last position",
            fix="Readout(), or prompts that end where the answer begins",
        )
    return tuple(
        _strand(pair, places, name, (answer.ids,), readout)
        for answer, name in zip(answers, _NAMES, strict=True)
    )


def _strand(
    pair: TokenPair,
    places: tuple[int, int],
    gives: Gives,
    targets: tuple[tuple[int, ...], ...],
    readout: Readout,
) -> Strand:
    """One row: the prompt, and of a teacher-forced answer all but the last token after it."""
    fed = () if gives == "both" else targets[0][:-1]
    rows = (np.append(ids, np.array(fed, np.int64)) for ids in (pair.clean, pair.corrupt))
    clean, corrupt = rows
    more = ((len(pair.clean) + k, len(pair.corrupt) + k) for k in range(len(fed)))
    return Strand(
        clean,
        corrupt,
        tuple(places[0] + k for k in range(len(fed) + 1)),
        tuple(places[1] + k for k in range(len(fed) + 1)),
        gives,
        targets,
        readout.reduce,
        (*pair.alignment, *more),
        pair.sources,
    )
