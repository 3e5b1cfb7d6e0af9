"""The causal model of lookbacks: what ``mw.models.lookback`` computes, and its rivals."""

from __future__ import annotations

from ..models._vocabulary import DRINKS, NAMES
from .causal_model import CausalModel
from .hypotheses import Hypothesis


def lookback() -> CausalModel:
    """Who has what: a pointer, 0 or 1, to one of two people, and the payload at it.

    ``mw.models.lookback_prompt`` renders its inputs, ``mw.models.lookback`` computes it.

    Source: Prakash et al. 2025.
    """
    return CausalModel(
        inputs={
            "first": NAMES,
            "first_drink": DRINKS,
            "second": NAMES,
            "second_drink": DRINKS,
            "asked": NAMES,
        },
        variables={
            "pointer": lambda second, asked: int(asked == second),
            "payload": lambda pointer, first_drink, second_drink: (
                second_drink if pointer else first_drink
            ),
        },
        output="payload",
        valid=lambda first, first_drink, second, second_drink, asked: (
            first != second and first_drink != second_drink and asked in (first, second)
        ),
    )


def lookback_hypotheses() -> dict[str, Hypothesis]:
    """The rivals about a site: that it carries the pointer, or the payload.

    Source: Prakash et al. 2025.
    """
    model = lookback()
    return {name: Hypothesis(model, name) for name in ("pointer", "payload")}
