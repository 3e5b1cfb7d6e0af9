"""A server that can be told to fail; a module of tests shares one, well again for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mediawidget as mw
from tests.remoting.clients import Client
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of


@pytest.fixture(scope="module")
def running() -> Iterator[Faulty]:
    with Faulty(mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))) as server:
        yield server


@pytest.fixture
def server(running: Faulty) -> Faulty:
    running.heals()
    running.requests.clear()
    return running


@pytest.fixture
def lm() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


@pytest.fixture
def fresh(lm: mw.LM) -> Iterator[Faulty]:
    """A server that no other test has asked."""
    with Faulty(lm) as running:
        yield running


@pytest.fixture
def client(fresh: Faulty) -> Client:
    return Client(fresh)
