"""Fixtures: one JupyterLab and one Chromium per session, one page and one kernel per test.

A test fails on an error in the page's console, on an uncaught exception in the page, and on any
request that leaves 127.0.0.1.
"""

from __future__ import annotations

import json
import re
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import chromium
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.notebook import PICTURES, Notebook
from tests.browser.server import Server, serve

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Belt and braces: a name that is not this machine's does not even resolve.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
VIEWPORT = (1200, 900)
FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for the fixtures whether the test failed."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder `browser`."""
    for item in items:
        if "browser" in item.path.parent.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running JupyterLab."""
    yield from serve(tmp_path_factory.mktemp("jupyter"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium; without one the test fails and says how to get it."""
    try:
        path = chromium.find()
    except chromium.ChromiumError as error:
        pytest.fail(str(error), pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS, headless=True)
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A fresh page whose misdeeds fail the test at its end."""
    width, height = VIEWPORT
    context = browser.new_context(viewport={"width": width, "height": height})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    misdeeds: list[str] = []
    page = context.new_page()
    watch(page, misdeeds)
    yield page
    if request.node.stash.get(FAILED, False):
        PICTURES.mkdir(exist_ok=True)
        name = re.sub(r"[^\w.-]+", "_", request.node.name)
        page.screenshot(path=PICTURES / f"failed-{name}.png")
    context.close()
    assert misdeeds == []


def watch(page: Page, misdeeds: list[str]) -> None:
    """Note console errors, uncaught exceptions and requests that leave this machine."""

    def check_address(url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob", "about") and parts.hostname != "127.0.0.1":
            misdeeds.append(f"request: {url}")

    page.on("request", lambda it: check_address(it.url))
    page.on("websocket", lambda it: check_address(it.url))
    page.on("pageerror", lambda error: misdeeds.append(f"uncaught: {error}"))
    page.on(
        "console",
        lambda it: misdeeds.append(f"console: {it.text}") if it.type == "error" else None,
    )


@pytest.fixture
def kernels(lab: Server) -> Iterator[None]:
    """Shuts the test's kernels down, once its page is closed, and goes back to the light theme."""
    yield
    lab.forget_theme()
    with urllib.request.urlopen(f"{lab.url}/api/sessions") as answer:
        sessions = json.load(answer)
    for session in sessions:
        address = f"{lab.url}/api/sessions/{session['id']}"
        urllib.request.urlopen(urllib.request.Request(address, method="DELETE")).close()


@pytest.fixture
def notebook(lab: Server, kernels: None, page: Page) -> Notebook:  # noqa: ARG001 # ends last
    """What opens and drives a notebook."""
    return Notebook(page, lab)
