"""Other pairs than these: halves, groups, and how many there should be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ..errors import MediationError, require
from ..statistics import (
    FEWEST,
    cluster_sums,
    halves,
    pairs_needed,
    refuse_no_seed,
)
from .base import OnPairs, count
from .intervals import Intervals

if TYPE_CHECKING:
    import pandas as pd

NO_GROUP = "no group"

_MOST = 1e300
"""Larger sizes are none that a metric has."""


class Samples(Intervals, OnPairs):
    """What other pairs would show."""

    def split(self, seed: int = 0) -> tuple[Self, Self]:
        """The effect on each half of the pairs, drawn at random; clusters stay whole.

        Cells that were picked on one half are reported on the other.

        Raises:
            MediationError: a single pair or cluster.
        """
        refuse_no_seed(seed)
        require(
            self.n_clusters >= 2,
            "Halves are made of several pairs.",
            value=f"{self.n_pairs} pairs, {self.n_clusters} independent",
            expected="at least 2",
            fix="mw.tasks.ioi(lm, n=64) makes a contrast of many",
        )
        first, second = halves(self._codes(), seed)
        return self.of_pairs(first), self.of_pairs(second)

    def select_and_report(
        self,
        key: str,
        n: int = 10,
        level: float = 0.95,
        resamples: int = 2000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """The ``n`` strongest cells on half of the pairs, and what they are on the other half.

        The strongest of many cells were lucky too, so on the pairs that picked them they look
        larger than they are (the winner's curse).

        Args:
            key: a quantity, as in ``pairs``.
            n: how many cells.
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the halves and of the bootstrap.

        Returns:
            A row per cell: its coordinates and label; ``picked``, the mean that picked it;
            ``n``, ``mean``, ``low`` and ``high`` on the pairs that did not. In the metric's unit.

        Raises:
            MediationError: fewer than five pairs or clusters.
        """
        n = count(n, "cells", "effect.select_and_report('PIE', n=10)")
        require(
            self.n_clusters >= 2 * FEWEST - 1,
            "Each half needs several pairs.",
            value=f"{self.n_pairs} pairs, {self.n_clusters} independent",
            expected=f"at least {2 * FEWEST - 1}; pairs of one template count as one",
            fix="mw.tasks.ioi(lm, n=64) makes a contrast of many",
        )
        first, second = self.split(seed)
        n_cells = self.status.size
        picked = first.pairs(key).reshape(-1, n_cells).mean(axis=0)
        low, high = second.ci(key, level, resamples, seed).reshape(2, n_cells)
        table = self._table(
            picked=picked,
            n=second.n_pairs,
            mean=second.pairs(key).reshape(-1, n_cells).mean(axis=0),
            low=low,
            high=high,
        )
        ranked = table.dropna(subset=["picked"]).sort_values(
            "picked", key=np.abs, ascending=False, kind="stable"
        )
        return ranked.head(n)

    def pairs_needed(
        self,
        key: str,
        effect_size: float | None = None,
        power: float = 0.8,
        alpha: float = 0.05,
    ) -> Any:
        """How many pairs find a mean of ``effect_size``: an array on the axes, or a float.

        For a two-sided one-sample t test over pairs (noncentral t; Cohen 1988), one test and not
        corrected for many. Where pairs share clusters the clusters are tested, and as many pairs
        a cluster taken as there are here on average.

        Args:
            key: a quantity, as in ``pairs``.
            effect_size: the mean to be found, in the metric's unit; default the observed one,
                which for cells that were picked as the strongest is too large.
            power: chance of finding it.
            alpha: chance of finding what is not there.

        Returns:
            From 2; inf for an effect of 0, NaN for cells not run.

        Raises:
            MediationError: fewer than three pairs or clusters to judge their spread by.
        """
        size: object = effect_size
        number = isinstance(size, int | float | np.floating) and not isinstance(size, bool)
        require(
            size is None or (number and abs(size) < _MOST),  # type: ignore[arg-type]
            "The effect to be found is a number.",
            value=effect_size,
            expected=f"a float, in {self.metric.unit}, or None for the observed one",
            fix="effect.pairs_needed('PIE', effect_size=0.1)",
        )
        sums = cluster_sums(self._flat(key), self._codes())
        each = self.n_pairs / len(sums)
        needed = np.ceil(each * pairs_needed(sums / each, effect_size, power, alpha))
        return self._on_axes(needed)

    def by_group(
        self, key: str, level: float = 0.95, resamples: int = 2000, seed: int = 0
    ) -> pd.DataFrame:
        """The quantity in each group of pairs, the groups of a cell one below the other.

        For a table with groups side by side:
        ``effect.by_group("PIE").pivot_table("mean", "site", "group")``.

        Args:
            key: a quantity, as in ``pairs``.
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Returns:
            A row per cell and group: coordinates and label, ``group``, ``n`` pairs, ``mean`` in
            the metric's unit, ``low`` and ``high`` as ``ci`` gives them on the group's pairs, NaN
            where these are fewer than three, or of fewer than three clusters.

        Raises:
            MediationError: the pairs have no groups.
        """
        import pandas as pd

        if not self.groups:
            raise MediationError(
                "These pairs have no groups.",
                value="groups=()",
                expected="pairs that are named: PromptPair(..., group='ABBA')",
                fix="effect.summary(key) is the table of all pairs",
            )
        tables = []
        for name in dict.fromkeys(self.groups):
            part = self.of_pairs(np.flatnonzero([group == name for group in self.groups]))
            mean = part.pairs(key).reshape(part.n_pairs, -1).mean(axis=0)
            ends = np.full((2, len(mean)), np.nan)
            if part.n_clusters >= FEWEST:
                ends = part.ci(key, level, resamples, seed).reshape(ends.shape)
            columns = {"n": part.n_pairs, "mean": mean, "low": ends[0], "high": ends[1]}
            tables.append(self._table(group=name or NO_GROUP, **columns))
        return pd.concat(tables).sort_index(kind="stable").reset_index(drop=True)
