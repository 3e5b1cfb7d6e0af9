"""In which numbers a server has a model, as far as it says so before anything is run."""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import mediawidget as mw
from mediawidget.loading import TEACHING_MODEL
from mediawidget.remote import Loopback

Entry = dict[str, Any]


class Telling(Loopback):
    """Says of its models what it is told to.

    Attributes:
        says: makes what it says of every copy from what it would say of its model.
    """

    says: Callable[[Entry], list[Entry]] = staticmethod(lambda entry: [entry])

    def told(self, route: str) -> dict[str, Any]:
        found = super().told(route)
        for entry in list(found.get("deployments", {}).values()):
            found["deployments"] = dict(enumerate(self.says(entry)))
        return found


@pytest.fixture
def server() -> Iterator[Telling]:
    """The teaching model in half precision, whose config says nothing of it, as GPT-2's."""
    with Telling(mw.load(TEACHING_MODEL, dtype=torch.bfloat16)) as running:
        config = Path(running.model) / "config.json"
        known = json.loads(config.read_text())
        del known["dtype"]
        config.write_text(json.dumps(known))
        yield running


def test_what_the_server_says_is_taken_and_said(server: Telling) -> None:
    with pytest.warns(UserWarning, match=r"dtype=torch\.bfloat16") as caught:
        lm = mw.load(server.model, remote=server)
    assert caught[0].filename == __file__
    assert lm.dtype == torch.bfloat16
    assert server.jobs == {}
    # First contact would find any other.
    assert mw.Study(lm, mw.tasks.ioi(lm, n=1)).total["TE"] > 1


def test_another_that_was_asked_for_is_refused_before_any_job(server: Telling) -> None:
    with pytest.raises(mw.MediationError, match="another precision") as caught:
        mw.load(server.model, remote=server, dtype=torch.float32)
    assert "dtype=torch.bfloat16" in caught.value.fix
    assert "dtype=torch.float32" in str(caught.value)
    assert server.jobs == {}


def test_of_the_same_nothing_is_said(server: Telling) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mw.load(server.model, remote=server, dtype=torch.bfloat16).dtype == torch.bfloat16


@pytest.mark.parametrize(
    "says",
    [
        lambda entry: [{name: entry[name] for name in entry if name != "dtype"}],
        lambda entry: [{**entry, "dtype": "nf4"}],
        lambda entry: [{**entry, "dtype": "int8"}],
        lambda entry: [{**entry, "dtype": None}],
        lambda entry: [{**entry, "dtype": "nn"}],
        lambda entry: [entry, {**entry, "dtype": "float16"}],
        lambda entry: [{**entry, "model_key": "another"}],
        lambda _: [],
    ],
    ids=["silent", "quantised", "whole", "none", "nonsense", "two", "another", "absent"],
)
def test_what_the_server_does_not_say_is_left(
    server: Telling, says: Callable[[Entry], list[Entry]]
) -> None:
    server.says = says
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mw.load(server.model, remote=server).dtype == torch.float32


def test_a_server_that_is_not_ready_is_no_hindrance(server: Telling) -> None:
    server.ready = False
    began = time.monotonic()
    assert mw.load(server.model, remote=server).dtype == torch.float32
    assert time.monotonic() - began < 10
    assert [one.route for one in server.requests] == ["status"]
