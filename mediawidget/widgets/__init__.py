"""Views of a study. Each stands alone in a cell; views of one study are linked."""

from ._base import View
from .explorer import Explorer
from .head_grid import HeadGrid
from .token_heatmap import TokenHeatmap

__all__ = ["Explorer", "HeadGrid", "TokenHeatmap", "View"]
