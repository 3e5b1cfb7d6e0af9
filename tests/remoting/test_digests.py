"""What is one question and what is another: values, functions, classes, and what they lean on."""

from __future__ import annotations

import enum
import functools
import itertools
import sys
import types
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from torch import nn

from mediawidget.remote import digests
from mediawidget.remote.digests import digest_of_value
from mediawidget.shipping import by_value


def _module(source: str) -> Any:
    """A module of the user's, which a server has not; its text is all that is said of it."""
    module = types.ModuleType("theirs")
    exec(compile(source, "theirs.py", "exec"), vars(module))  # noqa: S102 - ours, above
    return module


def _made(factor: float, *, default: float = 1.0) -> Callable[..., Any]:
    def scale(value: float, by: float = default) -> float:
        return value * factor * by

    return scale


class _Kind(enum.Enum):
    ONE = 1
    TWO = 2


PLAIN: list[Any] = [
    *(None, True, False, 0, 1, 1.0, 0.0, -0.0, -1, "1", "", b"", b"1", 1j, float("nan")),
    *([], (), {}, set(), [None], [[]], [1, 2], [2, 1], (1, 2), {1: 2}, {2: 1}, {1, 2}, {3}),
    *(["ab"], ["a", "b"], ["a", ["b"]], [["a"], "b"], range(2), range(3), slice(1), slice(2)),
    *(torch.float32, torch.float64, torch.device("cpu"), ..., _Kind.ONE, _Kind.TWO),
    *(types.SimpleNamespace(a=1), types.SimpleNamespace(a=2), types.SimpleNamespace(b=1)),
    *(functools.partial(max, 1), functools.partial(min, 1), max, torch.relu, np.add, torch),
    *(np.float32(1), np.float64(1), np.int64(1), np.array([1]), np.array([[1]]), np.array(["a"])),
    *(np.array([None, 1]), OrderedDict(a=1), types.MappingProxyType({"a": 1, "b": 2})),
]
TENSORS = [
    *(torch.zeros(2), torch.zeros(3), torch.zeros(2, dtype=torch.float64), torch.zeros(1, 2)),
    *(torch.zeros(2, dtype=torch.int32), torch.ones(2), -torch.zeros(2), torch.zeros(0)),
    *(torch.tensor(0.0), torch.tensor([1.0, 0.0]), torch.tensor([True, False])),
    *(torch.zeros(2, dtype=torch.bfloat16), torch.zeros(2, dtype=torch.float16)),
]
LEAN = """
SCALE = {}

def helper(x):
    return x * SCALE

def used(x):
    return helper(x) + {}
"""


def test_no_two_values_are_one() -> None:
    found = [digest_of_value(value) for value in (*PLAIN, *TENSORS)]
    assert None not in found
    twice = [pair for pair in itertools.combinations(range(len(found)), 2) if _same(found, pair)]
    assert [[(*PLAIN, *TENSORS)[i] for i in pair] for pair in twice] == []


def _same(found: list[str | None], pair: tuple[int, int]) -> bool:
    return found[pair[0]] == found[pair[1]]


@pytest.mark.parametrize("index", range(len(TENSORS)))
def test_a_tensor_is_its_numbers_however_they_lie(index: int) -> None:
    tensor = TENSORS[index]
    wide = torch.stack([tensor, tensor], -1)[..., 0]
    assert digest_of_value(wide) == digest_of_value(tensor.clone()) == digest_of_value(tensor)


def test_the_order_of_a_set_and_of_names_is_nothing() -> None:
    words = [f"word {i}" for i in range(50)]
    backwards = set()
    for word in reversed(words):
        backwards.add(word)
    assert digest_of_value(set(words)) == digest_of_value(backwards)
    one, other = types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1)
    assert digest_of_value(one) == digest_of_value(other)


def test_what_holds_itself_comes_to_an_end() -> None:
    one: list[Any] = [1]
    one.append(one)
    other: list[Any] = [2]
    other.append(other)
    assert None is not digest_of_value(one) != digest_of_value(other)


def test_functions_are_what_they_compute_with() -> None:
    with by_value():
        cloudpickle.register_pickle_by_value(__import__(__name__, fromlist=["_"]))
        try:
            same = [digest_of_value(_made(2.0)) for _ in range(2)]
            others = [
                _made(3.0),
                _made(2.0, default=2.0),
                lambda value: value,
                lambda value: -value,
            ]
            found = [*map(digest_of_value, others), same[0]]
        finally:
            cloudpickle.unregister_pickle_by_value(__import__(__name__, fromlist=["_"]))
    assert same[0] == same[1]
    assert len(set(found)) == len(found)
    assert None not in found


def test_functions_are_how_they_are_called() -> None:
    """The same text inside, and other arguments."""
    heads = ["x, y", "x, *y", "x, **y", "x, *, y", "x, /, y"]
    found = [digest_of_value(_module(f"def used({head}):\n    return y\n").used) for head in heads]
    assert len(set(found)) == len(heads)
    assert None not in found


def test_methods_are_of_their_object_and_of_their_function() -> None:
    one, other = (_module(f"def act(x):\n    return x * {by}\n").act for by in (2, 3))
    methods = [
        *("a".join, "b".join, [1].count, [2].count, {1: 2}.get, {1: 3}.get),
        *(torch.ones(2).add, torch.zeros(2).add, np.ones(2).dot, np.zeros(2).dot),
        *(types.MethodType(one, 1), types.MethodType(other, 1), types.MethodType(one, 2)),
        *(max, dict.fromkeys, torch.relu, np.add.reduce),
    ]
    found = [digest_of_value(method) for method in methods]
    assert None not in found
    assert len(set(found)) == len(methods)


def test_arrays_are_more_than_their_numbers() -> None:
    fields = [np.zeros(1, dtype=[(name, "f4")]) for name in "ab"]
    assert digest_of_value(fields[0]) != digest_of_value(fields[1])
    for mask in (True, False):
        assert digest_of_value(np.ma.masked_array([1.0], mask=[mask])) is None


def test_modules_of_the_users_are_not_known_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """They travel as they are now, and may be other ones tomorrow."""
    theirs = _module("FACTOR = 2\n")
    assert digest_of_value(theirs) is None
    monkeypatch.setitem(sys.modules, "theirs", theirs)
    assert digest_of_value(theirs) is not None
    cloudpickle.register_pickle_by_value(theirs)
    try:
        assert digest_of_value(theirs) is None
    finally:
        cloudpickle.unregister_pickle_by_value(theirs)
    with by_value():
        assert digest_of_value(digests) is not None


def test_functions_of_a_notebook_are_what_they_lean_on() -> None:
    texts = [LEAN.format(1, 2), LEAN.format(1, 3), LEAN.format(2, 2)]
    found = [digest_of_value(_module(text).used) for text in texts]
    assert len(set(found)) == 3
    assert digest_of_value(_module(texts[0]).used) == found[0]


def test_classes_are_what_is_in_them() -> None:
    text = "class Kind:\n    scale = {}\n    def act(self, x):\n        return x {} self.scale\n"
    texts = [text.format(1, "+"), text.format(2, "+"), text.format(1, "-")]
    found = [digest_of_value(_module(text).Kind()) for text in texts]
    assert len(set(found)) == 3
    assert None not in found
    assert digest_of_value(_module(texts[0]).Kind()) == found[0]


def test_of_some_things_nobody_can_tell() -> None:
    packed = torch.zeros(2, 2).to_sparse()
    weak: Any = __import__("weakref").ref(_made)
    opened = open(__file__, encoding="utf-8")  # noqa: SIM115, PTH123 - a file that is open
    with opened:
        for value in (nn.Linear(2, 2), torch.zeros(2, device="meta"), packed, weak, opened):
            assert digest_of_value(value) is None
            assert digest_of_value({"deep": [value]}) is None


def test_deeper_than_python_goes_is_none_and_no_crash() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert digest_of_value(deep) is None
