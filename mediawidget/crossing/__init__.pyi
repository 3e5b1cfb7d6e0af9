from .crossed import CrossPatch
from .maps import AffineMap, least_squares, procrustes
from .patching import cross_patch

__all__ = ["AffineMap", "CrossPatch", "cross_patch", "least_squares", "procrustes"]
