"""A high-level causal model: variables that are functions of each other, run and interchanged."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

from ..errors import MediationError, is_one_of, require
from ..statistics.resampling import whole
from .given import is_sequence, refuse_no_function, refuse_no_mapping, refuse_no_value

Values = Mapping[str, Any]
"""Of some variables, by name."""

_BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_MODEL = "CausalModel({'x': (0, 1)}, {'out': lambda x: 1 - x}, 'out')"


@dataclass(frozen=True, eq=False)
class CausalModel:
    """What a network might compute, as variables and how each follows from others.

    Args:
        inputs: what a prompt is made of: each with the values that it can have, no two equal.
        variables: name to function; the names of a function's parameters are the variables that it
            reads, inputs or others. A parameter with a default is no variable. What is
            interchanged, drawn or said is a number, a text or a tuple.
        output: which variable is what the model says.
        valid: of which inputs there are prompts, a function of some inputs; default, of all.

    Raises:
        MediationError: no inputs or no output, an input that has a value twice, a variable that is
            no function, takes what it reads by name alone, reads what there is not, or follows
            from itself.

    Source: Geiger et al. 2021 (causal abstraction), 2023 (its theory).

    Example:
        >>> model = mw.abstraction.CausalModel(
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
    valid: Callable[..., bool] | None = None

    def __post_init__(self) -> None:
        _refuse_no_inputs(self.inputs)
        _refuse_repeats(self.inputs)
        _refuse_no_variables(self.variables)
        if self.valid is not None:
            refuse_no_function(self.valid, "valid", "inputs -> bool", "valid=lambda x: x > 0")
        require(
            is_one_of(self.output, self.variables) and not set(self.inputs) & set(self.variables),
            "The output is a variable, and no input is one.",
            value=f"output {self.output!r}; inputs {[*self.inputs]}; variables {[*self.variables]}",
            expected="names that differ, the output among the variables",
            fix=_MODEL,
        )
        for name, parents in (*self.parents.items(), ("valid", self._valid_reads)):
            known = self.inputs if name == "valid" else {**self.inputs, **self.variables}
            unknown = [parent for parent in parents if parent not in known]
            require(
                not unknown,
                "A variable reads what the model does not have.",
                value=f"{name!r} reads {', '.join(unknown)}",
                expected="parameters named after these: " + ", ".join(known),
                fix="rename the parameter, or add the variable",
            )
        _ = self._order

    @cached_property
    def parents(self) -> dict[str, tuple[str, ...]]:
        """What each variable reads."""
        return {name: _reads(name, function) for name, function in self.variables.items()}

    def run(self, inputs: Values, do: Values | None = None) -> dict[str, Any]:
        """Every variable's value, inputs included.

        Args:
            inputs: a value of each input.
            do: variables, or inputs, that are set instead.

        Raises:
            MediationError: no mappings, an input that is missing, or a name that the model does not
                have.
        """
        given = {} if do is None else do
        self._refuse(inputs, given)
        values = dict(inputs) | {name: given[name] for name in self.inputs if name in given}
        for name in self._order:
            if name in given:
                values[name] = given[name]
            else:
                values[name] = self.variables[name](*map(values.__getitem__, self.parents[name]))
        return values

    def interchange(self, base: Values, sources: Mapping[str, Values]) -> Any:
        """The output on ``base`` when each named variable has the value it takes on its source.

        Args:
            base: a value for every input.
            sources: variable, or input -> the inputs that it takes its value from.

        Raises:
            MediationError: no such variable, or an input that is missing.
        """
        refuse_no_mapping(
            sources,
            "Each variable comes from a source.",
            self.variables,
            f"model.interchange(base, {{{self.output!r}: source}})",
        )
        self.refuse_unknown(sources)
        do = {name: self.run(source)[name] for name, source in sources.items()}
        return said_by(self, base, do)

    def is_valid(self, inputs: Values) -> bool:
        """Whether there is a prompt of these inputs.

        Raises:
            MediationError: no mapping, or without an input that this is asked of.
        """
        given: object = inputs
        require(
            isinstance(given, Mapping) and all(name in given for name in self._valid_reads),
            "Whether inputs are valid is asked of their values.",
            value=given,
            expected="{input: value} of " + ", ".join(self.inputs),
            fix="model.is_valid(model.setting(0))",
        )
        return self.valid is None or bool(self.valid(*map(inputs.__getitem__, self._valid_reads)))

    @property
    def size(self) -> int:
        """How many combinations of inputs there are, valid or not."""
        return prod(len(values) for values in self.inputs.values())

    def setting(self, index: int) -> dict[str, Any]:
        """One combination of inputs, counted from 0 with the last input the fastest.

        Raises:
            MediationError: no whole number, or not so many combinations.
        """
        require(
            whole(index, 0) and index < self.size,
            "Combinations of inputs are counted from 0.",
            value=index,
            expected="an int from 0, below model.size",
            fix="model.setting(0)",
        )
        found = {}
        for name, values in reversed(list(self.inputs.items())):
            index, at = divmod(index, len(values))
            found[name] = values[at]
        return {name: found[name] for name in self.inputs}

    def settings(self) -> Iterator[dict[str, Any]]:
        """Every valid combination of the inputs."""
        every = (self.setting(index) for index in range(self.size))
        return (inputs for inputs in every if self.is_valid(inputs))

    def values_of(self, name: str) -> tuple[Any, ...]:
        """The values that a variable takes over all valid inputs, in the order they come up.

        Raises:
            MediationError: no variable or input has this name, or a value cannot be told from
                others.
        """
        self.refuse_unknown((name,))
        if name not in self._taken:
            found: dict[Any, None] = {}
            for inputs in self.settings():
                value = self.run(inputs)[name]
                refuse_no_value(name, value)
                found[value] = None
            self._taken[name] = tuple(found)
        return self._taken[name]

    def refuse_unknown(self, names: Any) -> None:
        """Raise unless these are variables or inputs.

        Raises:
            MediationError: one of the names is neither; it lists those that are.
        """
        known = (*self.variables, *self.inputs)
        unknown = [name for name in names if not is_one_of(name, known)]
        require(
            not unknown,
            "The model has no such variable.",
            value=", ".join(map(str, unknown)),
            expected="one of " + ", ".join(known),
            fix=f"model.run(inputs, {{{self.output!r}: value}})",
        )

    @cached_property
    def _taken(self) -> dict[str, tuple[Any, ...]]:
        return {}

    @cached_property
    def _valid_reads(self) -> tuple[str, ...]:
        return () if self.valid is None else _reads("valid", self.valid)

    @cached_property
    def _order(self) -> tuple[str, ...]:
        """The variables, each after those that it reads."""
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
        refuse_no_mapping(inputs, "A run sets inputs.", self.inputs, "model.run(model.setting(0))")
        fix = f"model.run(inputs, {{{self.output!r}: value}})"
        refuse_no_mapping(do, "What is set has a name and a value.", self.variables, fix)
        require(
            set(inputs) == set(self.inputs),
            "A run sets every input, and no other.",
            value=sorted(map(str, inputs)),
            expected=", ".join(self.inputs),
            fix="model.run({...}), one value for each input",
        )
        self.refuse_unknown(do)

    def __repr__(self) -> str:
        return (
            f"CausalModel({', '.join(self.inputs)} \N{RIGHTWARDS ARROW} "
            f"{', '.join(self._order)}; output {self.output})"
        )


def said_by(model: CausalModel, inputs: Values, do: Values | None = None) -> Any:
    """The output of a run.

    Raises:
        MediationError: what ``run`` raises, and an output that cannot be told from others.
    """
    said = model.run(inputs, do)[model.output]
    refuse_no_value(model.output, said)
    return said


def _refuse_no_inputs(inputs: object) -> None:
    named = isinstance(inputs, Mapping) and bool(inputs)
    require(
        named
        and all(isinstance(name, str) for name in inputs)  # type: ignore[attr-defined]
        and all(is_sequence(values) and len(values) > 0 for values in inputs.values()),  # type: ignore[attr-defined]
        "A causal model has inputs, each with the values that it can have.",
        value=inputs,
        expected="{'x': (0, 1), ...}",
        fix=_MODEL,
    )


def _refuse_repeats(inputs: Mapping[str, Sequence[Any]]) -> None:
    """Raise where an input has a value twice: pairs of inputs would be drawn twice as well."""
    for name, values in inputs.items():
        for value in values:
            refuse_no_value(name, value)
        twice = [value for value, n in Counter(values).items() if n > 1]
        require(
            not twice,
            "An input has each of its values once.",
            value={name: twice},
            expected="values that differ; 0, 0.0 and False do not",
            fix=f"{name!r}: tuple(dict.fromkeys(values))",
        )


def _refuse_no_variables(variables: object) -> None:
    named = isinstance(variables, Mapping)
    require(
        named
        and all(isinstance(name, str) for name in variables)  # type: ignore[attr-defined]
        and all(map(callable, variables.values())),  # type: ignore[attr-defined]
        "Each variable of a causal model is a function of what it reads.",
        value=variables,
        expected="{'out': a function, ...}",
        fix=_MODEL,
    )


def _reads(name: str, function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the parameters of a variable's function that have no default."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError) as error:  # some that are built in do not say what they take
        raise MediationError(
            "This function does not say what its parameters are called.",
            value=repr(function)[:200],
            expected="a function whose parameters are named after what it reads",
            fix="lambda x: f(x)",
        ) from error
    every = signature.parameters.values()
    read = [one for one in every if one.default is inspect.Parameter.empty]
    require(
        all(one.kind in _BY_POSITION for one in read),
        "A function of a causal model is given what it reads by position, one by one.",
        value=f"{name}{signature}",
        expected="parameters that have no star, and none before them",
        fix="lambda x, y: f(x, y=y)",
    )
    return tuple(one.name for one in read)
