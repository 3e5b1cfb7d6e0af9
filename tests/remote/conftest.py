"""Sandboxes for the tests here, which run when they are asked for: `make test-remote`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.remote.sandbox import PYTHON, Sandbox
from tests.small_models import KINDS

GAPS = pytest.StashKey[dict[tuple[str, str], float]]()


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


@pytest.fixture
def gaps(request: pytest.FixtureRequest) -> dict[tuple[str, str], float]:
    """(what was asked, kind of model) -> the largest difference to a run here; shown at the end."""
    return request.config.stash.setdefault(GAPS, {})


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """A table of the largest differences."""
    gaps = terminalreporter.config.stash.get(GAPS, {})
    if not gaps:
        return
    terminalreporter.section("largest differences between a server's numbers and those here")
    terminalreporter.write_line(f"{'':44}" + "".join(f"{kind:>10}" for kind in KINDS))
    for what in dict.fromkeys(what for what, _ in gaps):
        row = [gaps.get((what, kind)) for kind in KINDS]
        cells = ["-" if gap is None else f"{gap:.1e}" for gap in row]
        terminalreporter.write_line(f"{what:44}" + "".join(f"{cell:>10}" for cell in cells))
