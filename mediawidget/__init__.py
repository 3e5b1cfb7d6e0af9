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
    from . import (
        abstraction,
        alignment,
        charts,
        contrasting,
        crossing,
        directions,
        erasure,
        evaluation,
        features,
        lenses,
        models,
        networks,
        remote,
        search,
        tasks,
        teach,
    )
    from .architectures import ModulePaths
    from .circuit import Circuit
    from .coalitions import Interactions
    from .doses import DoseCurve, dose_curve
    from .edits import (
        Clamp,
        Edit,
        Knockout,
        Mean,
        Noise,
        Patch,
        Projection,
        Resample,
        Scale,
        Steer,
        Subspace,
        Values,
        Within,
        Zero,
    )
    from .effects import Effect, Status
    from .engine import Engine
    from .errors import MediationError
    from .games import interactions
    from .history import Intervention
    from .inputs import InputPair
    from .jobs import Job
    from .lm import LM
    from .loading import load
    from .metrics import (
        KL,
        Function,
        Logit,
        LogitDiff,
        LogOdds,
        LogProb,
        Metric,
        Prob,
        ProbDiff,
        Rank,
    )
    from .prompts import Contrast, PromptPair
    from .readouts import Readout
    from .routing import Routes, routes
    from .runs import Run
    from .sites import Site
    from .study import Study
    from .sweeps import Sweep
    from .trace_runs import causal_tracing
    from .tracing import Tracing
    from .validity import Check
    from .widgets import (
        AttentionPattern,
        Basket,
        CausalTrace,
        CircuitBoard,
        CounterfactualDesigner,
        Explorer,
        FeatureGrid,
        GatePlayground,
        HeadGrid,
        InteractionGrid,
        LogitLens,
        MediationDiagram,
        Neurons,
        PromptEditor,
        TokenHeatmap,
        export_html,
    )
    from .wiring import Edge

_HOMES = {
    "architectures": ["ModulePaths"],
    "circuit": ["Circuit"],
    "doses": ["DoseCurve", "dose_curve"],
    "edits": [
        *("Clamp", "Edit", "Knockout", "Mean", "Noise", "Patch", "Projection"),
        *("Resample", "Scale", "Steer", "Subspace", "Values", "Within", "Zero"),
    ],
    "effects": ["Effect", "Status"],
    "engine": ["Engine"],
    "games": ["interactions"],
    "coalitions": ["Interactions"],
    "errors": ["MediationError"],
    "history": ["Intervention"],
    "inputs": ["InputPair"],
    "jobs": ["Job"],
    "lm": ["LM"],
    "loading": ["load"],
    "metrics": [
        *("KL", "Function", "LogOdds", "LogProb", "Logit"),
        *("LogitDiff", "Metric", "Prob", "ProbDiff", "Rank"),
    ],
    "prompts": ["Contrast", "PromptPair"],
    "readouts": ["Readout"],
    "routing": ["Routes", "routes"],
    "runs": ["Run"],
    "sites": ["Site"],
    "study": ["Study"],
    "sweeps": ["Sweep"],
    "trace_runs": ["causal_tracing"],
    "tracing": ["Tracing"],
    "validity": ["Check"],
    "widgets": [
        *("AttentionPattern", "Basket", "LogitLens", "Neurons"),
        *(
            "CausalTrace",
            "CircuitBoard",
            "CounterfactualDesigner",
            "Explorer",
            "FeatureGrid",
            "GatePlayground",
            "HeadGrid",
        ),
        *("InteractionGrid", "MediationDiagram", "PromptEditor", "TokenHeatmap"),
        "export_html",
    ],
    "wiring": ["Edge"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
_MODULES = (
    "abstraction",
    "alignment",
    "charts",
    "contrasting",
    "crossing",
    "directions",
    "erasure",
    "evaluation",
    "features",
    "lenses",
    "models",
    "networks",
    "remote",
    "search",
    "tasks",
    "teach",
)

__all__ = [
    "KL",
    "LM",
    "AttentionPattern",
    "Basket",
    "CausalTrace",
    "Check",
    "Circuit",
    "CircuitBoard",
    "Clamp",
    "Contrast",
    "CounterfactualDesigner",
    "DoseCurve",
    "Edge",
    "Edit",
    "Effect",
    "Engine",
    "Explorer",
    "FeatureGrid",
    "Function",
    "GatePlayground",
    "HeadGrid",
    "InputPair",
    "InteractionGrid",
    "Interactions",
    "Intervention",
    "Job",
    "Knockout",
    "LogOdds",
    "LogProb",
    "Logit",
    "LogitDiff",
    "LogitLens",
    "Mean",
    "MediationDiagram",
    "MediationError",
    "Metric",
    "ModulePaths",
    "Neurons",
    "Noise",
    "Patch",
    "Prob",
    "ProbDiff",
    "Projection",
    "PromptEditor",
    "PromptPair",
    "Rank",
    "Readout",
    "Resample",
    "Routes",
    "Run",
    "Scale",
    "Site",
    "Status",
    "Steer",
    "Study",
    "Subspace",
    "Sweep",
    "TokenHeatmap",
    "Tracing",
    "Values",
    "Within",
    "Zero",
    "abstraction",
    "alignment",
    "causal_tracing",
    "charts",
    "contrasting",
    "crossing",
    "directions",
    "dose_curve",
    "erasure",
    "evaluation",
    "export_html",
    "features",
    "interactions",
    "lenses",
    "load",
    "models",
    "networks",
    "remote",
    "routes",
    "search",
    "tasks",
    "teach",
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
