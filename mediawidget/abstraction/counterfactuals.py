"""Pairs of inputs on which a variable's interchange has a predicted outcome."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import MediationError
from ..prompts import PromptPair
from .causal_model import CausalModel, Values

Render = Callable[[Values], str]
"""A prompt that has these inputs."""


@dataclass(frozen=True)
class Counterfactual:
    """A base, a source, and what the model predicts when variables are taken from the source.

    Attributes:
        base, source: inputs.
        variables: those that are interchanged.
        predicted: the output then.
        plain, other: the output on the base and on the source, nothing being interchanged.
    """

    base: Values
    source: Values
    variables: tuple[str, ...]
    predicted: Any
    plain: Any
    other: Any

    @property
    def telling(self) -> bool:
        """Whether the interchange changes what the base says; else doing nothing predicts it."""
        return bool(self.predicted != self.plain)


def counterfactuals(
    model: CausalModel,
    variables: str | Sequence[str],
    n: int = 64,
    *,
    seed: int = 0,
    telling: bool = True,
    where: Callable[[Counterfactual], bool] = lambda _: True,
) -> list[Counterfactual]:
    """Draw pairs of inputs, without repeats.

    Args:
        model: the hypothesis.
        variables: what is interchanged.
        n: how many pairs.
        seed: of the draw.
        telling: whether the interchange must change the output.
        where: which pairs are wanted, of those.

    Raises:
        MediationError: an unknown variable, or not so many pairs.
    """
    names = (variables,) if isinstance(variables, str) else tuple(variables)
    settings = model.settings()
    pairs = [(b, s) for b in range(len(settings)) for s in range(len(settings)) if b != s]
    random.Random(seed).shuffle(pairs)
    found: list[Counterfactual] = []
    for b, s in pairs:
        one = _counterfactual(model, settings[b], settings[s], names)
        if (one.telling or not telling) and where(one):
            found.append(one)
        if len(found) == n:
            return found
    raise MediationError(
        "There are not so many such pairs of inputs.",
        value=n,
        expected=f"at most {len(found)}",
        fix=f"n={len(found)}, or inputs with more values",
    )


def separating(
    first: CausalModel, second: CausalModel, variables: tuple[str, str], n: int, seed: int = 0
) -> list[tuple[Counterfactual, Counterfactual]]:
    """Pairs of inputs on which two hypotheses predict different outputs.

    Args:
        first, second: with the same inputs.
        variables: what is interchanged in each of them: the same place of the network.
        n, seed: as in ``counterfactuals``.
    """

    def other(one: Counterfactual) -> Counterfactual:
        return _counterfactual(second, one.base, one.source, (variables[1],))

    drawn = counterfactuals(
        first,
        variables[0],
        n,
        seed=seed,
        telling=False,
        where=lambda one: one.predicted != other(one).predicted,
    )
    return [(one, other(one)) for one in drawn]


def pairs_of(
    drawn: Sequence[Counterfactual], render: Render, answer: Callable[[Any], str] = str
) -> list[PromptPair]:
    """Counterfactuals as pairs of prompts: the corrupt one is the base, the clean one the source.

    The answer is what is predicted; the wrong answer is what the base says by itself, or, where
    that is the same, what the source says.
    """
    return [
        PromptPair(
            clean=render(one.source),
            corrupt=render(one.base),
            answer=answer(one.predicted),
            wrong=answer(one.plain if one.telling else one.other),
        )
        for one in drawn
    ]


def _counterfactual(
    model: CausalModel, base: Mapping[str, Any], source: Mapping[str, Any], names: tuple[str, ...]
) -> Counterfactual:
    return Counterfactual(
        base=base,
        source=source,
        variables=names,
        predicted=model.interchange(base, dict.fromkeys(names, source)),
        plain=model.run(base)[model.output],
        other=model.run(source)[model.output],
    )
