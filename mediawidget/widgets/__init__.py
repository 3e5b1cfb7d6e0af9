"""Views of a study. Each stands alone in a cell; views of one study are linked."""

from ._base import View
from .causal_trace import CausalTrace
from .explorer import Explorer
from .gate_playground import GatePlayground
from .head_grid import HeadGrid
from .interaction_grid import InteractionGrid
from .mediation_diagram import MediationDiagram
from .prompt_editor import PromptEditor
from .token_heatmap import TokenHeatmap

__all__ = [
    "CausalTrace",
    "Explorer",
    "GatePlayground",
    "HeadGrid",
    "InteractionGrid",
    "MediationDiagram",
    "PromptEditor",
    "TokenHeatmap",
    "View",
]
