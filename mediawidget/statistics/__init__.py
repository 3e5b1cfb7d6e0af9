"""What a sample of pairs says about all pairs: arrays in, arrays out, the pair is the unit."""

from .clusters import (
    cluster_codes,
    cluster_sums,
    clusters_of,
    groups_of,
    halves,
    refuse_no_names,
    same_sign,
)
from .means import mean_interval
from .permutation import CORRECTIONS, q_values, refuse_no_correction
from .power import pairs_needed
from .ranks import overlap, rank_correlations
from .resampling import (
    FEWEST,
    bootstrap_ratio,
    refuse_few,
    refuse_no_seed,
    resample_weights,
    resampled_ratio,
    unbounded_ends,
)

__all__ = [
    "CORRECTIONS",
    "FEWEST",
    "bootstrap_ratio",
    "cluster_codes",
    "cluster_sums",
    "clusters_of",
    "groups_of",
    "halves",
    "mean_interval",
    "overlap",
    "pairs_needed",
    "q_values",
    "rank_correlations",
    "refuse_few",
    "refuse_no_correction",
    "refuse_no_names",
    "refuse_no_seed",
    "resample_weights",
    "resampled_ratio",
    "same_sign",
    "unbounded_ends",
]
