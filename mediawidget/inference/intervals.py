"""How far a mean over pairs would move on other pairs, and whether it differs from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MediationError
from ..statistics import (
    FEWEST,
    bootstrap_ratio,
    cluster_sums,
    q_values,
    refuse_few,
    refuse_no_correction,
    same_sign,
)
from ..status import Status
from ..validity import too_near_zero
from .base import Array, OnPairs

if TYPE_CHECKING:
    import pandas as pd


class Intervals(OnPairs):
    """Intervals, tests, and shares of the total effect."""

    def ci(self, key: str, level: float = 0.95, resamples: int = 2000, seed: int = 0) -> Array:
        """A bootstrap interval for the mean over pairs: (2, *axes), lower then upper end.

        Pairs are resampled, whole, and where pairs share a cluster whole clusters, their sums
        over their sizes (BCa, Efron 1987; ``scipy.stats.bootstrap``). With fewer than about ten
        clusters it is too narrow. In the metric's unit. Cells that are the same for every pair
        have an interval of no width, at 0 where they are no more than rounding (below 1e-9 of
        the cell's largest Y); cells not run are NaN.

        Args:
            key: a quantity, as in ``pairs``.
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: fewer than three pairs or clusters.
        """
        ends = self._interval(self._flat(key), level, resamples, seed)
        return ends.reshape(2, *self.shape)

    def q_values(
        self, key: str, correction: str = "bh", permutations: int = 10_000, seed: int = 0
    ) -> Any:
        """Two-sided q value of every cell's mean over pairs: an array on the axes, or a float.

        p is the share of sign flips of whole pairs (of whole clusters, where there are any) whose
        mean is at least as large in size; all 2^n flips are made where they are fewer than
        ``permutations``. It assumes that an effect of no mean is as often of either sign. q
        corrects p for the m cells that were tested: ``summary(key).attrs["tests"]``.

        Args:
            key: a quantity, as in ``pairs``.
            correction: ``bh``: of the cells with q below 0.05 at most 5% are expected to be false,
                if tests are independent or positively dependent (Benjamini and Hochberg 1995);
                ``by``: the same under any dependence of cells (Benjamini and Yekutieli 2001);
                ``max-t``: the chance that any of them is false is at most about 5% (Westfall and
                Young 1993).
            permutations: how many flips at most.
            seed: of the draw.

        Returns:
            NaN for cells not run. 1 for cells that are 0, or rounding, for every pair; those that
            are 0 by construction are not counted in m.

        Raises:
            MediationError: fewer than three pairs or clusters.
        """
        flat = self._flat(key)
        sums = cluster_sums(flat, self._codes())
        tested = self._tested(flat)
        q = np.where(np.isfinite(flat).all(axis=0), 1.0, np.nan)
        q[tested] = q_values(sums[:, tested], correction, permutations, seed)
        return self._on_axes(q)

    def summary(
        self,
        key: str,
        level: float = 0.95,
        resamples: int = 2000,
        correction: str = "bh",
        permutations: int = 10_000,
        seed: int = 0,
    ) -> pd.DataFrame:
        """A row per cell with what is to be reported of it.

        Args:
            key: a quantity, as in ``pairs``.
            level: of the interval.
            resamples: as in ``ci``.
            correction: as in ``q_values``.
            permutations: as in ``q_values``.
            seed: of resamples and permutations.

        Returns:
            Its coordinates and label; ``status``; ``n`` pairs and ``clusters``; ``mean`` and
            ``median`` over pairs, in the metric's unit; ``same_sign``, the share of pairs with
            the sign of the mean; ``low`` and ``high``, as ``ci`` gives them; ``q``, as
            ``q_values`` gives it. ``attrs`` name the quantity, its unit, the level, and for how
            many ``tests`` by which ``correction`` q was corrected.

        Raises:
            MediationError: fewer than three pairs or clusters.
        """
        refuse_few(self.n_clusters)
        refuse_no_correction(correction)
        flat = self._flat(key)
        ran = np.isfinite(flat).all(axis=0)
        mean = flat.mean(axis=0)
        low, high = self._interval(flat, level, resamples, seed)
        table = self._table(
            status=[Status(int(code)).name.lower() for code in self.status.flat],
            n=np.where(ran, self.n_pairs, 0),
            clusters=np.where(ran, self.n_clusters, 0),
            mean=mean,
            median=np.median(flat, axis=0),
            same_sign=same_sign(flat),
            low=low,
            high=high,
            q=np.reshape(self.q_values(key, correction, permutations, seed), -1),
        )
        table.attrs = {
            "key": key,
            "unit": self.metric.unit,
            "level": level,
            "tests": int(self._tested(flat).sum()),
            "correction": correction,
        }
        return table

    def normalized(self, key: str) -> Any:
        """The quantity as a share of the total effect: ratio of the means over pairs, no unit.

        The mean of the pairs' own shares would be ruled by the pairs of smallest total effect.

        Raises:
            MediationError: the total effect is too near 0 to divide by, or, where there are pairs
                enough for an interval, its 95% interval holds 0.
        """
        flat = self._flat(key)
        return self._on_axes(flat.mean(axis=0) / self._refuse_no_total(key).mean())

    def normalized_ci(
        self, key: str, level: float = 0.95, resamples: int = 2000, seed: int = 0
    ) -> Array:
        """A bootstrap interval of ``normalized(key)``: (2, *axes), lower then upper end.

        A resample draws a pair's quantity and its total effect together, clusters whole (BCa).
        NaN where there is no finite interval: where the total effect is 0, or of the other sign,
        without some one pair or in so many resamples that an end lies among them.

        Args:
            key: a quantity, as in ``pairs``.
            level: of the interval.
            resamples: of the bootstrap.
            seed: of the bootstrap.

        Raises:
            MediationError: as ``normalized``, or fewer than three pairs or clusters.
        """
        flat, codes = self._flat(key), self._codes()
        refuse_few(self.n_clusters)
        totals = cluster_sums(self._refuse_no_total(key), codes)
        ends = bootstrap_ratio(cluster_sums(flat, codes), totals, level, resamples, seed)
        return ends.reshape(2, *self.shape)

    def _tested(self, flat: Array) -> Any:
        """Which cells were run and can differ from 0."""
        implied = (self.status.reshape(-1) == Status.IMPLIED_ZERO) & (flat == 0).all(axis=0)
        return np.isfinite(flat).all(axis=0) & ~implied

    def _refuse_no_total(self, key: str) -> Array:
        """Every pair's total effect, (pair, 1); raise where their mean is none to divide by."""
        base = self.metric.read(self.bases, self.columns)
        y11, y00 = (float(value) for value in base.mean(axis=0))
        totals = base[:, :1] - base[:, 1:]
        words = f"TE = {y11 - y00:.3g} {self.metric.unit}"
        near = too_near_zero(y11, y00)
        if not near and self.n_clusters >= FEWEST:
            low, high = self._interval(totals, 0.95, 2000, 0)[:, 0]
            near = bool(low <= 0 <= high)
            words += f", 95% interval {low:.3g} to {high:.3g}"
        if near:
            raise MediationError(
                "The total effect is too near 0 to normalise by.",
                value=words,
                expected="prompts on which the metric differs, in the mean over pairs",
                fix=f"read effect[{key!r}] in {self.metric.unit}, or choose other answers or more "
                "pairs",
            )
        return totals
