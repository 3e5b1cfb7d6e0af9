"""Causal mediation analysis of neural networks, clicked through in a notebook.

>>> import mediawidget as mw
>>> study = mw.Study(mw.load(), mw.PromptPair(clean=..., corrupt=..., answer=..., wrong=...))
>>> mw.Explorer(study)

Names are imported when they are first used, so that ``import mediawidget`` stays light: a saved
effect opens without torch.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import models, tasks
    from .architectures import ModulePaths
    from .edits import Edit, Mean, Patch, Zero
    from .effects import Effect, Status
    from .engine import Engine
    from .errors import MediationError
    from .history import Intervention
    from .jobs import Job
    from .lm import LM, load
    from .metrics import Logit, LogitDiff, LogProb, Metric, Prob
    from .prompts import Contrast, PromptPair
    from .runs import Run, Sweep
    from .sites import Site
    from .study import Study
    from .validity import Check
    from .widgets import Explorer, HeadGrid, TokenHeatmap

_HOMES = {
    "architectures": ["ModulePaths"],
    "edits": ["Edit", "Mean", "Patch", "Zero"],
    "effects": ["Effect", "Status"],
    "engine": ["Engine"],
    "errors": ["MediationError"],
    "history": ["Intervention"],
    "jobs": ["Job"],
    "lm": ["LM", "load"],
    "metrics": ["LogProb", "Logit", "LogitDiff", "Metric", "Prob"],
    "prompts": ["Contrast", "PromptPair"],
    "runs": ["Run", "Sweep"],
    "sites": ["Site"],
    "study": ["Study"],
    "validity": ["Check"],
    "widgets": ["Explorer", "HeadGrid", "TokenHeatmap"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = ("models", "tasks")

__all__ = [
    "LM",
    "Check",
    "Contrast",
    "Edit",
    "Effect",
    "Engine",
    "Explorer",
    "HeadGrid",
    "Intervention",
    "Job",
    "LogProb",
    "Logit",
    "LogitDiff",
    "Mean",
    "MediationError",
    "Metric",
    "ModulePaths",
    "Patch",
    "Prob",
    "PromptPair",
    "Run",
    "Site",
    "Status",
    "Study",
    "Sweep",
    "TokenHeatmap",
    "Zero",
    "load",
    "models",
    "tasks",
]

try:
    __version__ = version("mediawidget")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    if name in _HOME_OF:
        return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
