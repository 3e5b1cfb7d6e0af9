"""`import mediawidget` is quick: no torch; and no part of the package calls the network."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "nnsight", "transformers", "altair", "anywidget", "ipywidgets", "pandas", "scipy"}


def loaded_by(code: str) -> set[str]:
    """Which of the heavy packages a fresh Python has loaded after running the code."""
    program = f"import json, sys\n{code}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return HEAVY & set(json.loads(answer.stdout.splitlines()[-1]))


def test_the_package_loads_without_torch() -> None:
    assert loaded_by("import mediawidget") == set()


def test_the_measure_can_fail() -> None:
    assert "pandas" in loaded_by("import pandas")


def test_a_saved_effect_is_read_without_torch() -> None:
    assert {"torch", "nnsight", "transformers"} & loaded_by(
        "from mediawidget import Effect"
    ) == set()


NO_NETWORK = """
import sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise AssertionError(f"the network was used: {event} {args}")
sys.addaudithook(refuse)
"""


def run_without_network(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", NO_NETWORK + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_everything_loads_without_the_network() -> None:
    code = "import mediawidget as mw\nfor name in mw.__all__: getattr(mw, name)\nmw.load()"
    answer = run_without_network(code)
    assert answer.returncode == 0, answer.stderr


def test_the_guard_against_the_network_can_fail() -> None:
    answer = run_without_network("import socket; socket.getaddrinfo('localhost', 80)")
    assert answer.returncode != 0
    assert "the network was used" in answer.stderr
