from .amnesic_probing import amnesic
from .amnesic_result import Amnesic
from .erasers import Eraser
from .least_squares import Leace, leace
from .nullspace import Inlp, Round, inlp
from .probing import Probed, probed

__all__ = [
    "Amnesic",
    "Eraser",
    "Inlp",
    "Leace",
    "Probed",
    "Round",
    "amnesic",
    "inlp",
    "leace",
    "probed",
]
