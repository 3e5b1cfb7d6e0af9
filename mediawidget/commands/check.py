"""Say what is installed, and prove on the embedded model that it works."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from . import study

PACKAGES = (
    "mediawidget",
    "torch",
    "nnsight",
    "transformers",
    "numpy",
    "anywidget",
    "ipywidgets",
    "jupyterlab",
)
STATIC = Path(__file__).parents[1] / "static"


def main() -> int:
    """Print versions, device and a self-check; 1 where something does not work."""
    print("\n".join(versions()))
    print("\n".join(device()))
    print(server())
    problems = list(front_end_problems())
    print("front end     " + ("; ".join(problems) or "built; anywidget is known to JupyterLab"))
    failed = self_check()
    print("Self-check failed." if failed else "Self-check passed.")
    return int(failed or bool(problems))


def versions() -> Iterable[str]:
    """Return a line per package that matters."""
    yield f"Python        {platform.python_version()} ({sys.executable})"
    for name in PACKAGES:
        try:
            yield f"{name:<13} {version(name)}"
        except PackageNotFoundError:
            yield f"{name:<13} not installed"


def device() -> Iterable[str]:
    """Say what computes."""
    import torch

    yield f"device        CPU, {torch.get_num_threads()} threads"
    for index in range(torch.cuda.device_count()):
        yield f"device        cuda:{index}, {torch.cuda.get_device_name(index)}"


def server() -> str:
    """Say which server ``remote=True`` would ask, and whether with a key; nothing is asked."""
    from ..errors import MediationError
    from ..remote.server import Server

    try:
        usual = Server()
        key = "a key is there" if usual.key() else "no key (only remote=True needs one)"
    except MediationError as error:
        return f"server        {error.message} {error.fix}"
    return f"server        {usual.host}, {key}"


def front_end_problems() -> Iterable[str]:
    """Say what would keep a widget from being drawn in a JupyterLab of this environment."""
    if not list(STATIC.glob("*.js")):
        yield f"no bundle in {STATIC}: run `make setup`, or install a wheel"
    try:
        version("jupyterlab")
    except PackageNotFoundError:
        return
    if not (Path(sys.prefix) / "share/jupyter/labextensions/anywidget").is_dir():
        yield "JupyterLab does not know anywidget: install anywidget beside JupyterLab"


def self_check() -> bool:
    """Sweep the heads of the embedded model; return whether a check failed."""
    from ..loading import load
    from ..study import Study
    from ..tasks import ioi

    started = time.perf_counter()
    lm = load()
    effect = Study(lm, ioi(lm, n=2, seed=0)).sweep("head")
    print("\n".join(study.checks(effect.checks)), end="")
    print(f"{effect.status.size} heads in {time.perf_counter() - started:.1f} s, loading included")
    return any(check.ok is False for check in effect.checks)
