"""TransformerLens in an environment of its own, and the process that runs it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from mediawidget.encoding import TokenPair

from .cells import Answer, Cell
from .subject import Subject

HERE = Path(__file__).parent
ROOT = HERE.parent
VENV = ROOT / ".venv-bench"
PYTHON = VENV / "bin" / "python"
REQUIREMENTS = HERE / "requirements-transformer-lens.txt"
CONSTRAINTS = ROOT / "constraints.txt"


def provide() -> None:
    """Make the environment, unless it was made with the same pins; torch first, of our version.

    Raises:
        SystemExit: pip failed; its words are on the screen.
    """
    torch_pin = re.search(r"^torch==\S+", CONSTRAINTS.read_text(), re.MULTILINE)
    assert torch_pin is not None
    wanted = f"{torch_pin[0]} {sys.version} {REQUIREMENTS.read_text()}"
    stamp, digest = VENV / "made-with", hashlib.sha256(wanted.encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest:
        return
    print("bench: making .venv-bench with TransformerLens (minutes, once)", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    build = {"cpu": f"{torch_pin[0]}+cpu", "cuda": torch_pin[0].replace("==", "===")}
    torch = build.get(os.environ.get("TORCH", ""), torch_pin[0])
    index = os.environ.get("TORCH_INDEX_URL")
    pip = [str(PYTHON), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(VENV)],
        [*pip, torch, *(["--index-url", index] if index else [])],
        [*pip, "-r", str(REQUIREMENTS)],
    ):
        if subprocess.run(command, check=False).returncode:
            raise SystemExit(f"bench: failed: {' '.join(command)}")
    stamp.write_text(digest)


class Lens:
    """The process: give it pairs and cells, it answers with grids and the time they took."""

    def __init__(self, subject: Subject) -> None:
        provide()
        self._folder = tempfile.TemporaryDirectory()
        subject.hf.save_pretrained(self._folder.name)
        subject.tokenizer.save_pretrained(self._folder.name)
        self._log = VENV / "worker.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(PYTHON), str(HERE / "lens_worker.py"), self._folder.name],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def grid(self, pair: TokenPair, cells: Sequence[Cell], threads: int) -> Answer:
        """Every cell both ways."""
        asked = {
            "clean": pair.clean.tolist(),
            "corrupt": pair.corrupt.tolist(),
            "answer": pair.answer,
            "wrong": pair.wrong,
            "kind": cells[0].kind,
            "cells": [(cell.layer, cell.index) for cell in cells],
            "threads": threads,
        }
        assert self._process.stdin is not None
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        found = self._answer()
        return Answer(np.array(found["values"]), found["sources"], found["cells"])

    def close(self) -> None:
        """End the process and remove the model's copy."""
        self._process.terminate()
        self._process.wait()
        self._folder.cleanup()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            words = "\n".join(self._log.read_text(errors="replace").splitlines()[-15:])
            raise SystemExit(f"{words}\nbench: TransformerLens ended; the whole log is {self._log}")
        answer: dict[str, Any] = json.loads(line)
        return answer
