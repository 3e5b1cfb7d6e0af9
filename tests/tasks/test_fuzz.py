"""Hostile arguments of tasks: pairs, or an error that names the value and the fix."""

from __future__ import annotations

import inspect
import json
import tempfile
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import pytest

import mediawidget as mw
from mediawidget import tasks
from tests.hostile_arguments import Call, left_out, unasked, unhelped
from tests.tasks.kinds import plain

FILES = ("from_csv", "from_jsonl")
NAMED = tuple(name for name in tasks.__all__ if name not in FILES)


def drawn(name: str) -> Call:
    task: Callable[..., mw.Contrast] = getattr(tasks, name)
    parameters = list(inspect.signature(task).parameters.values())
    return task, {"lm": plain(), **{one.name: one.default for one in parameters[1:]}, "n": 2}


@lru_cache
def saved() -> Path:
    """A folder with a file of each kind, for as long as the tests run."""
    folder = Path(tempfile.mkdtemp())
    row = {"clean": "ant bee", "corrupt": "ant owl", "answer": "fox", "wrong": "gnu"}
    (folder / "pairs.jsonl").write_text(json.dumps(row) + "\n")
    (folder / "pairs.csv").write_text(",".join(row) + "\n" + ",".join(row.values()) + "\n")
    return folder


CALLS: dict[str, Callable[[], Call]] = {
    **{name: partial(drawn, name) for name in NAMED},
    "from_csv": lambda: (tasks.from_csv, {"path": saved() / "pairs.csv", "name": ""}),
    "from_jsonl": lambda: (tasks.from_jsonl, {"path": saved() / "pairs.jsonl", "name": ""}),
}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments(name: str) -> None:
    function, known = CALLS[name]()
    assert len(function(**known)) > 0
    assert unhelped((function, known)) == []


def test_nothing_public_is_left_out() -> None:
    assert left_out(tasks, CALLS, ()) == []
    assert unasked(CALLS) == []
