"""What a sample of pairs says about all pairs: arrays in, arrays out, the pair is the unit."""

from .clusters import cluster_codes, clusters_of, groups_of, refuse_no_names
from .resampling import FEWEST, bootstrap_mean

__all__ = [
    "FEWEST",
    "bootstrap_mean",
    "cluster_codes",
    "clusters_of",
    "groups_of",
    "refuse_no_names",
]
