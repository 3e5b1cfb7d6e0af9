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

__version__: str
