from .comparing import Comparison, compare, standard
from .dormant import Dormancy, check_dormant
from .found import Direction
from .illusions import illusion
from .makers import difference_of_means, given, principal, random
from .placebos import Placebos, placebo
from .probes import probe
from .row_spaces import RowSpace, row_space
from .splitting import Split, split
from .studies import halves
from .sweeping import sweep

__all__ = [
    "Comparison",
    "Direction",
    "Dormancy",
    "Placebos",
    "RowSpace",
    "Split",
    "check_dormant",
    "compare",
    "difference_of_means",
    "given",
    "halves",
    "illusion",
    "placebo",
    "principal",
    "probe",
    "random",
    "row_space",
    "split",
    "standard",
    "sweep",
]
