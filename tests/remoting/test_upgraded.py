"""The package is upgraded under a kernel that has imported it: in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mediawidget as mw

PACKAGE = Path(mw.__file__).parent
SCENE = """
import importlib, inspect, json, linecache, pathlib, sys
import mediawidget as mw
from mediawidget import applying

root = pathlib.Path(mw.__file__).parent
pair = mw.PromptPair(
    "When Mary and John went to the store, John gave a book to",
    "When Mary and John went to the store, Mary gave a book to",
    "Mary",
    "John",
)


def moves_lines():
    for path in root.rglob("*.py"):
        path.write_text("# another version\\n" * 7 + path.read_text())


def asked(study, head):
    return study.intervene(mw.Site("head", 1, head=head)).edited.ravel().tolist()


def failure(study, head):
    try:
        return [asked(study, head)]
    except mw.MediationError as error:
        return [error.message, str(error.value), error.fix]


with mw.remote.Loopback(mw.load()) as server:
    here, there = (mw.Study(lm, pair) for lm in (mw.load(), mw.load(server.model, remote=server)))
    known = [asked(there, 0)]
    moves_lines()
    found = {"known": known, "here": [asked(here, n) for n in (0, 1)]}
    found["there"] = [asked(there, n) for n in (0, 1)]
    # Where others threw away what is kept, it is at least said.
    moves_lines()
    linecache.clearcache()
    found["lost"] = failure(there, 3)
    importlib.reload(applying)
    found["reloaded"] = asked(mw.Study(mw.load(), pair), 2)
    moves_lines()
    found["text"] = inspect.getsource(applying.apply_op)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of a kernel whose package was moved by seven lines."""
    folder = tmp_path_factory.mktemp("upgraded")
    left_out = shutil.ignore_patterns("__pycache__", "static")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=left_out)
    ran = subprocess.run(
        [sys.executable, "-c", SCENE],
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    return json.loads(ran.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def test_what_was_imported_goes_on(found: dict[str, Any]) -> None:
    """Here and on a server: traces that were run before, and such that were not."""
    (known,) = found["known"]
    assert found["there"][0] == known
    assert found["here"][0] == pytest.approx(known, rel=1e-5)
    assert found["here"][1] == pytest.approx(found["there"][1], rel=1e-5)


def test_what_is_reloaded_is_read_anew(found: dict[str, Any]) -> None:
    assert found["text"].startswith("def apply_op(")
    assert len(found["reloaded"]) == len(found["known"][0])


def test_where_the_text_is_lost_it_says_to_restart(found: dict[str, Any]) -> None:
    message, value, fix = found["lost"]
    assert message == "The code that was sent is not the code that runs here."
    assert "restart the kernel" in fix
    assert "Could not find function" in value
