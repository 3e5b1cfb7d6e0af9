"""Which pairs belong together: clusters are drawn whole, groups are shown side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import require
from ..prompts import PromptPair

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
"""Per pair the number of its cluster, counted from 0 in the order of first sight."""


def clusters_of(pairs: Sequence[PromptPair]) -> tuple[str, ...]:
    """Per pair the name of its template, as ``Effect.clusters`` has it.

    () if none has any, and if all are of the same template: what is said then is said of pairs
    of that template, for it is the only one there is, and every pair is a unit.
    """
    templates = _names([pair.template for pair in pairs])
    return templates if len(set(templates)) > 1 else ()


def groups_of(pairs: Sequence[PromptPair]) -> tuple[str, ...]:
    """Per pair the name of its group, as ``Effect.groups`` has it; () if none has any."""
    return _names([pair.group for pair in pairs])


def cluster_codes(clusters: Sequence[str], n_pairs: int) -> Codes:
    """Per pair the number of its cluster.

    A pair without a name is a cluster of its own. Pairs that are all of one cluster are one unit:
    they may be part of an effect that has others.
    """
    if not clusters:
        return np.arange(n_pairs)
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(c or i, len(numbers)) for i, c in enumerate(clusters)])


def cluster_sums(values: Array, codes: Codes) -> Array:
    """Sums over the pairs of each cluster: (pair, *rest) to (cluster, *rest)."""
    sums = np.zeros((int(codes.max()) + 1, *values.shape[1:]))
    np.add.at(sums, codes, values)
    return sums


def same_sign(values: Array) -> Array:
    """The share of pairs with the sign of the mean: (pair, *rest) to (*rest).

    NaN where the mean is 0 or something was not run.
    """
    mean = values.mean(axis=0)
    share = (np.sign(values) == np.sign(mean)).mean(axis=0)
    return np.where(np.isfinite(mean) & (mean != 0), share, np.nan)


def halves(codes: Codes, seed: int) -> tuple[Codes, Codes]:
    """The pairs of one half of the clusters, drawn at random, and those of the other half.

    Each in the order of the pairs. Of an odd number of clusters the second half gets one more.
    """
    clusters = np.random.default_rng(seed).permutation(int(codes.max()) + 1)
    first = np.isin(codes, clusters[: len(clusters) // 2])
    return np.flatnonzero(first), np.flatnonzero(~first)


def refuse_no_names(what: str, names: object, n_pairs: int) -> None:
    """Raise unless ``names`` is a tuple of a text for every pair, or of none."""
    require(
        isinstance(names, tuple)
        and len(names) in (0, n_pairs)
        and all(isinstance(name, str) for name in names),
        f"The {what} of an effect are named pair by pair.",
        value=names,
        expected=f"a tuple of {n_pairs} texts, or ()",
        fix=f"replace(effect, {what}=('a', 'a', 'b', ...))",
    )


def _names(names: list[str]) -> tuple[str, ...]:
    return tuple(names) if any(names) else ()
