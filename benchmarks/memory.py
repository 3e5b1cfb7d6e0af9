"""Peak memory of a sweep above the loaded model, in a process of its own, beside the budget."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import mediawidget as mw

from . import subject

MIB = 2**20
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Ask:
    """A sweep to run once: ``kind`` and ``by`` on ``n_pairs`` prompts of ``n_tokens``."""

    model: str
    sizes: Mapping[str, int]
    kind: str
    by: str | None
    n_tokens: int
    first_difference: int
    n_pairs: int
    budget: int
    layers: Sequence[int] | None = None


def measure(ask: Ask) -> int:
    """Bytes, measured by a fresh process.

    Raises:
        SystemExit: it failed; its words are on the screen.
    """
    command = [sys.executable, "-m", "benchmarks.memory", json.dumps(asdict(ask))]
    done = subprocess.run(
        command, cwd=Path(__file__).parent.parent, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"bench: a memory test failed: {ask}")
    return int(done.stdout.splitlines()[-1])


def possible() -> bool:
    """Whether the peak can be seen: on a GPU, and on Linux."""
    return torch.cuda.is_available() or os.access(CLEAR, os.W_OK)


def peak(ask: Ask) -> int:
    """Bytes, here and now; meant for a process that does nothing else."""
    target = getattr(subject, ask.model)(**ask.sizes)
    rng = random.Random(0)
    parted, length = ask.first_difference, ask.n_tokens
    pairs = [target.pair(parted, rng, length) for _ in range(ask.n_pairs)]
    study, warm = mw.Study(target.lm, pairs), mw.Study(target.lm, target.pair(1, rng, 4))
    study.engine.budget = warm.engine.budget = ask.budget
    warm.intervene(mw.Site("head", 0, head=0))
    before = _begin()
    study.sweep(ask.kind, ask.by, layers=ask.layers, progress=False)
    return _peak() - before


def _begin() -> int:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    CLEAR.write_text("5")  # from here on the high-water mark is of what follows
    return _status("VmRSS")


def _peak() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else _status("VmHWM")


def _status(name: str) -> int:
    lines = STATUS.read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def main(argument: str) -> None:
    """Print the peak of what is asked, in bytes."""
    asked: dict[str, Any] = json.loads(argument)
    print(peak(Ask(**asked)))


if __name__ == "__main__":
    main(sys.argv[1])
