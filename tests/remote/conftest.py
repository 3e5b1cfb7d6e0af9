"""Sandboxes for the tests here, which run when they are asked for: `make test-remote`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.remote.sandbox import PYTHON, Sandbox
from tests.small_models import KINDS


def pytest_ignore_collect(config: pytest.Config) -> bool | None:
    """Leave the folder out unless `-m` names its mark."""
    return None if "remote" in config.getoption("markexpr") else True


@pytest.fixture(scope="session", params=KINDS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A server with the random model of a kind; the same for all tests."""
    if not PYTHON.is_file():
        pytest.fail("there is no .venv-remote; `make test-remote` makes it")
    with Sandbox(request.param) as running:
        yield running
