"""Whether the same search finds the same circuit on other pairs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..circuit import Circuit
from ..effects import Effect
from ..errors import MediationError, require
from ..sites import Site
from ..statistics import cluster_codes, cluster_sums, refuse_no_names, resample_weights
from ..statistics.resampling import whole
from ..wiring import Edge
from .scoring import Element, Rank, as_elements, as_floats, ranked, sites_of, toward_clean

Array = NDArray[np.float64]
Search = Callable[[dict[Element, float]], Collection[Element] | Circuit]


@dataclass(frozen=True, eq=False)
class Stability:
    """The sets that a search finds on resampled pairs.

    Attributes:
        elements: all candidates.
        found: what is found on all pairs.
        sets: what is found on each resample.
        n_pairs: how many pairs there are.
        n_units: how many of them, or of their clusters, are drawn.
    """

    elements: tuple[Element, ...]
    found: frozenset[Element]
    sets: tuple[frozenset[Element], ...]
    n_pairs: int
    n_units: int

    @property
    def to_found(self) -> Array:
        """(resample,) Jaccard index of each resample's set with the one of all pairs."""
        return np.array([jaccard(one, self.found) for one in self.sets])

    @property
    def jaccard(self) -> float:
        """The mean Jaccard index of two resamples' sets: 1 is the same set every time."""
        return float(np.mean([jaccard(a, b) for a, b in combinations(self.sets, 2)]))

    @property
    def frequency(self) -> dict[Element, float]:
        """Per candidate the share of resamples that find it."""
        n = len(self.sets)
        return {one: sum(one in found for found in self.sets) / n for one in self.elements}

    def to_dataframe(self) -> pd.DataFrame:
        """A row per candidate that is ever found: how often, and whether on all pairs."""
        rows = [
            (one.label(), share, one in self.found)
            for one, share in self.frequency.items()
            if share or one in self.found
        ]
        table = pd.DataFrame(rows, columns=["what", "frequency", "found"])
        return table.sort_values("frequency", ascending=False, ignore_index=True, kind="stable")

    def __repr__(self) -> str:
        units = "pairs" if self.n_units == self.n_pairs else "clusters"
        return (
            f"Stability(Jaccard {self.jaccard:.2f} between resamples, {self.to_found.mean():.2f} "
            f"with the {len(self.found)} found on all pairs; {len(self.sets)} resamples of "
            f"{self.n_units} {units}, n={self.n_pairs})"
        )


def stability(  # noqa: PLR0913 - all but the first two are named
    scores: Effect | Array,
    search: Search | int,
    *,
    elements: Sequence[Element] = (),
    clusters: Sequence[str] = (),
    by: str | None = None,
    rank: Rank = "absolute",
    resamples: int = 200,
    seed: int = 0,
) -> Stability:
    """Draw pairs anew, search again, and compare what is found. Runs no model.

    Args:
        scores: an effect over heads or MLPs, whose pairs are kept, or (pair, candidate) scores.
        search: from mean scores to what is found, or how many of the highest to take.
        elements: of an array the candidates.
        clusters: of an array per pair the name of its cluster; clusters are drawn whole.
        by: which quantity of an effect.
        rank: the order in which a number of the highest is taken; "signed" takes first what has
            the sign of an effect's TE over all pairs, and an array as it is.
        resamples: how many; a hundred tell 0.8 from 0.9.
        seed: of the draw.

    Raises:
        MediationError: fewer than three pairs or clusters, scores that are not finite.
    """
    toward = toward_clean(scores)
    if isinstance(scores, Effect):
        key = ("PIE" if scores.edit.corners else "clean") if by is None else by
        elements, clusters = sites_of(scores), scores.clusters
        scores = scores.pairs(key).reshape(scores.n_pairs, -1)
    values, elements = as_floats(scores), as_elements(elements)
    if values.ndim != 2 or values.shape[1] != len(elements) or not np.isfinite(values).all():
        raise MediationError(
            "Scores are those of every candidate on every pair.",
            value=f"shape {values.shape}, {len(elements)} candidates",
            expected="finite numbers of shape (pair, candidate), and elements=[...] to name them",
            fix="stability(study.sweep('head'), 10)",
        )
    codes = cluster_codes(_names(clusters, len(values)), len(values))
    sums, sizes = cluster_sums(values, codes), cluster_sums(np.ones((len(values), 1)), codes)
    weights = resample_weights(len(sums), resamples, seed)
    means = (weights @ sums) / (weights @ sizes)
    find = _searching(search, rank, toward)
    sets = [_found(find, elements, mean) for mean in [values.mean(axis=0), *means]]
    return Stability(tuple(elements), sets[0], tuple(sets[1:]), len(values), len(sums))


def jaccard(first: Collection[Element], second: Collection[Element]) -> float:
    """The share of all that is in either set that is in both; 1 for two empty sets.

    Args:
        first: nodes, or edges.
        second: of the same kind.

    Raises:
        MediationError: something else.
    """
    one, other = set(as_elements(first)), set(as_elements(second))
    return len(one & other) / len(one | other) if one or other else 1.0


def _names(clusters: object, n_pairs: int) -> tuple[str, ...]:
    names: Any = tuple(clusters) if isinstance(clusters, Sequence) else clusters
    refuse_no_names("clusters", names, n_pairs)
    return tuple(names)


def _searching(search: Search | int, rank: Rank, toward: int) -> Search:
    if callable(search):
        return search
    count = search
    require(
        whole(count, 1),
        "A search finds something of mean scores.",
        value=search,
        expected="a function of {site: score}, or how many of the highest to take",
        fix="stability(effect, 10)",
    )
    return lambda scores: ranked({k: toward * v for k, v in scores.items()}, rank)[:count]


def _found(find: Search, elements: Sequence[Element], means: Array) -> frozenset[Element]:
    found = find(dict(zip(elements, means.tolist(), strict=True)))
    if isinstance(found, Circuit):
        return frozenset(found.nodes if found.edges is None else found.edges)
    several: object = found
    require(
        isinstance(several, Collection) and all(isinstance(one, Site | Edge) for one in several),
        "A search finds sites or edges.",
        value=several,
        expected="a set of them, or a Circuit",
        fix="lambda scores: {site for site, score in scores.items() if abs(score) > 0.1}",
    )
    return frozenset(found)
