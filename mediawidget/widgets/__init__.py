"""Views of a study. Each stands alone in a cell; views of one study are linked."""

from ._base import View
from .attention_pattern import AttentionPattern
from .basket import Basket
from .causal_trace import CausalTrace
from .circuit_board import CircuitBoard
from .counterfactual_designer import CounterfactualDesigner
from .explorer import Explorer
from .exports.page import export_html
from .feature_grid import FeatureGrid
from .gate_playground import GatePlayground
from .head_grid import HeadGrid
from .interaction_grid import InteractionGrid
from .logit_lens import LogitLens
from .mediation_diagram import MediationDiagram
from .neurons import Neurons
from .prompt_editor import PromptEditor
from .token_heatmap import TokenHeatmap

__all__ = [
    "AttentionPattern",
    "Basket",
    "CausalTrace",
    "CircuitBoard",
    "CounterfactualDesigner",
    "Explorer",
    "FeatureGrid",
    "GatePlayground",
    "HeadGrid",
    "InteractionGrid",
    "LogitLens",
    "MediationDiagram",
    "Neurons",
    "PromptEditor",
    "TokenHeatmap",
    "View",
    "export_html",
]
