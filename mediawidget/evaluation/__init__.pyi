from .agreeing import Agreement, Overlap, agreement, overlap
from .complete import Completeness, completeness
from .controls import AgainstRandom, against_random, random_circuits
from .curves import SIZES, Curve, areas, curve
from .edges import EdgeValues
from .faithful import Faithfulness, faithfulness
from .keeping import NodeValues
from .minimal import Minimality, minimality
from .published import known
from .scoring import as_scores, ranked
from .stable import Stability, jaccard, stability
from .transfers import SideEffects, Transfer, by_template, side_effects, transfer
from .values import CircuitValues, Rest, Terms, without

__all__ = [
    "SIZES",
    "AgainstRandom",
    "Agreement",
    "CircuitValues",
    "Completeness",
    "Curve",
    "EdgeValues",
    "Faithfulness",
    "Minimality",
    "NodeValues",
    "Overlap",
    "Rest",
    "SideEffects",
    "Stability",
    "Terms",
    "Transfer",
    "against_random",
    "agreement",
    "areas",
    "as_scores",
    "by_template",
    "completeness",
    "curve",
    "faithfulness",
    "jaccard",
    "known",
    "minimality",
    "overlap",
    "random_circuits",
    "ranked",
    "side_effects",
    "stability",
    "transfer",
    "without",
]
