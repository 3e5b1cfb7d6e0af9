"""Nothing of ours calls home: a study, views and exports make no request, nor do the libraries."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

#: A request may be made in a thread, where its error is only logged: all are told at the end.
WATCHED = """
import atexit, os, socket, sys, threading, time
asked = []
def watch(event, args):
    if event == "socket.connect" and getattr(args[0], "family", None) == socket.AF_UNIX:
        return
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        asked.append((event, str(args)))
        raise OSError("no network in this test")
sys.addaudithook(watch)
def tell():
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join(5)
    time.sleep(0.5)
    print("ASKED", asked)
"""

EVERYTHING = """
import mediawidget as mw
for name in mw.__all__:
    getattr(mw, name)
lm = mw.load()
study = mw.Study(lm, mw.tasks.ioi(lm, n=2))
study.sweep("head")
study.intervene(mw.Site("head", 3, 0))
mw.features.sweep(study, mw.features.teaching())
views = [mw.Explorer(study), mw.HeadGrid(study), mw.MediationDiagram(study)]
mw.export_html("page.html", *views)
views[0].snapshot("a.svg")
mw.charts.effects(study.last)
study.save("study.json")
mw.Study.load("study.json", lm)
lm.hf.save_pretrained("saved")
lm.tokenizer.save_pretrained("saved")
again = mw.load("./saved")
mw.Study(again, mw.tasks.ioi(again, n=2)).sweep("head")
"""


def asked(code: str, folder: Path) -> str:
    """The requests that a fresh Python made; variables that silence libraries are not set."""
    hushed = ("HF_", "TRANSFORMERS_", "DO_NOT_TRACK", "DISABLE_TELEMETRY")
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hushed)}
    answer = subprocess.run(
        [sys.executable, "-c", f"{WATCHED}\ntry:\n{_indented(code)}\nfinally:\n    tell()"],
        cwd=folder,
        env={**environment, "HF_HOME": str(folder / "hf"), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith("ASKED")]
    return line.removeprefix("ASKED ")


def _indented(code: str) -> str:
    return "\n".join(f"    {line}" for line in code.splitlines())


@pytest.mark.slow
def test_a_study_with_all_that_leaves_it_makes_no_request(tmp_path: Path) -> None:
    assert asked(EVERYTHING, tmp_path) == "[]"


def test_a_request_in_a_thread_whose_error_is_swallowed_is_seen(tmp_path: Path) -> None:
    code = """
import contextlib, threading, urllib.request
def call():
    with contextlib.suppress(OSError):
        urllib.request.urlopen("http://telemetry.example/ping")
threading.Thread(target=call).start()
"""
    assert "telemetry.example" in asked(code, tmp_path)
