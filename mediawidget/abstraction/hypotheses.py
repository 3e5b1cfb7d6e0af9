"""Hypotheses: that a site of the network carries some variables of a causal model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import require
from .causal_model import CausalModel, Values
from .given import names_of

NOTHING = "no change"
"""The rival that is always there: that the site carries nothing of what is asked about."""


@dataclass(frozen=True)
class Hypothesis:
    """That a site of the network carries some variables of a model.

    Args:
        model: what the network is held to compute.
        variables: one, or several that are interchanged together; an input may be one.

    Raises:
        MediationError: no causal model, no variables, or a variable that the model does not have.
    """

    model: CausalModel
    variables: tuple[str, ...]

    def __init__(self, model: CausalModel, variables: str | Sequence[str]) -> None:
        names = names_of(variables)
        given: object = model
        require(
            isinstance(given, CausalModel) and bool(names),
            "A hypothesis names variables of a causal model.",
            value=(model, variables),
            expected="a CausalModel, and a variable of it",
            fix="Hypothesis(model, 'pointer')",
        )
        model.refuse_unknown(names)
        object.__setattr__(self, "model", model)
        object.__setattr__(self, "variables", names)

    def predict(self, base: Values, sources: Sequence[Values]) -> Any:
        """The output on ``base`` when the variables are those of the sources, one for each.

        Args:
            base: a value for every input.
            sources: inputs for each variable, in their order; a single one is for all of them.

        Raises:
            MediationError: as many sources as neither one nor the variables, or what are no inputs.
        """
        given: object = sources
        require(
            isinstance(given, Sequence) and len(given) in (1, len(self.variables)),
            "Variables come from one source, or from a source each.",
            value=given,
            expected=f"a list of inputs, 1 or {len(self.variables)} of them",
            fix="hypothesis.predict(base, [source])",
        )
        each = sources if len(sources) > 1 else [sources[0]] * len(self.variables)
        return self.model.interchange(base, dict(zip(self.variables, each, strict=True)))

    @property
    def name(self) -> str:
        """Its variables, in words."""
        return " + ".join(self.variables)


Hypotheses = Mapping[str, "Hypothesis | tuple[CausalModel, str | Sequence[str]]"]
"""Rivals by name; a tuple is what ``Hypothesis`` is made of."""


def as_hypotheses(hypotheses: Hypotheses) -> dict[str, Hypothesis]:
    """Rivals by name, of the same inputs and the same plain output."""
    given: object = hypotheses
    require(
        isinstance(given, Mapping)
        and bool(given)
        and NOTHING not in given
        and all(isinstance(name, str) for name in given),
        "Hypotheses come by name.",
        value=given,
        expected=f"{{name: (model, variable)}}, no name being {NOTHING!r}",
        fix="{'pointer': (model, 'pointer'), 'payload': (model, 'payload')}",
    )
    for name, one in hypotheses.items():
        several: object = one
        require(
            isinstance(several, Hypothesis)
            or (isinstance(several, Sequence) and len(several) == 2),
            "A hypothesis names variables of a causal model.",
            value={name: one},
            expected="{name: (model, variable)}",
            fix="{'pointer': (model, 'pointer'), 'payload': (model, 'payload')}",
        )
    found = {
        name: one if isinstance(one, Hypothesis) else Hypothesis(*one)
        for name, one in hypotheses.items()
    }
    inputs = {tuple(one.model.inputs) for one in found.values()}
    require(
        len(inputs) == 1,
        "Rivals are about the same prompts.",
        value="; ".join(", ".join(names) for names in inputs),
        expected="models with the same inputs",
        fix="give both models the inputs that a prompt is made of",
    )
    return found
