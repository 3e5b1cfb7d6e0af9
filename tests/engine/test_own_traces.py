"""Inside a trace of the user's own nothing else is run on the model, and the words say so."""

import threading
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import pytest
import torch
from nnsight import NNsight
from torch import nn

import mediawidget as mw
from tests import asking
from tests.asking import raised
from tests.engine.cases import lm_of

HEAD = mw.Site("head", layer=1, head=0)
SAID = "inside a trace of your own"


@lru_cache
def study() -> mw.Study:
    return asking.study()


def ids() -> torch.Tensor:
    return lm_of("gpt2").asked("ant bee cat")[0]  # type: ignore[no-any-return]


ASKS: dict[str, Callable[[], object]] = {
    "sweep": lambda: study().sweep("head", progress=False),
    "click": lambda: study().intervene(HEAD),
    "total": lambda: study().total,
    "next tokens": lambda: lm_of("gpt2").next_tokens("ant bee cat", n=2),
    "activations": lambda: study().activations(HEAD),
    "evaluate": lambda: study().engine.evaluate([mw.Run("clean")]),
    "estimate": lambda: study().estimate("head"),
}


@pytest.mark.parametrize("name", list(ASKS))
def test_asked_in_the_body_of_a_trace_it_is_refused(name: str) -> None:
    expected = study().sweep("head", progress=False)["PIE"]
    traced = lm_of("gpt2").traced

    def before() -> None:
        with traced.trace(ids()):
            ASKS[name]()

    def between() -> None:
        with traced.trace(ids()):
            traced.transformer.h[0].output.save()
            ASKS[name]()

    def invoked() -> None:
        with traced.trace() as tracer:
            with tracer.invoke(ids()):
                traced.transformer.h[0].output.save()
            ASKS[name]()

    for ask in (before, between, invoked):
        error = raised(ask)
        assert SAID in error.message
        assert "after the `with`" in error.fix
    # What was refused leaves the model as it was, and it can be asked again.
    assert (study().sweep("head", progress=False)["PIE"] == expected).all()


def test_a_wrapper_of_the_users_own_is_seen() -> None:
    own: Any = NNsight(lm_of("gpt2").hf)

    def ask() -> None:
        with own.trace(ids()):
            own.transformer.h[0].output.save()
            study().intervene(HEAD)

    assert SAID in raised(ask).message


def test_another_thread_is_refused_and_the_trace_goes_on() -> None:
    traced, errors = lm_of("gpt2").traced, []

    def ask() -> None:
        try:
            study().sweep("head", progress=False)
        except mw.MediationError as error:
            errors.append(error.message)

    def beside() -> None:
        thread = threading.Thread(target=ask)
        thread.start()
        thread.join()

    with torch.no_grad(), traced.trace(ids()):
        first = traced.transformer.h[0].output.save()
        beside()
        second = traced.transformer.h[1].output.save()
    (said,) = errors
    assert SAID in said
    assert first.shape == second.shape
    with torch.no_grad(), traced.trace(ids()):
        again = traced.transformer.h[1].output.save()
    assert torch.equal(second, again)


def test_traces_of_other_models_and_those_that_ended_are_no_hindrance() -> None:
    expected = study().sweep("head", progress=False)["PIE"]
    other: Any = NNsight(nn.Sequential(nn.Linear(3, 3)))
    found: list[Any] = []
    with other.trace(torch.zeros(1, 3)):
        found.append(study().sweep("head", progress=False)["PIE"])
        output = other[0].output.save()
    assert output.shape == (1, 3)
    with lm_of("gpt2").traced.session():
        found.append(study().sweep("head", progress=False)["PIE"])
    assert all((one == expected).all() for one in found)
    assert len(found) == 2


def test_a_network_is_refused_too() -> None:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    network = mw.load(layers, points={"hidden": "1"})
    pair = mw.InputPair([1.0, 0, 0, 0], [0, 1.0, 0, 0], answer=0, wrong=1)
    small = mw.Study(network, pair)

    def ask() -> None:
        with network.traced.trace(torch.zeros(1, 4)):
            small.sweep("layer", progress=False)

    assert SAID in raised(ask).message
    assert small.sweep("layer", progress=False).n_pairs == 1
