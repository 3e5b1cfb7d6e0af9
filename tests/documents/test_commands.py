"""What people are told to type exists."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.documents.commands import commands, wrong
from tests.documents.pages import LINKED, ROOT, name


@pytest.mark.parametrize("path", LINKED, ids=name)
def test_its_commands_exist(path: Path) -> None:
    for words, whole in commands(path):
        assert not wrong(words, whole=whole), f"{name(path)}: {' '.join(words)}"


def test_commands_are_found() -> None:
    found = [words for words, _ in commands(ROOT / "README.md")]
    assert ["make", "demo"] in found
    assert any(words[:3] == ["python", "-m", "mediawidget"] for words in found)


@pytest.mark.parametrize(
    "line",
    [
        "make demos",
        "make demo LABS=0",
        "python -m mediawidget curse",
        "python -m mediawidget open --prot 8888",
        ".venv/bin/python -m mediawidget grade",
        'pip install "mediawidget[labs]"',
        "python -m pip install .[lab,labs]",
    ],
)
def test_a_wrong_command_is_told(line: str) -> None:
    assert wrong(shlex.split(line), whole=True)


@pytest.mark.parametrize(
    "line",
    [
        "make",
        "make demo LAB=0 PORT=8889",
        "make check ONLY='ruff mypy'",
        "python -m mediawidget",
        "python -m mediawidget --check",
        "python -m mediawidget grade teacher.ipynb answers --csv table.csv",
        "python -m mediawidget course --help",
        'pip install "mediawidget[lab]"',
        "pip install torch",
    ],
)
def test_a_right_command_is_let_be(line: str) -> None:
    assert not wrong(shlex.split(line), whole=True)


def test_in_the_text_a_command_may_be_named_alone() -> None:
    assert not wrong(shlex.split("python -m mediawidget grade"), whole=False)
    assert wrong(shlex.split("python -m mediawidget curse"), whole=False)
