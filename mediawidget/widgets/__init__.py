"""Views of a study. Each stands alone in a cell; views of one study are linked."""

from ._base import View
from .explorer import Explorer
from .gate_playground import GatePlayground
from .head_grid import HeadGrid
from .mediation_diagram import MediationDiagram
from .token_heatmap import TokenHeatmap

__all__ = ["Explorer", "GatePlayground", "HeadGrid", "MediationDiagram", "TokenHeatmap", "View"]
