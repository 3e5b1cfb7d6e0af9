"""A high-level causal model: variables that are functions of each other, run and interchanged."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import product
from typing import Any

from ..errors import MediationError, require

Values = Mapping[str, Any]
"""Of some variables, by name."""


@dataclass(frozen=True)
class CausalModel:
    """What a network might compute, as variables and how each follows from others.

    Args:
        inputs: what a prompt is made of: each with the values that it can have.
        variables: name to function; the names of a function's parameters are the variables that it
            reads, inputs or others.
        output: which variable is what the model says.

    Source: Geiger et al. 2021 (causal abstraction), 2023 (its theory).

    Example:
        >>> model = CausalModel(
        ...     {"x": (0, 1), "y": (0, 1), "z": (0, 1)},
        ...     {"both": lambda x, y: x and y, "out": lambda both, z: both or z}, "out")
        >>> model.run({"x": 1, "y": 1, "z": 0})["out"]
        1
        >>> model.interchange({"x": 1, "y": 1, "z": 0}, {"both": {"x": 0, "y": 1, "z": 0}})
        0
    """

    inputs: Mapping[str, Sequence[Any]]
    variables: Mapping[str, Callable[..., Any]]
    output: str

    def __post_init__(self) -> None:
        require(
            bool(self.inputs) and all(len(values) > 0 for values in self.inputs.values()),
            "A causal model has inputs, each with the values that it can have.",
            value=dict(self.inputs),
            expected="{'x': (0, 1), ...}",
            fix="CausalModel({'x': (0, 1)}, {'out': lambda x: 1 - x}, 'out')",
        )
        require(
            self.output in self.variables and not set(self.inputs) & set(self.variables),
            "The output is a variable, and no input is one.",
            value=f"output {self.output!r}; inputs {[*self.inputs]}; variables {[*self.variables]}",
            expected="names that differ, the output among the variables",
            fix="CausalModel({'x': (0, 1)}, {'out': lambda x: 1 - x}, 'out')",
        )
        object.__setattr__(self, "_order", self._ordered())

    @property
    def parents(self) -> Mapping[str, tuple[str, ...]]:
        """What each variable reads."""
        return {name: tuple(inspect.signature(f).parameters) for name, f in self.variables.items()}

    def run(self, inputs: Values, do: Values | None = None) -> dict[str, Any]:
        """Every variable's value, inputs included.

        Args:
            inputs: a value of each input.
            do: what is set instead of computed.

        Raises:
            MediationError: an input is missing, or a name that the model does not have.
        """
        self._refuse(inputs, do or {})
        values = dict(inputs)
        for name in self._order:  # type: ignore[attr-defined]
            known = {parent: values[parent] for parent in self.parents[name]}
            values[name] = do[name] if do and name in do else self.variables[name](**known)
        return values

    def interchange(self, base: Values, sources: Mapping[str, Values]) -> Any:
        """The output on ``base`` when each named variable has the value it takes on its source."""
        do = {name: self.run(source)[name] for name, source in sources.items()}
        return self.run(base, do)[self.output]

    def settings(self) -> list[dict[str, Any]]:
        """Every combination of the inputs."""
        return [
            dict(zip(self.inputs, values, strict=True)) for values in product(*self.inputs.values())
        ]

    def _ordered(self) -> tuple[str, ...]:
        known = {*self.inputs, *self.variables}
        for name, parents in self.parents.items():
            unknown = [parent for parent in parents if parent not in known]
            require(
                not unknown,
                "A variable reads what the model does not have.",
                value=f"{name!r} reads {', '.join(unknown)}",
                expected="parameters named after inputs or variables: " + ", ".join(sorted(known)),
                fix="rename the parameter, or add the variable",
            )
        try:
            order = tuple(TopologicalSorter(self.parents).static_order())
        except CycleError as error:
            raise MediationError(
                "Variables read each other in a circle.",
                value=" reads ".join(reversed(error.args[1])),
                expected="variables that follow from the inputs",
                fix="take one of the circle's edges away",
            ) from error
        return tuple(name for name in order if name in self.variables)

    def _refuse(self, inputs: Values, do: Values) -> None:
        require(
            set(inputs) == set(self.inputs),
            "A run sets every input, and no other.",
            value=sorted(map(str, inputs)),
            expected=", ".join(self.inputs),
            fix="model.run({...}), one value for each input",
        )
        unknown = [name for name in do if name not in self.variables]
        require(
            not unknown,
            "There is no such variable to set.",
            value=", ".join(map(str, unknown)),
            expected="one of " + ", ".join(self.variables),
            fix="model.run(inputs, {'out': value})",
        )
