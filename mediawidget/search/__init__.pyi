from .contextual import cdt
from .contextual_result import CDTResult
from .edge_attribution import eap
from .edge_cuts import exact_edges
from .edge_pruning import acdc
from .edge_scores import EdgeScores
from .mask_result import Masked
from .mask_training import masks, masks_job
from .node_selection import greedy, greedy_job, top_k
from .pairwise import Pairs, pairs
from .pruned import Pruned
from .selection import Selection
from .sender_paths import path_patching, path_patching_job
from .single_path import path

__all__ = [
    "CDTResult",
    "EdgeScores",
    "Masked",
    "Pairs",
    "Pruned",
    "Selection",
    "acdc",
    "cdt",
    "eap",
    "exact_edges",
    "greedy",
    "greedy_job",
    "masks",
    "masks_job",
    "pairs",
    "path",
    "path_patching",
    "path_patching_job",
    "top_k",
]
