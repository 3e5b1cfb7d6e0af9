"""Where restoring and breaking disagree: the interaction of a site with all else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import MediationError
from ..statistics import cluster_sums, overlap, rank_correlations, resample_weights, same_sign
from .base import Array, OnPairs

if TYPE_CHECKING:
    import pandas as pd

LARGE_SHARE = 0.5
"""An interaction above this share of the larger of TIE and PIE is flagged: a rule of thumb."""

LEAST_SHARE = 0.01
"""An interaction below this share of the total effect is not flagged, whatever the cell's own."""

FEWEST_CELLS = 3


class Diagnostics(OnPairs):
    """TIE = PIE + INT: a cell's rank depends on which of the two is asked for."""

    def interaction(
        self, level: float = 0.95, resamples: int = 2000, seed: int = 0
    ) -> pd.DataFrame:
        """A row per cell: how much of its effect hangs on the state of everything else.

        Positive INT = TIE - PIE: the site's clean value adds more where the rest is clean (as an
        input of an AND does); negative: it adds less there (OR: the rest can stand in for it).
        Of a site that opposes the answer a positive INT means that it opposes less there.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Returns:
            Coordinates and label; ``PIE``, ``TIE``, ``INT`` and its ``low`` and ``high``, in the
            metric's unit, within pairs; ``sd`` of INT over pairs; ``same_sign``, the share of
            pairs whose INT has the sign of its mean: near a half, pairs of two kinds cancel;
            ``share`` = INT / max(|TIE|, |PIE|), NaN where both are 0; ``flagged``: the interval
            excludes 0, |share| is over 0.5, and |INT| is over 1% of |TE|, rules of thumb.

        Source: VanderWeele 2014 (the mediated interaction).

        Raises:
            MediationError: edits to a constant; fewer than three pairs or clusters.
        """
        pie, tie, interaction = (self._flat(key) for key in ("PIE", "TIE", "INT"))
        low, high = self._interval(interaction, level, resamples, seed)
        means = {"PIE": pie.mean(axis=0), "TIE": tie.mean(axis=0), "INT": interaction.mean(axis=0)}
        larger = np.maximum(np.abs(means["TIE"]), np.abs(means["PIE"]))
        share = np.where(larger > 0, means["INT"] / np.where(larger > 0, larger, 1.0), np.nan)
        sure = (low > 0) | (high < 0)
        counts = np.abs(means["INT"]) > LEAST_SHARE * np.abs(self._flat("TE").mean(axis=0))
        return self._table(
            **means,
            low=low,
            high=high,
            sd=interaction.std(axis=0, ddof=1),
            same_sign=same_sign(interaction),
            share=share,
            flagged=sure & counts & (np.abs(share) > LARGE_SHARE),
        )

    def rank_disagreement(
        self, level: float = 0.95, resamples: int = 2000, seed: int = 0
    ) -> pd.Series:
        """Whether PIE and TIE put the cells into the same order.

        Args:
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Returns:
            ``spearman``, the rank correlation of PIE and TIE (means over pairs, with their signs)
            over the ``cells`` whose interval of either excludes 0, for the order of noise is no
            order; ``low`` and ``high``, as far from it to both sides as its farther percentile
            over resampled pairs, clusters whole: noise lowers a rank correlation, and the noise of
            a resample lowers it again, so that the percentiles alone lie too low; ``overlap_5``
            and ``overlap_10``: of the 5 and 10 largest cells by |PIE|, the share that are so by
            |TIE|; NaN where there are no more cells than that.

        Raises:
            MediationError: edits to a constant; fewer than three pairs or clusters; fewer than
                three cells whose effect can be told from 0.
        """
        import pandas as pd

        pie, tie = self._flat("PIE"), self._flat("TIE")
        sure = np.zeros(pie.shape[1], dtype=bool)
        for values in (pie, tie):
            low, high = self._interval(values, level, resamples, seed)
            sure |= (low > 0) | (high < 0)
        if sure.sum() < FEWEST_CELLS:
            raise MediationError(
                "An order is one of several cells.",
                value=f"{sure.sum()} cells whose interval of PIE or TIE excludes 0",
                expected=f"at least {FEWEST_CELLS}",
                fix="sweep more sites, or take more pairs",
            )
        drawn = rank_correlations(
            self._resampled(pie[:, sure], resamples, seed),
            self._resampled(tie[:, sure], resamples, seed),
        )
        means = pie.mean(axis=0), tie.mean(axis=0)
        found = float(rank_correlations(means[0][sure], means[1][sure]))
        far = _farther(drawn[np.isfinite(drawn)], found, level)
        ran = np.isfinite(means[0]) & np.isfinite(means[1])
        return pd.Series(
            {
                "spearman": found,
                "low": float(np.maximum(found - far, -1.0)),
                "high": float(np.minimum(found + far, 1.0)),
                "cells": int(sure.sum()),
                **{f"overlap_{k}": overlap(means[0][ran], means[1][ran], k) for k in (5, 10)},
            },
            name=f"PIE and TIE, n={self.n_pairs}",
            dtype=object,
        )

    def _resampled(self, values: Array, resamples: int, seed: int) -> Array:
        """Means over resampled pairs, clusters whole: (pair, cell) to (resample, cell)."""
        codes = self._codes()
        sums, sizes = cluster_sums(values, codes), self._sizes(codes)
        weights = resample_weights(len(sums), resamples, seed)
        return np.asarray((weights @ sums) / (weights @ sizes))


def _farther(drawn: Array, found: float, level: float) -> float:
    """How far the farther end of the drawn numbers' central part is; NaN where there are none."""
    if not len(drawn):
        return float("nan")
    ends = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(np.abs(ends - found).max())
