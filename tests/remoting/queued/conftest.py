"""A study whose server is a queue, and the same study of a model that is here."""

from __future__ import annotations

import pytest

import mediawidget as mw
from tests.remoting.queues import Queue, study_here, study_of


@pytest.fixture
def queue() -> Queue:
    return Queue()


@pytest.fixture
def study(queue: Queue) -> mw.Study:
    return study_of(queue)


@pytest.fixture(scope="module")
def here() -> mw.Study:
    return study_here()
