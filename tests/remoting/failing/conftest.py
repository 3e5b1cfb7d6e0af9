"""A server that is told to fail; a study of it, and the model that it should be like."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import mediawidget as mw
from tests.remoting.failing.clients import PAIRS, SITE, client
from tests.remoting.faults import Faulty
from tests.small_models import random_model, tokenizer_of


@pytest.fixture(scope="module")
def here() -> mw.LM:
    return mw.load(random_model("gpt2"), tokenizer=tokenizer_of("gpt2"))


@pytest.fixture(scope="module")
def want(here: mw.LM) -> mw.Effect:
    return mw.Study(here, PAIRS).intervene(SITE)


@pytest.fixture
def server(here: mw.LM) -> Iterator[Faulty]:
    with Faulty(here) as running:
        yield running


@pytest.fixture
def study(server: Faulty) -> mw.Study:
    """A study whose server is proven: from here on a click is one request."""
    study = mw.Study(client(server), PAIRS)
    study.engine.prove()
    server.executed.clear()
    return study
