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
