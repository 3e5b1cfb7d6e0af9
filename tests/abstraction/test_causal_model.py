"""Causal models: what they compute, what they refuse."""

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch

import mediawidget as mw
from mediawidget import abstraction as ab
from mediawidget.abstraction import CausalModel
from tests.asking import raised


def either(**more: Any) -> CausalModel:
    inputs = {"x": (0, 1), "y": (0, 1), "z": (0, 1)}
    # Out of order: a variable may be named before what it reads.
    variables = {"out": lambda both, z: both | z, "both": lambda x, y: x & y}
    return CausalModel(inputs, variables, "out", **more)


def test_variables_follow_from_their_parents() -> None:
    run = either().run({"x": 1, "y": 1, "z": 0})
    assert run == {"x": 1, "y": 1, "z": 0, "both": 1, "out": 1}
    assert either().parents == {"out": ("both", "z"), "both": ("x", "y")}


def test_what_is_set_is_not_computed() -> None:
    assert either().run({"x": 0, "y": 0, "z": 0}, {"both": 1})["out"] == 1
    assert either().run({"x": 0, "y": 0, "z": 0}, {"z": 1}) == {
        "x": 0,
        "y": 0,
        "z": 1,
        "both": 0,
        "out": 1,
    }


@pytest.mark.parametrize(
    ("variables", "expected"), [(("both",), 0), (("z",), 1), (("both", "z"), 0)]
)
def test_an_interchange_takes_variables_from_a_source(
    variables: tuple[str, ...], expected: int
) -> None:
    base, source = {"x": 1, "y": 1, "z": 1}, {"x": 0, "y": 1, "z": 0}
    plain = either().run(base)["out"]
    assert plain == 1
    if variables == ("both",):
        base = {**base, "z": 0}
    assert either().interchange(base, dict.fromkeys(variables, source)) == expected


def test_settings_are_those_that_are_valid() -> None:
    assert either().size == 8
    assert len(list(either().settings())) == 8
    ordered = either(valid=lambda x, y: x <= y)
    assert [one["x"] for one in ordered.settings()] == [0, 0, 0, 0, 1, 1]
    assert [either().setting(i) for i in range(8)] == list(either().settings())
    assert either(valid=lambda x: x == 0).values_of("both") == (0,)
    assert set(either().values_of("both")) == {0, 1}


def test_a_default_is_no_variable() -> None:
    model = CausalModel({"x": (1, 2)}, {"out": lambda x, k=10: x + k}, "out")
    assert model.parents == {"out": ("x",)}
    assert model.run({"x": 2})["out"] == 12


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: CausalModel({}, {"out": lambda: 0}, "out"), "inputs"),
        (lambda: CausalModel({"x": ()}, {"out": lambda x: x}, "out"), "inputs"),
        (lambda: CausalModel({"x": (0,)}, {"out": lambda x: x}, "no"), "output"),
        (lambda: CausalModel({"x": (0,)}, {"x": lambda: 0}, "x"), "output"),
        (lambda: CausalModel({"x": (0,)}, {"out": lambda q: q}, "out"), "'out' reads q"),
        (
            lambda: CausalModel({"x": (0,)}, {"a": lambda b: b, "b": lambda a: a}, "a"),
            "circle",
        ),
        (lambda: either(valid=lambda both: both), "'valid' reads both"),
        (lambda: either().run({"x": 1}), "every input"),
        (lambda: either().run({"x": 1, "y": 1, "z": 1}, {"no": 1}), "no such variable"),
        (lambda: either().interchange({"x": 1, "y": 1, "z": 1}, {"no": {}}), "no such variable"),
    ],
)
def test_what_is_no_model_is_refused(make: Any, word: str) -> None:
    assert word in str(raised(make))


def listed() -> CausalModel:
    """Its pair is a list, which has no hash."""
    variables: Any = {"pair": lambda x, y: [x, y], "out": lambda pair: pair[0]}
    return CausalModel({"x": (0, 1), "y": (0, 1)}, variables, "out")


def said(output: Any) -> CausalModel:
    return CausalModel({"x": (0, 1)}, {"out": output}, "out")


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: listed().values_of("pair"), "{'pair': [0, 0]}"),
        (lambda: ab.arbitrary(listed(), "pair"), "{'pair': [0, 0]}"),
        (lambda: ab.arbitrary(listed(), "out").run({"x": 1, "y": 0}), "{'pair': [1, 0]}"),
        (lambda: ab.counterfactuals(said(lambda x: np.array([x, 1])), "out", 1), "{'out': array("),
        (lambda: ab.counterfactuals(said(lambda x: torch.tensor([x, 1])), "out", 1), "tensor("),
        (lambda: ab.counterfactuals(said(lambda x: torch.tensor(x + 0)), "out", 1), "tensor("),
        (lambda: CausalModel({"x": ([0], [1])}, {"out": lambda x: x}, "out"), "{'x': [0]}"),
    ],
)
def test_values_that_cannot_be_told_apart_are_refused(make: Any, word: str) -> None:
    error = raised(make)
    assert word in str(error)
    assert "tuple" in error.fix


def test_what_is_only_handed_on_need_not_be_told_apart() -> None:
    assert listed().run({"x": 1, "y": 0})["pair"] == [1, 0]
    assert len(ab.counterfactuals(listed(), "pair", 4)) == 4
    assert ab.counterfactuals(said(lambda x: np.int64(x + 0)), "out", 1)[0].telling


def test_an_input_has_no_value_twice() -> None:
    for values in ((0, 1, 0), (0, False), [1, 1.0]):
        with pytest.raises(mw.MediationError, match=r"\{'x':"):
            CausalModel({"x": values}, {"out": lambda x: x}, "out")


@pytest.mark.parametrize(
    "function", [lambda *, x: x, lambda **x: x, lambda *x: x, partial(lambda k, x: k + x, k=2)]
)
def test_what_is_not_given_by_position_is_refused(function: Any) -> None:
    for make in (lambda: said(function), lambda: either(valid=function)):
        assert "by position" in str(raised(make))


def test_it_says_what_it_is() -> None:
    assert repr(either()) == "CausalModel(x, y, z \N{RIGHTWARDS ARROW} both, out; output out)"
    assert mw.abstraction.CausalModel is CausalModel
