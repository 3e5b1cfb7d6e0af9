"""Hostile values for every argument of a public function, one at a time, and who was left out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial, wraps
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import torch

import mediawidget as mw
from tests.asking import pair
from tests.core.hostile import HEAD, Unhelpful, answers, effect_of, study_of
from tests.engine.cases import lm_of

Call = tuple[Callable[..., Any], dict[str, Any]]
"""A function, and arguments by name with which it answers."""

Calls = Mapping[str, Callable[[], Call]]

FREE = ("self", "progress")
"""What need not be asked about: a bar is shown or not."""

VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 10**400, 1.5, float("nan"), 1j, "", "nope", b"x"),
    *([], [None], ["a"], [1], [[1]], [HEAD], (), (1, 2), {}, {"a": 1}, {1, 2}, range(3), ...),
    *(np.array(3), np.zeros((2, 2)), np.array([]), torch.zeros(2), np.float32(1.5)),
    *(HEAD, mw.Patch, mw.Patch(), mw.LogitDiff(), mw.Run("clean"), pair(), Unhelpful(), object()),
    *(pd.DataFrame({"a": [1]}), lambda *_: 0),
)
OBJECTS = (study_of, lambda: study_of().lm, lambda: lm_of("llama"), lambda: effect_of("total"))
"""What is right in other places."""


def assert_helped(call: Call) -> None:
    """It answers as it should, and whatever else it is given it answers or refuses in words."""
    function, known = call
    assert function(**known) is not None
    assert unhelped(call) == []


def assert_all_asked(module: ModuleType, calls: Calls, made: Collection[str]) -> None:
    """Every public name of a module is in one of them, and every argument is asked about."""
    assert left_out(module, calls, made) == []
    assert unasked(calls) == []


def unhelped(call: Call) -> list[str]:
    """Arguments and values that were neither answered nor refused with help, and what came."""
    found = []
    for name in call[1]:
        for value in (*VALUES, *(made() for made in OBJECTS)):
            try:
                answers(partial(_with, call, name), value)
            except Exception as error:  # noqa: BLE001 - whatever else it is, it does not help
                said = f"{type(error).__name__}: {error}"[:200]
                found.append(f"{name}={value!r:.60}: {said}")
    return found


def _with(call: Call, name: str, value: Any) -> Any:
    function, known = call
    return function(**{**known, name: value})


def few(function: Callable[..., Any], *names: str) -> Callable[..., Any]:
    """The same, but that a huge number of steps is one: it would be done, and take for ever."""

    @wraps(function)
    def asked(**given: Any) -> Any:
        huge = [name for name in names if type(given[name]) is int and given[name] > 50]
        return function(**{**given, **dict.fromkeys(huge, 1)})

    return asked


def left_out(module: ModuleType, calls: Collection[str], known: Collection[str]) -> list[str]:
    """Public functions, classes and methods that take something and are in neither."""
    return sorted(set(_public(module)) - set(calls) - set(known))


def unasked(calls: Calls) -> list[str]:
    """Arguments of the functions that nothing is asked about."""
    found = []
    for name, made in calls.items():
        function, known = made()
        found += [f"{name}({one})" for one in _arguments(function) if one not in known]
    return found


def _public(module: ModuleType) -> Iterator[str]:
    for name in module.__all__:
        one = getattr(module, name)
        if callable(one):
            yield name
        if isinstance(one, type):
            yield from (f"{name}.{method}" for method in _methods(one))


def _methods(kind: type) -> Iterator[str]:
    for base in kind.__mro__:
        if base.__module__.startswith("mediawidget"):
            for name, made in vars(base).items():
                known = isinstance(made, classmethod | staticmethod) or inspect.isfunction(made)
                if known and not name.startswith("_") and _arguments(getattr(kind, name)):
                    yield name


def _arguments(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [one.name for one in parameters if one.name not in FREE and one.kind not in several]
