"""What the pairs of an effect say about other pairs, and about the effect itself."""

from .base import OnPairs, cell_columns, count
from .diagnostics import Diagnostics
from .intervals import Intervals
from .samples import Samples
from .scales import Scales

__all__ = ["Diagnostics", "Intervals", "OnPairs", "Samples", "Scales", "cell_columns", "count"]
