"""High-level causal models and whether a network computes what they say: interchange, IIA.

Names are imported when they are first used: what runs no network (``CausalModel``,
``counterfactuals``, ``separating``) needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .accuracy import IIA, Rivals
    from .causal_model import CausalModel
    from .controlling import Controls, arbitrary, controls, random_weights
    from .drawing import (
        Counterfactual,
        counterfactual,
        counterfactuals,
        prompt_pair,
        refuse_alike,
        separating,
    )
    from .hypotheses import Hypothesis
    from .known import lookback, lookback_hypotheses
    from .measuring import iia, rivals

_HOMES = {
    "accuracy": ["IIA", "Rivals"],
    "causal_model": ["CausalModel"],
    "controlling": ["Controls", "arbitrary", "controls", "random_weights"],
    "drawing": [
        *("Counterfactual", "counterfactual", "counterfactuals"),
        *("prompt_pair", "refuse_alike", "separating"),
    ],
    "hypotheses": ["Hypothesis"],
    "known": ["lookback", "lookback_hypotheses"],
    "measuring": ["iia", "rivals"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "IIA",
    "CausalModel",
    "Controls",
    "Counterfactual",
    "Hypothesis",
    "Rivals",
    "arbitrary",
    "controls",
    "counterfactual",
    "counterfactuals",
    "iia",
    "lookback",
    "lookback_hypotheses",
    "prompt_pair",
    "random_weights",
    "refuse_alike",
    "rivals",
    "separating",
]


def __getattr__(name: str) -> Any:
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
